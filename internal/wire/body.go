package wire

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/payload"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
)

// readBody reads the body into memory, bounded, unless the protocol is S3's, whose bodies may be
// streams and may come in chunks that only the caller's key can check.
func (x *exchange) readBody() error {
	svc, op, r := x.t.Service, x.t.Operation, x.r
	x.req = proto.Request{Header: r.Header, Query: x.t.query, Labels: x.t.labels, ContentLength: r.ContentLength}
	m := svc.Model
	streamed := op != nil && proto.Streams(m, m.At(op.Input))
	if m.Protocol == shape.RESTXML {
		x.stream = streamed
		return nil
	}
	if enc := r.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return shape.Errorf("UnsupportedMediaTypeException", 415, "Content-Encoding %s is not supported", enc)
	}
	if m.Protocol == shape.JSON10 || m.Protocol == shape.JSON11 {
		if ct := r.Header.Get("Content-Type"); !strings.HasPrefix(ct, "application/x-amz-json-1.") {
			return shape.Errorf("UnknownOperationException", 400, "A request to %s has Content-Type application/x-amz-json-1.1", m.Endpoint)
		}
	}
	limit := x.maxBody()
	if r.ContentLength < 0 || r.ContentLength > maxStranger {
		if op != nil && op.Unsigned || !Signed(r) {
			limit = min(limit, maxStranger)
		} else if d, ok := x.s.o.Auth.(Doorkeeper); ok {
			if err := d.Known(r.Context(), r); err != nil {
				return err
			}
		}
	}
	body, err := readBounded(r.Body, r.ContentLength, limit)
	if err != nil {
		return x.bodyError(err, limit)
	}
	x.raw, x.req.Body = body, body
	if streamed { // elsewhere the signature covers the body itself, so it is in memory anyway
		x.req.Body, x.req.Stream = nil, io.NopCloser(bytes.NewReader(body))
	}
	return nil
}

// maxStranger bounds what is read of a body before it is known that somebody signs it: nothing that needs no
// signature is longer than a SAML response, of 100,000 characters, in a form.
const maxStranger = 1 << 20

func (x *exchange) maxBody() int64 {
	if f := x.t.Service.MaxBody; f != nil && x.t.Operation != nil {
		if n := f(x.t.Operation.Name); n > 0 {
			return n
		}
	}
	return x.s.o.MaxBody
}

var errTooLarge = errors.New("body too large")

// readBounded reads all of body; more than limit bytes are errTooLarge. Only a bounded part of the
// declared length is believed when making room.
func readBounded(body io.Reader, length, limit int64) ([]byte, error) {
	if length > limit {
		return nil, errTooLarge
	}
	if body == nil || length == 0 {
		return nil, nil
	}
	room := int64(512)
	if length > 0 {
		room = min(length, 64<<10) + 1 // one more, to meet the end without growing
	}
	b := make([]byte, 0, room)
	for {
		n, err := body.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return nil, errTooLarge
		case err == io.EOF:
			return b, nil
		case err != nil:
			return nil, err
		}
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
	}
}

// bodyError words what can go wrong while a body is read.
func (x *exchange) bodyError(err error, limit int64) error {
	var e *shape.Error
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
		return err
	case errors.Is(err, errTooLarge), errors.As(err, &tooLarge):
		// The rest of the body is not worth reading.
		x.w.Header()["Connection"] = []string{"close"}
		switch x.t.Service.Model.Protocol {
		case shape.QueryXML:
			return shape.Errorf("RequestEntityTooLarge", 413, "Request must be smaller than %d bytes for the %s operation", limit, x.call.Operation)
		case shape.RESTXML:
			return shape.Errorf("MaxMessageLengthExceeded", 400, "Your request was too large.")
		}
		return shape.Errorf("RequestEntityTooLargeException", 413, "Request must be smaller than %d bytes for the %s operation", limit, x.call.Operation)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return shape.Errorf("IncompleteBody", 400, "You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	return shape.Errorf("RequestTimeout", 400, "The request's body could not be read to its end.")
}

// readForm reads the parameters of a Query request, from its URL and its body, and settles the
// operation.
func (x *exchange) readForm() error {
	body := ""
	if strings.HasPrefix(x.r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		body = string(x.raw)
	}
	form, err := proto.ParseForm(x.r.URL.RawQuery, body)
	if err != nil {
		return err
	}
	x.req.Form = form
	m := x.t.Service.Model
	x.t.Name = form.Get("Action")
	x.t.Operation = nil
	if v := form.Get("Version"); v == "" || v == m.APIVersion {
		x.t.Operation = m.Operation(x.t.Name)
	}
	x.call.Operation = x.t.Name
	return nil
}

// version returns the API version that a Query request names.
func (x *exchange) version() string {
	if v := x.req.Form.Get("Version"); v != "" {
		return v
	}
	return x.t.Service.Model.APIVersion
}

// bodySHA256 returns what the canonical request holds for the body.
func (x *exchange) bodySHA256() (string, error) {
	if x.t.Service.Model.Protocol == shape.RESTXML {
		if mode := x.r.Header.Get("X-Amz-Content-Sha256"); mode != "" {
			return mode, nil
		}
		if x.r.Header.Get("Authorization") == "" { // a presigned URL
			return payload.Unsigned, nil
		}
		return "", shape.Errorf("InvalidRequest", 400, "Missing required header for this request: x-amz-content-sha256")
	}
	return payload.Hex(x.raw), nil
}

// prepareBody makes the body of an S3 request readable: decoded from chunks and checked against what
// the headers declare.
func (x *exchange) prepareBody(who Identity) error {
	r := x.r
	if x.t.Service.Model.Protocol != shape.RESTXML {
		return nil
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	o := payload.Options{Header: r.Header, Length: r.ContentLength}
	if who.Sign != nil {
		o.Signing = signingOf(r, who)
	}
	body, err := payload.New(r.Body, o)
	if err != nil {
		return err
	}
	x.req.ContentLength = body.Size()
	if x.stream {
		x.req.Stream = body
		return nil
	}
	limit := x.maxBody()
	b, err := readBounded(body, body.Size(), limit)
	if err == nil && body.Size() == 0 {
		_, err = io.Copy(io.Discard, body) // an empty body has a hash, too
	}
	if err != nil {
		return x.bodyError(err, limit)
	}
	x.req.Body = b
	return nil
}

// signingOf gathers what the check of signed chunks needs.
func signingOf(r *http.Request, who Identity) payload.Signing {
	s := payload.Signing{Time: r.Header.Get("X-Amz-Date"), Sign: who.Sign}
	auth := r.Header.Get("Authorization")
	if _, after, ok := strings.Cut(auth, "Signature="); ok {
		s.Seed, _, _ = strings.Cut(strings.TrimSpace(after), ",")
	}
	if _, after, ok := strings.Cut(auth, "Credential="); ok {
		cred, _, _ := strings.Cut(after, ",")
		_, s.Scope, _ = strings.Cut(strings.TrimSpace(cred), "/")
	}
	return s
}
