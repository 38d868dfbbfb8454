package shape

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// maxDepth bounds how deep a JSON text may nest.
const maxDepth = 128

// DecodeJSON fills in v, a pointer to the generated struct of shape r, from a JSON text in one pass.
// Of a structure with HTTP bindings it takes the members that travel in the body. Unknown names are
// ignored, null is the same as absent, in a map too, of repeated names the last one counts.
//
// Values of other types than the model's are a SerializationException in the words of AWS's own
// deserialiser; text that is not JSON is one with an empty message, or the model's MalformedCode.
func DecodeJSON(m *Model, r Ref, data []byte, v any) error {
	d := decoder{m: m, in: data}
	d.space()
	if d.pos == len(data) || data[d.pos] != '{' && data[d.pos] != '[' {
		return d.malformed()
	}
	if err := d.into(m.At(r), reflect.ValueOf(v).Elem(), 0); err != nil {
		return err
	}
	d.space()
	if d.pos != len(data) {
		return d.malformed()
	}
	return nil
}

type decoder struct {
	m    *Model
	in   []byte
	pos  int
	path []step // for errors only, kept for lists and maps
}

// malformed is the error of a text that is not JSON.
func (d *decoder) malformed() error {
	if d.m.MalformedCode == "InvalidRequestContentException" { // Lambda says what it was doing
		return Errorf(d.m.MalformedCode, 400, "Could not parse request body into json: Unexpected content at position %d", d.pos)
	}
	return d.fail("")
}

func (d *decoder) fail(text string) error {
	return &Error{Code: "SerializationException", Message: text, Status: 400}
}

// mismatch is the error of a value that is of none of the kinds that s takes.
func (d *decoder) mismatch(s *Shape, c byte) error {
	switch c {
	case '{':
		return d.fail("Start of structure or map found where not expected.")
	case '[':
		return d.fail("Start of list found where not expected")
	}
	token := ""
	switch c {
	case '"':
		token = "STRING_VALUE"
	case 't', 'f':
		token = strings.ToUpper(map[byte]string{'t': "true", 'f': "false"}[c]) + "_VALUE"
	default:
		start := d.pos
		if err := d.skip(0); err != nil {
			return err
		}
		token = "NUMBER_VALUE"
		if bytes.ContainsAny(d.in[start:d.pos], ".eE") {
			token = "DECIMAL_VALUE"
		}
	}
	switch s.Kind {
	case String:
		return d.fail(token + " can not be converted to a String")
	case Boolean:
		return d.fail(token + " can not be converted to a Boolean")
	case Integer:
		return d.fail(token + " can not be converted to an Integer")
	case Long:
		return d.fail(token + " can not be converted to a Long")
	case Float:
		return d.fail(token + " can not be converted to a Float")
	case Double:
		return d.fail(token + " can not be converted to a Double")
	case Timestamp:
		return d.fail(token + " can not be converted to milliseconds since epoch")
	case Blob:
		return d.fail("only base-64-encoded strings are convertible to bytes")
	case List:
		return d.fail("Expected list or null")
	case Map:
		return d.fail("Expected map or null")
	}
	return d.fail("Expected null")
}

// into decodes the next value, which is not null, into f.
func (d *decoder) into(s *Shape, f reflect.Value, depth int) error {
	if depth > maxDepth {
		return d.malformed()
	}
	if f.Kind() == reflect.Pointer {
		p := reflect.New(f.Type().Elem())
		f.Set(p)
		f = p.Elem()
	}
	c := d.peek()
	switch s.Kind {
	case String:
		if c != '"' {
			break
		}
		t, err := d.str()
		if err != nil {
			return err
		}
		f.SetString(t)
		return nil
	case Boolean:
		switch {
		case d.literal("true"):
			f.SetBool(true)
			return nil
		case d.literal("false"):
			f.SetBool(false)
			return nil
		case c == '"':
			t, err := d.str()
			if err != nil {
				return err
			}
			switch strings.ToLower(t) {
			case "true", "yes", "y", "t", "1":
				f.SetBool(true)
			case "false", "no", "n", "f", "0":
				f.SetBool(false)
			default:
				return d.fail("STRING_VALUE can not be converted to an Boolean")
			}
			return nil
		}
	case Integer, Long, Float, Double, Timestamp:
		return d.scalar(s, f, c)
	case Blob:
		if c != '"' || s.Streaming {
			break
		}
		t, err := d.str()
		if err != nil {
			return err
		}
		b, err := base64.StdEncoding.DecodeString(t)
		if err != nil {
			if n := len(strings.Trim(t, "\r\n")); n%4 != 0 {
				return d.fail("Base64 encoded length is expected a multiple of 4 bytes but found: " + strconv.Itoa(n))
			}
			return d.fail("Invalid Base64 character detected")
		}
		f.SetBytes(b)
		return nil
	case List:
		if c == '[' {
			return d.list(s, f, depth)
		}
	case Map:
		if c == '{' {
			return d.entries(s, f, depth)
		}
	case Structure, Union:
		if c == '{' {
			return d.structure(s, f, depth)
		}
	case Document:
		start := d.pos
		if err := d.skip(depth); err != nil {
			return err
		}
		dec := json.NewDecoder(bytes.NewReader(d.in[start:d.pos]))
		dec.UseNumber()
		var doc any
		if dec.Decode(&doc) != nil {
			return d.malformed()
		}
		f.Set(reflect.ValueOf(&doc).Elem())
		return nil
	}
	switch c {
	case '{', '[', '"', 't', 'f', '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		// The text may be cut short or worse: that comes first.
		at := d.pos
		if err := d.skip(depth); err != nil {
			return err
		}
		d.pos = at
		return d.mismatch(s, c)
	}
	return d.malformed()
}

func (d *decoder) scalar(s *Shape, f reflect.Value, c byte) error {
	start := d.pos
	if c == '"' && s.Kind >= Float {
		t, err := d.str()
		if err != nil {
			return err
		}
		if s.Kind == Timestamp {
			if tm, ok := ParseTime(t); ok {
				f.Set(reflect.ValueOf(tm))
				return nil
			}
			return d.fail("STRING_VALUE can not be converted to milliseconds since epoch")
		}
		switch t {
		case "NaN":
			f.SetFloat(math.NaN())
			return nil
		case "Infinity":
			f.SetFloat(math.Inf(1))
			return nil
		case "-Infinity":
			f.SetFloat(math.Inf(-1))
			return nil
		}
		d.pos = start
	}
	if err := d.skip(0); err != nil {
		return err
	}
	text := d.in[start:d.pos]
	if c != '-' && (c < '0' || c > '9') {
		d.pos = start
		return d.mismatch(s, c)
	}
	if s.Kind == Integer || s.Kind == Long {
		if n, err := strconv.ParseInt(string(text), 10, 64); err == nil {
			f.SetInt(n)
			return nil
		}
		// 5.0 and 1e3 are taken, fractions are cut.
		n, err := strconv.ParseFloat(string(text), 64)
		if err != nil || n >= math.MaxInt64 || n <= math.MinInt64 {
			return d.malformed()
		}
		f.SetInt(int64(n))
		return nil
	}
	n, err := strconv.ParseFloat(string(text), 64)
	if err != nil {
		return d.malformed()
	}
	if s.Kind == Timestamp {
		tm, ok := epoch(n)
		if !ok {
			return d.malformed()
		}
		f.Set(reflect.ValueOf(tm))
		return nil
	}
	f.SetFloat(n)
	return nil
}

