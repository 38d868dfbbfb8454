// Package rest binds the members of a message that travel outside its body: labels of the path,
// query parameters, headers and the status code. REST JSON and REST XML share it.
//
// https://smithy.io/2.0/spec/http-bindings.html says which member goes where.
package rest

import (
	"net/http"
	"net/textproto"
	"net/url"
	"reflect"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
)

// Decode fills in the members of in, a structure of op's input shape, that are bound to the path, the
// query or a header. A body must have been decoded before. A value of the wrong kind is a
// SerializationException that names the member.
func Decode(m *shape.Model, op *shape.Operation, r *proto.Request, in reflect.Value) error {
	sh := m.At(op.Input)
	var seen shape.Absent
	for i := range sh.Members {
		mem := &sh.Members[i]
		var had bool
		var err error
		switch mem.Location {
		case shape.URI:
			var text string
			if text, had = r.Label(mem.Wire); had {
				err = proto.SetScalar(m.At(mem.Shape), in.Field(i), text)
			}
		case shape.Query:
			if values, ok := r.Query[mem.Wire]; ok {
				had = true
				err = setValues(m, mem, in.Field(i), values)
			}
		case shape.QueryMap:
			setQueryMap(m, sh, op, in.Field(i), r.Query)
		case shape.Header:
			had, err = setHeader(m, mem, in.Field(i), r)
		case shape.HeaderPrefix:
			setPrefix(in.Field(i), r.Header, mem.Wire)
		case shape.Payload: // the codec's
			had = len(r.Body) > 0 || r.Stream != nil
		}
		if err != nil {
			return shape.Errorf("SerializationException", 400, "The value of '%s' is not a valid %s.", mem.Wire, kindName(m.At(mem.Shape)))
		}
		if had && i < 64 {
			seen |= 1 << i
		}
	}
	proto.NoteAbsent(m, sh, in, seen)
	return nil
}

func kindName(sh *shape.Shape) string {
	switch sh.Kind {
	case shape.Boolean:
		return "boolean"
	case shape.Integer:
		return "integer"
	case shape.Long:
		return "long"
	case shape.Float, shape.Double:
		return "number"
	case shape.Timestamp:
		return "timestamp"
	case shape.Blob:
		return "base64 text"
	}
	return "value"
}

// setValues stores a parameter that may occur several times.
func setValues(m *shape.Model, mem *shape.Member, dst reflect.Value, values []string) error {
	sh := m.At(mem.Shape)
	if sh.Kind != shape.List {
		return proto.SetScalar(sh, dst, values[0])
	}
	elem := m.At(sh.Elem)
	list := reflect.MakeSlice(dst.Type(), len(values), len(values))
	for i, text := range values {
		if err := proto.SetScalar(elem, list.Index(i), text); err != nil {
			return err
		}
	}
	dst.Set(list)
	return nil
}

// setQueryMap stores the parameters that neither another member, nor the path's own literals, nor
// the signature take.
func setQueryMap(m *shape.Model, sh *shape.Shape, op *shape.Operation, dst reflect.Value, query url.Values) {
	if len(query) == 0 {
		return
	}
	_, literals, _ := strings.Cut(op.Path, "?")
	taken, _ := url.ParseQuery(literals)
	for i := range sh.Members {
		if sh.Members[i].Location == shape.Query {
			taken[sh.Members[i].Wire] = nil
		}
	}
	out := reflect.MakeMap(dst.Type())
	for name, values := range query {
		if _, ok := taken[name]; ok || strings.HasPrefix(name, "X-Amz-") || len(values) == 0 {
			continue
		}
		if dst.Type().Elem().Kind() == reflect.Slice {
			out.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(values))
		} else {
			out.SetMapIndex(reflect.ValueOf(name), reflect.ValueOf(values[0]))
		}
	}
	if out.Len() > 0 {
		dst.Set(out)
	}
}

func setHeader(m *shape.Model, mem *shape.Member, dst reflect.Value, r *proto.Request) (had bool, err error) {
	name := textproto.CanonicalMIMEHeaderKey(mem.Wire)
	if name == "Content-Length" { // net/http takes it out of the headers
		if r.ContentLength < 0 {
			return false, nil
		}
		return true, proto.SetScalar(m.At(mem.Shape), dst, strconv.FormatInt(r.ContentLength, 10))
	}
	values := r.Header[name]
	if len(values) == 0 {
		return false, nil
	}
	sh := m.At(mem.Shape)
	if sh.Kind != shape.List {
		text := values[0]
		if name == "Content-Encoding" {
			// aws-chunked is how the body travelled, not what it is.
			if text = withoutToken(text, "aws-chunked"); text == "" {
				return false, nil
			}
		}
		return true, proto.SetScalar(sh, dst, text)
	}
	var items []string
	for _, value := range values {
		if m.At(sh.Elem).Kind == shape.Timestamp { // an HTTP date has a comma
			items = append(items, value)
			continue
		}
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, item)
			}
		}
	}
	return true, setValues(m, mem, dst, items)
}

func withoutToken(list, token string) string {
	var rest []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" && !strings.EqualFold(item, token) {
			rest = append(rest, item)
		}
	}
	return strings.Join(rest, ",")
}

// setPrefix collects the headers whose names begin with prefix into a map. The names come in lower
// case, as S3 stores them.
func setPrefix(dst reflect.Value, h http.Header, prefix string) {
	prefix = strings.ToLower(prefix)
	for name, values := range h {
		lower := strings.ToLower(name)
		if !strings.HasPrefix(lower, prefix) || len(values) == 0 {
			continue
		}
		if dst.IsNil() {
			dst.Set(reflect.MakeMap(dst.Type()))
		}
		dst.SetMapIndex(reflect.ValueOf(lower[len(prefix):]), reflect.ValueOf(strings.Join(values, ",")))
	}
}

// Encode writes the members of out, a structure of shape sh, that are bound to headers or to the
// status code. Absent members leave no trace; the status is untouched where no member says one.
func Encode(m *shape.Model, sh *shape.Shape, out reflect.Value, w *proto.Response) {
	for i := range sh.Members {
		mem := &sh.Members[i]
		v := out.Field(i)
		switch mem.Location {
		case shape.Status:
			if v = deref(v); v.IsValid() && v.Int() != 0 {
				w.Status = int(v.Int())
			}
		case shape.Header:
			if text, ok := headerText(m, m.At(mem.Shape), v); ok {
				w.SetHeader(textproto.CanonicalMIMEHeaderKey(mem.Wire), text)
			}
		case shape.HeaderPrefix:
			for it := v.MapRange(); it.Next(); {
				// In lower case, not in canonical form: clients take the name's end as it comes.
				w.SetHeader(strings.ToLower(mem.Wire+it.Key().String()), it.Value().String())
			}
		}
	}
}

func headerText(m *shape.Model, sh *shape.Shape, v reflect.Value) (string, bool) {
	switch sh.Kind {
	case shape.List:
		if v.Len() == 0 {
			return "", false
		}
		items := make([]string, v.Len())
		for i := range items {
			items[i], _ = headerText(m, m.At(sh.Elem), v.Index(i))
		}
		return strings.Join(items, ","), true
	case shape.Blob:
		if v.Kind() != reflect.Slice || v.IsNil() {
			return "", false
		}
	default:
		if v = deref(v); !v.IsValid() || v.IsZero() && sh.Kind == shape.String {
			return "", false
		}
	}
	return string(proto.AppendScalar(nil, sh, v, proto.HTTPDate)), true
}

// deref follows a pointer; of a nil one it returns the invalid Value.
func deref(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Pointer {
		return v.Elem()
	}
	return v
}
