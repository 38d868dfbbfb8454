// Package proto holds what the protocols of the AWS APIs share: a request and a response between the
// HTTP server and a codec, and the text form of scalars, which the Query, XML and REST protocols use
// in parameters, elements, headers and labels.
//
// A codec is a pure translation. It sees an operation's tables and a [Request], never a service, a
// socket or a caller; what it refuses it refuses with a *shape.Error that names the place.
package proto

import (
	"io"
	"net/http"
	"net/url"
	"reflect"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Request is an HTTP request as a codec sees it: matched to an operation and bounded in size.
type Request struct {
	Header http.Header
	Query  url.Values // of the URL, nil if it has none
	Labels []Label    // of the path, unescaped
	Form   *Params    // of a Query request

	// ContentLength counts the bytes of the payload itself, -1 if unknown.
	ContentLength int64

	// The body: Stream for an operation whose payload is streamed, else Body.
	Body   []byte
	Stream io.ReadCloser
}

// Label is one variable part of a path.
type Label struct{ Name, Value string }

// Label returns the value of a label.
func (r *Request) Label(name string) (string, bool) {
	for i := range r.Labels {
		if r.Labels[i].Name == name {
			return r.Labels[i].Value, true
		}
	}
	return "", false
}

// Response is what a codec makes of an output or an error.
type Response struct {
	Status int
	Header http.Header // filled in by the codec, made by the server
	Body   []byte
	Stream io.ReadCloser // instead of Body; the server closes it
}

// SetHeader sets a header whose name is in canonical form already.
func (w *Response) SetHeader(name, value string) { w.Header[name] = []string{value} }

// PayloadMember returns the index of the member that is the whole body of a message, or -1.
func PayloadMember(sh *shape.Shape) int {
	for i := range sh.Members {
		if sh.Members[i].Location == shape.Payload {
			return i
		}
	}
	return -1
}

// Streams tells whether the body of a message of shape sh is a stream that is not read into memory.
func Streams(m *shape.Model, sh *shape.Shape) bool {
	i := PayloadMember(sh)
	return i >= 0 && m.At(sh.Members[i].Shape).Streaming
}

// HasBody tells whether a message of shape sh has members that travel together in the body.
func HasBody(sh *shape.Shape) bool {
	for i := range sh.Members {
		if sh.Members[i].Location == shape.Body {
			return true
		}
	}
	return false
}

// Struct returns the structure that v, a pointer to a generated type, points to. ok is false for a
// nil pointer.
func Struct(v any) (s reflect.Value, ok bool) {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return reflect.Value{}, false
	}
	return p.Elem(), true
}

// NoteAbsent corrects what a body's decoder noted about the required scalars of v, a structure of
// shape sh, for those members that do not travel in the body: seen tells which of them the request
// had. See [shape.MarkAbsent].
func NoteAbsent(m *shape.Model, sh *shape.Shape, v reflect.Value, seen shape.Absent) {
	n := len(sh.Members)
	if v.NumField() == n {
		return
	}
	gone := shape.Absent(v.Field(n).Uint())
	for i := range min(n, 64) {
		mem := &sh.Members[i]
		if mem.Location == shape.Body || !mem.Required || m.At(mem.Shape).Kind > shape.Timestamp {
			continue
		}
		gone |= 1 << i
		if seen&(1<<i) != 0 {
			gone &^= 1 << i
		}
	}
	v.Field(n).SetUint(uint64(gone))
}

// Reader returns the stream in v, a field for a streamed payload, or nil.
func Reader(v reflect.Value) io.ReadCloser {
	r, _ := v.Interface().(io.ReadCloser)
	return r
}
