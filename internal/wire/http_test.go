package wire_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

type broken struct{ s3.Unimplemented }

func (broken) GetObject(context.Context, *s3.GetObjectRequest) (*s3.GetObjectOutput, error) {
	return &s3.GetObjectOutput{Body: io.NopCloser(io.MultiReader(strings.NewReader("some"), iotest.ErrReader(errors.New("disk")))), ContentLength: shape.Ptr(int64(9))}, nil
}

func (broken) HeadObject(context.Context, *s3.HeadObjectRequest) (*s3.HeadObjectOutput, error) {
	return nil, shape.Errorf("NotFound", 404, "Not Found")
}

// TestOverHTTP looks at what only a real connection shows.
func TestOverHTTP(t *testing.T) {
	type seen struct {
		status int
		err    error
	}
	observed := make(chan seen, 10)
	s := wire.NewServer(wire.Options{Services: []wire.Service{{Model: &s3.Model, Handler: broken{}}}, Auth: anyone{},
		Observe: func(_ context.Context, _ *wire.Call, code int, err error) { observed <- seen{code, err} }})
	srv := httptest.NewServer(s)
	defer srv.Close()
	send := func(method, path string, body io.Reader, signed bool) (*http.Response, string, error) {
		r, err := http.NewRequestWithContext(t.Context(), method, srv.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "s3.us-east-1.amazonaws.com"
		r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
		if signed {
			sign(r, "s3")
		} else {
			r.Header.Set("Expect", "100-continue")
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			return nil, "", err
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		return resp, string(b), err
	}

	// An output that breaks off is seen as cut, not as short.
	_, text, err := send("GET", "/b/k", nil, true)
	if err == nil {
		t.Errorf("broken output taken for %q", text)
	}
	if got := <-observed; got.status != 200 || got.err == nil || got.err.Error() != "disk" {
		t.Errorf("observed %+v", got)
	}

	resp, text, err := send("HEAD", "/b/k", nil, true)
	if err != nil || resp.StatusCode != 404 || text != "" || resp.Header.Get("x-amz-request-id") == "" {
		t.Errorf("HEAD: %v, %q, %v", resp, text, err)
	}

	// Whoever has no credentials is refused before a byte of the body is sent: the server never says
	// that it should go on.
	read := false
	body := readerFunc(func([]byte) (int, error) { read = true; return 0, io.EOF })
	resp, text, err = send("PUT", "/b/k", body, false)
	if err != nil || resp.StatusCode != 403 || !strings.Contains(text, "<Code>AccessDenied</Code>") || read {
		t.Errorf("no credentials: %v, %q, %v, body read: %v", resp, text, err, read)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }
