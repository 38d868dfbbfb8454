// Package query is the codec of the Query protocol: the operation and its input are form parameters
// ("Action=CreateStack&Tags.member.1.Key=a"), the answer is XML.
//
// https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
package query

import (
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
	"github.com/gatehouse-dev/gatehouse/internal/wire/shapexml"
)

// Codec translates the Query protocol.
type Codec struct{}

// Decode fills in, a pointer to op's input. Parameters that the model does not know are ignored, as
// AWS ignores them; a value of the wrong kind is MalformedInput.
func (Codec) Decode(m *shape.Model, op *shape.Operation, r *proto.Request, in any) error {
	v, ok := proto.Struct(in)
	if !ok {
		return nil
	}
	return structure(m, op.Input, r.Form, v, "")
}

func malformed(format string, args ...any) error {
	return shape.Errorf("MalformedInput", 400, format, args...)
}

func structure(m *shape.Model, r shape.Ref, p *proto.Params, v reflect.Value, path string) error {
	sh := m.At(r)
	var seen shape.Absent
	for i := range sh.Members {
		mem := &sh.Members[i]
		kid := p.Kid(mem.Wire)
		if kid == nil {
			continue
		}
		if i < 64 {
			seen |= 1 << i
		}
		if err := value(m, mem.Shape, kid, v.Field(i), join(path, mem.Wire)); err != nil {
			return err
		}
	}
	shape.MarkAbsent(m, sh, v, seen)
	return nil
}

func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

func value(m *shape.Model, r shape.Ref, p *proto.Params, dst reflect.Value, path string) error {
	sh := m.At(r)
	switch sh.Kind {
	case shape.Structure, shape.Union:
		if p.Leaf() && p.Value != "" {
			return malformed("Unexpected value found where a structure was expected: %s", path)
		}
		if dst.Kind() == reflect.Pointer {
			dst.Set(reflect.New(dst.Type().Elem()))
			dst = dst.Elem()
		}
		return structure(m, r, p, dst, path)
	case shape.List:
		if p.Leaf() { // "Tags=" is the empty list
			if p.Value != "" {
				return malformed("Unexpected value found where a list was expected: %s", path)
			}
			dst.Set(reflect.MakeSlice(dst.Type(), 0, 0))
			return nil
		}
		if !sh.Flat {
			p = p.Kid(or(sh.ElemName, "member"))
		}
		items, ok := p.Items()
		if !ok {
			return malformed("Start of structure or map found where not expected: %s", path)
		}
		list := reflect.MakeSlice(dst.Type(), len(items), len(items))
		for i, item := range items {
			if err := value(m, sh.Elem, item, list.Index(i), path+".member"); err != nil {
				return err
			}
		}
		dst.Set(list)
		return nil
	case shape.Map:
		out := reflect.MakeMap(dst.Type())
		if p.Leaf() {
			if p.Value != "" {
				return malformed("Unexpected value found where a map was expected: %s", path)
			}
			dst.Set(out)
			return nil
		}
		if !sh.Flat {
			p = p.Kid("entry")
		}
		entries, ok := p.Items()
		if !ok {
			return malformed("Start of structure or map found where not expected: %s", path)
		}
		for _, entry := range entries {
			key := entry.Kid(or(sh.KeyName, "key"))
			if key == nil || !key.Set {
				return malformed("A map entry has no key: %s", path)
			}
			elem := reflect.New(dst.Type().Elem()).Elem()
			if val := entry.Kid(or(sh.ElemName, "value")); val != nil {
				if err := value(m, sh.Elem, val, elem, path+".value"); err != nil {
					return err
				}
			}
			out.SetMapIndex(reflect.ValueOf(key.Value), elem)
		}
		dst.Set(out)
		return nil
	}
	if !p.Leaf() {
		return malformed("Start of structure or map found where not expected: %s", path)
	}
	if err := proto.SetScalar(sh, dst, p.Value); err != nil {
		return malformed("The value of parameter %s is not valid for its type.", path)
	}
	return nil
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// Encode writes out, a pointer to op's output:
//
//	<OpResponse xmlns="…"><OpResult>…</OpResult><ResponseMetadata><RequestId>…
//
// The result's element is there also where the output has no members: clients that expect none skip
// it, and those that expect one do not look for its absence.
func (Codec) Encode(m *shape.Model, op *shape.Operation, out any, requestID string, w *proto.Response) error {
	w.Status = 200
	w.SetHeader("Content-Type", "text/xml")
	b := make([]byte, 0, 1024)
	b = shapexml.Open(b, op.Name+"Response", m.XMLNamespace)
	if v, ok := proto.Struct(out); ok {
		b = shapexml.Open(b, op.Name+"Result", "")
		b = shapexml.AppendMembers(b, m, op.Output, v)
		b = shapexml.Close(b, op.Name+"Result")
	}
	b = append(b, "<ResponseMetadata>"...)
	b = shapexml.Element(b, "RequestId", requestID)
	b = append(b, "</ResponseMetadata>"...)
	w.Body = append(shapexml.Close(b, op.Name+"Response"), '\n')
	return nil
}

// Error writes e in the form of the Query services:
//
//	<ErrorResponse xmlns="…"><Error><Type>Sender</Type><Code>…</Code><Message>…</Message></Error><RequestId>…
func (Codec) Error(m *shape.Model, _ *shape.Operation, e *shape.Error, requestID, _ string, w *proto.Response) {
	w.Status = e.Status
	w.SetHeader("Content-Type", "text/xml")
	fault := "Sender"
	if e.Server || e.Status >= 500 {
		fault = "Receiver"
	}
	b := shapexml.Open(nil, "ErrorResponse", m.XMLNamespace)
	b = append(b, "<Error>"...)
	b = shapexml.Element(b, "Type", fault)
	b = shapexml.Element(b, "Code", e.Code)
	b = shapexml.Element(b, "Message", e.Message)
	for _, name := range slices.Sorted(maps.Keys(e.Fields)) {
		b = shapexml.Element(b, name, fmt.Sprint(e.Fields[name]))
	}
	b = append(b, "</Error>"...)
	b = shapexml.Element(b, "RequestId", requestID)
	w.Body = append(shapexml.Close(b, "ErrorResponse"), '\n')
}