func (d *decoder) structure(s *Shape, f reflect.Value, depth int) error {
	if !f.IsZero() { // a repeated name
		f.SetZero()
	}
	d.pos++
	var seen Absent
	next := 0 // members mostly come in the model's order
	for first := true; ; first = false {
		c := d.peek()
		if c == '}' && first {
			break
		}
		if !first {
			if c == '}' {
				break
			}
			if c != ',' {
				return d.malformed()
			}
			d.pos++
			c = d.peek()
		}
		if c != '"' {
			return d.malformed()
		}
		name, err := d.raw()
		if err != nil {
			return err
		}
		if d.peek() != ':' {
			return d.malformed()
		}
		d.pos++
		i := s.find(name, next)
		if i < 0 {
			d.space()
			if err := d.skip(depth + 1); err != nil {
				return err
			}
			continue
		}
		next = i + 1
		field := f.Field(i)
		if d.peek() == 'n' {
			if !d.literal("null") {
				return d.malformed()
			}
			field.SetZero()
			if i < 64 {
				seen &^= 1 << i
			}
			continue
		}
		if i < 64 {
			seen |= 1 << i
		}
		d.path = append(d.path, step{name: s.Members[i].Name})
		if err := d.into(d.m.At(s.Members[i].Shape), field, depth+1); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-1]
	}
	d.pos++
	MarkAbsent(d.m, s, f, seen)
	return nil
}

// find returns the body's member with that name on the wire, looking from one on first.
func (s *Shape) find(name []byte, from int) int {
	n := len(s.Members)
	for k := range n {
		i := from + k
		if i >= n {
			i -= n
		}
		if mem := &s.Members[i]; mem.Wire == string(name) && mem.Location == Body {
			return i
		}
	}
	return -1
}

func (d *decoder) list(s *Shape, f reflect.Value, depth int) error {
	d.pos++
	e := d.m.At(s.Elem)
	t := f.Type()
	if d.peek() == ']' {
		d.pos++
		f.Set(reflect.MakeSlice(t, 0, 0))
		return nil
	}
	out := reflect.New(t).Elem()
	out.Set(reflect.MakeSlice(t, 0, 4))
	n := 0
	for {
		d.path = append(d.path, step{index: n + 1}, step{name: "member"})
		if d.peek() == 'n' {
			if !d.literal("null") {
				return d.malformed()
			}
			return d.null("Member must not be null")
		}
		if n == out.Cap() {
			out.Grow(n)
		}
		out.SetLen(n + 1)
		if err := d.into(e, out.Index(n), depth+1); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-2]
		n++
		switch d.peek() {
		case ',':
			d.pos++
			continue
		case ']':
			d.pos++
			f.Set(out)
			return nil
		}
		return d.malformed()
	}
}

func (d *decoder) entries(s *Shape, f reflect.Value, depth int) error {
	d.pos++
	t := f.Type()
	out := reflect.MakeMap(t)
	e := d.m.At(s.Elem)
	for first := true; ; first = false {
		c := d.peek()
		if c == '}' && first {
			break
		}
		if !first {
			if c == '}' {
				break
			}
			if c != ',' {
				return d.malformed()
			}
			d.pos++
			c = d.peek()
		}
		if c != '"' {
			return d.malformed()
		}
		key, err := d.str()
		if err != nil {
			return err
		}
		if d.peek() != ':' {
			return d.malformed()
		}
		d.pos++
		if d.peek() == 'n' && e.Kind != Document {
			if !d.literal("null") {
				return d.malformed()
			}
			continue // amazon-cognito-identity-js refreshes with DEVICE_KEY null
		}
		val := reflect.New(t.Elem()).Elem()
		d.path = append(d.path, step{name: "\x00" + key}, step{name: "member"})
		if err := d.into(e, val, depth+1); err != nil {
			return err
		}
		d.path = d.path[:len(d.path)-2]
		out.SetMapIndex(reflect.ValueOf(key), val)
	}
	d.pos++
	f.Set(out)
	return nil
}

// null refuses a null inside a list, which the Go types cannot hold: a failed constraint.
func (d *decoder) null(constraint string) error {
	c := checker{m: d.m, path: d.path}
	return d.m.failures([]string{"Value null at '" + c.where() + "' failed to satisfy constraint: " + constraint})
}
