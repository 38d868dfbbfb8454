package token

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/go-jose/go-jose/v4"
)

// MaxSize is the length, in bytes, of the longest token that is looked at. API Gateway bounds all
// headers of a request to 10,240 bytes.
const MaxSize = 16 << 10

// maxDepth bounds how deep objects and lists in a token are nested.
const maxDepth = 32

// algorithms are those that a token may be signed with.
var algorithms = []jose.SignatureAlgorithm{
	jose.RS256, jose.RS384, jose.RS512,
	jose.PS256, jose.PS384, jose.PS512,
	jose.ES256, jose.ES384, jose.ES512,
	jose.EdDSA,
}

// parsed is a token whose signature has not been checked.
type parsed struct {
	jws    *jose.JSONWebSignature
	header map[string]any
	kid    string
	alg    string
}

func malformed(detail string, cause error) error {
	return &Error{Reason: Malformed, Detail: detail, Cause: cause}
}

func parse(raw string) (*parsed, error) {
	if len(raw) > MaxSize {
		return nil, &Error{Reason: TooLarge, Detail: "the token is too long"}
	}
	if n := strings.Count(raw, "."); n != 2 {
		return nil, malformed("a token has three parts, separated by dots", nil)
	}
	head, rest, _ := strings.Cut(raw, ".")
	payload, signature, _ := strings.Cut(rest, ".")
	headerJSON, err := decode(head)
	if err != nil {
		return nil, malformed("the header is not base64url", err)
	}
	for _, part := range []string{payload, signature} {
		if _, err := decode(part); err != nil {
			return nil, malformed("a part is not base64url", err)
		}
	}
	p := new(parsed)
	if p.header, err = object(headerJSON); err != nil {
		return nil, malformed("the header is not a JSON object", err)
	}
	if p.alg, _ = p.header["alg"].(string); !allowed(p.alg) {
		return nil, &Error{Reason: BadAlgorithm, Detail: "the token's algorithm is not accepted", Got: "alg " + quote(p.header["alg"]), Want: "RS, PS or ES with 256, 384 or 512, or EdDSA"}
	}
	for _, name := range []string{"crit", "b64"} {
		if _, ok := p.header[name]; ok {
			return nil, &Error{Reason: Critical, Detail: "the token needs extensions, by " + name + " in its header"}
		}
	}
	kid, ok := p.header["kid"].(string)
	if !ok || kid == "" {
		return nil, &Error{Reason: NoKeyID, Detail: "the token's header has no kid"}
	}
	p.kid = kid
	if p.jws, err = jose.ParseSignedCompact(raw, algorithms); err != nil {
		return nil, malformed("the token is not a JWS", err)
	}
	return p, nil
}

func allowed(alg string) bool {
	for _, a := range algorithms {
		if string(a) == alg {
			return true
		}
	}
	return false
}

// quote shows a value from a header that has not been verified.
func quote(v any) string {
	b, err := json.Marshal(v)
	if err != nil || len(b) > 100 {
		return "something else"
	}
	return string(b)
}

var strictBase64 = base64.RawURLEncoding.Strict()

// decode decodes canonical base64url: there is one text for each value.
func decode(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") { // encoding/base64 skips these
		return nil, errors.New("line break in base64url")
	}
	return strictBase64.DecodeString(s)
}

// object reads a JSON object in which no name stands twice. Numbers become json.Number.
func object(data []byte) (map[string]any, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := value(dec, 0)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("not an object")
	}
	if _, err := dec.Token(); err != io.EOF {
		return nil, errors.New("more after the object")
	}
	return m, nil
}

func value(dec *json.Decoder, depth int) (any, error) {
	tok, err := dec.Token()
	if err != nil {
		return nil, err
	}
	if depth > maxDepth {
		return nil, errors.New("nested too deep")
	}
	switch tok {
	case json.Delim('{'):
		m := map[string]any{}
		for dec.More() {
			tok, err := dec.Token()
			if err != nil {
				return nil, err
			}
			name := tok.(string) // the decoder sees to that
			if _, ok := m[name]; ok {
				return nil, errors.New("a name stands twice in an object")
			}
			if m[name], err = value(dec, depth+1); err != nil {
				return nil, err
			}
		}
		_, err := dec.Token()
		return m, err
	case json.Delim('['):
		list := []any{}
		for dec.More() {
			v, err := value(dec, depth+1)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := dec.Token()
		return list, err
	}
	return tok, nil
}
