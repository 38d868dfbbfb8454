// Package restjson is the codec of REST JSON: method and path name the operation; the input is spread
// over path, query, headers and a JSON body, or the body is one member as it is.
//
// https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html
package restjson

import (
	"fmt"
	"net/textproto"
	"reflect"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
	"github.com/gatehouse-dev/gatehouse/internal/wire/rest"
)

// Codec translates REST JSON.
type Codec struct{}

// Decode fills in, a pointer to op's input.
func (Codec) Decode(m *shape.Model, op *shape.Operation, r *proto.Request, in any) error {
	v, ok := proto.Struct(in)
	if !ok {
		return nil
	}
	sh := m.At(op.Input)
	if i := proto.PayloadMember(sh); i >= 0 {
		if err := payload(m, &sh.Members[i], r, v.Field(i)); err != nil {
			return err
		}
	} else if len(r.Body) > 0 && proto.HasBody(sh) {
		if err := shape.DecodeJSON(m, op.Input, r.Body, in); err != nil {
			return err
		}
	} else {
		shape.MarkAbsent(m, sh, v, 0)
	}
	return rest.Decode(m, op, r, v)
}

// payload stores the body in dst, the member mem.
func payload(m *shape.Model, mem *shape.Member, r *proto.Request, dst reflect.Value) error {
	sh := m.At(mem.Shape)
	switch sh.Kind {
	case shape.Blob:
		if sh.Streaming {
			if r.Stream != nil {
				dst.Set(reflect.ValueOf(r.Stream))
			}
		} else if len(r.Body) > 0 {
			dst.SetBytes(r.Body)
		}
		return nil
	case shape.String:
		if len(r.Body) == 0 {
			return nil
		}
		return proto.SetScalar(sh, dst, string(r.Body))
	}
	if len(r.Body) == 0 {
		return nil
	}
	if dst.Kind() == reflect.Pointer {
		p := reflect.New(dst.Type().Elem())
		if err := shape.DecodeJSON(m, mem.Shape, r.Body, p.Interface()); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	}
	return shape.DecodeJSON(m, mem.Shape, r.Body, dst.Addr().Interface())
}

// Encode writes out, a pointer to op's output.
func (Codec) Encode(m *shape.Model, op *shape.Operation, out any, _ string, w *proto.Response) error {
	w.Status = op.Status
	if w.Status == 0 {
		w.Status = 200
	}
	v, ok := proto.Struct(out)
	if !ok {
		if w.Status != 204 {
			w.SetHeader("Content-Type", "application/json")
		}
		return nil
	}
	sh := m.At(op.Output)
	if i := proto.PayloadMember(sh); i >= 0 {
		if err := encodePayload(m, &sh.Members[i], v.Field(i), w); err != nil {
			return err
		}
	} else if proto.HasBody(sh) {
		body, err := shape.EncodeJSON(m, op.Output, out)
		if err != nil {
			return err
		}
		w.Body = body
	}
	rest.Encode(m, sh, v, w)
	if w.Status != 204 && len(w.Header["Content-Type"]) == 0 {
		w.SetHeader("Content-Type", "application/json")
	}
	return nil
}

func encodePayload(m *shape.Model, mem *shape.Member, v reflect.Value, w *proto.Response) (err error) {
	sh := m.At(mem.Shape)
	switch {
	case sh.Streaming:
		w.Stream = proto.Reader(v)
	case sh.Kind == shape.Blob:
		w.Body = v.Bytes()
	case sh.Kind == shape.String:
		if v.Kind() == reflect.Pointer {
			v = v.Elem()
		}
		if v.IsValid() {
			w.Body = []byte(v.String())
		}
	default:
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return nil
			}
		} else {
			v = v.Addr()
		}
		w.Body, err = shape.EncodeJSON(m, mem.Shape, v.Interface())
	}
	return err
}

// Error writes e. An error's structure in the model says how its text is called and which members go
// into headers; Lambda's have a Type besides, which says whose fault it was.
func (Codec) Error(m *shape.Model, _ *shape.Operation, e *shape.Error, _, _ string, w *proto.Response) {
	w.Status = e.Status
	w.SetHeader("Content-Type", "application/json")
	w.SetHeader("X-Amzn-Errortype", e.Code)
	b := []byte{'{'}
	var skip map[string]bool
	if sh := proto.ErrorShape(m, e.Code); sh != nil {
		for i := range sh.Members {
			mem := &sh.Members[i]
			value, set := e.Fields[mem.Wire]
			switch {
			case mem.Location == shape.Header:
				if set {
					w.SetHeader(textproto.CanonicalMIMEHeaderKey(mem.Wire), fmt.Sprint(value))
				}
				if skip == nil {
					skip = map[string]bool{}
				}
				skip[mem.Wire] = true
			case mem.Wire == "Type" && !set:
				b = append(proto.AppendJSONString(append(b, `"Type":`...), fault(e)), ',')
			}
		}
	}
	b = append(proto.AppendJSONString(b, proto.MessageName(m, e.Code)), ':')
	b = proto.AppendJSONString(b, e.Message)
	b = proto.AppendJSONFields(b, e.Fields, skip)
	w.Body = append(b, '}')
}

func fault(e *shape.Error) string {
	if e.Server || e.Status >= 500 {
		return "Service"
	}
	return "User"
}
