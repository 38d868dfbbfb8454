package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// answer is what a function says that the client shall get.
type answer struct {
	status  int
	headers []field
	cookies []string
	body    string
	base64  bool

	fallback int // status of an answer that has none; 0: it must have one
}

type field struct{ name, value string }

// parse2 reads an answer of payload format 2.0. What has no statusCode is the body itself, JSON or not; a
// JSON string stands for its value. AWS's documentation speaks of valid JSON only; that any text is
// taken is what the gateway does.
func (a *answer) parse2(payload []byte) error {
	if !json.Valid(payload) {
		a.infer(string(payload))
		return nil
	}
	kind, structured := first(payload), false
	if kind == '{' {
		_ = members(payload, func(key string, _ []byte) error {
			structured = structured || key == "statusCode"
			return nil
		})
	}
	switch {
	case structured:
		return a.parse(payload, true)
	case kind == '"':
		s, err := unquote(trim(payload))
		a.infer(s)
		return err
	}
	a.infer(string(payload))
	return nil
}

func (a *answer) infer(body string) {
	a.status, a.body = 200, body
	a.headers = append(a.headers, field{"Content-Type", "application/json"})
}

// parse1 reads an answer of payload format 1.0, which must have a statusCode.
func (a *answer) parse1(payload []byte) error {
	if !json.Valid(payload) || first(payload) != '{' {
		return errors.New("it is not a JSON object")
	}
	return a.parse(payload, false)
}

// parse reads the members of an answer. Names are case-sensitive, unknown ones ignored.
func (a *answer) parse(payload []byte, two bool) error {
	var single, multi []byte
	err := members(payload, func(key string, raw []byte) (err error) {
		null := raw[0] == 'n'
		switch {
		case key == "statusCode":
			a.status, err = statusCode(raw)
		case null:
		case key == "body":
			a.body, err = unquote(raw)
		case key == "isBase64Encoded":
			if a.base64 = raw[0] == 't'; raw[0] != 't' && raw[0] != 'f' {
				err = errors.New("it is not a boolean")
			}
		case key == "headers":
			single = raw
		case key == "multiValueHeaders" && !two:
			multi = raw
		case key == "cookies" && two:
			err = json.Unmarshal(raw, &a.cookies)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if a.status == 0 {
		a.status = a.fallback
	}
	if a.status == 0 {
		return errors.New("it has no statusCode")
	}
	if err := a.fields(multi, true); err != nil {
		return fmt.Errorf("multiValueHeaders: %w", err)
	}
	if err := a.fields(single, false); err != nil {
		return fmt.Errorf("headers: %w", err)
	}
	return nil
}

// fields adds headers. A header that is in multiValueHeaders is not taken from headers again.
func (a *answer) fields(raw []byte, multi bool) error {
	if raw == nil {
		return nil
	}
	if raw[0] != '{' {
		return errors.New("it is not an object")
	}
	many := len(a.headers)
	return members(raw, func(name string, raw []byte) error {
		if multi {
			var list []json.RawMessage
			if err := json.Unmarshal(raw, &list); err != nil {
				return fmt.Errorf("%s is not a list", name)
			}
			for _, item := range list {
				v, err := scalar(item)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				a.headers = append(a.headers, field{name, v})
			}
			return nil
		}
		v, err := scalar(raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, f := range a.headers[:many] {
			if f.name == name && f.value == v {
				return nil
			}
		}
		a.headers = append(a.headers, field{name, v})
		return nil
	})
}

// scalar returns the text of a header's value.
func scalar(raw []byte) (string, error) {
	switch raw[0] {
	case '"':
		return unquote(raw)
	case '{', '[':
		return "", errors.New("it is not text")
	case 'n':
		return "", nil
	}
	return string(raw), nil
}

// statusCode reads a final status: a whole number, as such or as text.
func statusCode(raw []byte) (int, error) {
	text := string(raw)
	if raw[0] == '"' {
		text, _ = unquote(raw)
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 200 || n > 599 {
		return 0, errors.New("it is not a status from 200 to 599")
	}
	return n, nil
}

// first returns the first byte of a JSON text.
func first(b []byte) byte { return trim(b)[0] }

// trim cuts white space around a JSON text.
func trim(b []byte) []byte {
	for len(b) > 0 && space(b[0]) {
		b = b[1:]
	}
	for len(b) > 0 && space(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return b
}

func space(c byte) bool { return c == ' ' || c == '\n' || c == '\t' || c == '\r' }

// unquote returns the value of a valid JSON string.
func unquote(raw []byte) (string, error) {
	if len(raw) < 2 || raw[0] != '"' {
		return "", errors.New("it is not text")
	}
	plain := true
	for _, c := range raw[1 : len(raw)-1] {
		if c == '\\' || c >= 0x80 {
			plain = false
			break
		}
	}
	if plain {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// members calls f with each member of a JSON object, in order; doc must be valid JSON. For anything but an
// object it does nothing. raw has no white space around it.
func members(doc []byte, f func(key string, raw []byte) error) error {
	doc = trim(doc)
	if doc[0] != '{' {
		return nil
	}
	i := 1
	for {
		for space(doc[i]) || doc[i] == ',' {
			i++
		}
		if doc[i] == '}' {
			return nil
		}
		end := skip(doc, i)
		key, err := unquote(doc[i:end])
		if err != nil {
			return err
		}
		for i = end; space(doc[i]) || doc[i] == ':'; {
			i++
		}
		end = skip(doc, i)
		if err := f(key, doc[i:end]); err != nil {
			return err
		}
		i = end
	}
}

// skip returns the end of the value that begins at doc[i].
func skip(doc []byte, i int) int {
	depth := 0
	for i < len(doc) {
		switch c := doc[i]; c {
		case '"':
			for i++; doc[i] != '"'; i++ {
				if doc[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of the object around a number
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return i
}
