// Package awsjson is the codec of AWS JSON 1.0 and 1.1: every operation is a POST to "/", named by the
// X-Amz-Target header, with its whole input as one JSON object in the body.
//
// https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html
package awsjson

import (
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
)

// Codec translates AWS JSON.
type Codec struct{}

// ContentType returns the media type of requests and responses.
func ContentType(p shape.Protocol) string {
	if p == shape.JSON10 {
		return "application/x-amz-json-1.0"
	}
	return "application/x-amz-json-1.1"
}

// Decode fills in, a pointer to op's input.
func (Codec) Decode(m *shape.Model, op *shape.Operation, r *proto.Request, in any) error {
	return shape.DecodeJSON(m, op.Input, r.Body, in)
}

// Encode writes out, a pointer to op's output.
func (Codec) Encode(m *shape.Model, op *shape.Operation, out any, _ string, w *proto.Response) error {
	w.Status = 200
	w.SetHeader("Content-Type", ContentType(m.Protocol))
	if _, ok := proto.Struct(out); !ok {
		w.Body = []byte("{}")
		return nil
	}
	var err error
	w.Body, err = shape.EncodeJSON(m, op.Output, out)
	return err
}

// Error writes e. Cognito's browser clients read the type and the text from the headers, where the
// type ends in a colon; everybody else reads them from the body.
func (Codec) Error(m *shape.Model, _ *shape.Operation, e *shape.Error, _, _ string, w *proto.Response) {
	w.Status = e.Status
	w.SetHeader("Content-Type", ContentType(m.Protocol))
	w.SetHeader("X-Amzn-Errortype", e.Code+":")
	if e.Message != "" && proto.HeaderSafe(e.Message) {
		w.SetHeader("X-Amzn-Errormessage", e.Message)
	}
	b := append(make([]byte, 0, 64+len(e.Code)+len(e.Message)), `{"__type":`...)
	b = proto.AppendJSONString(b, e.Code)
	if e.Message != "" {
		b = append(b, ',')
		b = proto.AppendJSONString(b, proto.MessageName(m, e.Code))
		b = append(b, ':')
		b = proto.AppendJSONString(b, e.Message)
	}
	b = proto.AppendJSONFields(b, e.Fields, nil)
	w.Body = append(b, '}')
}
