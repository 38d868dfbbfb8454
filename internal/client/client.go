// Package client is the command line's side of the wire: signed calls to a Gatehouse server, in the
// protocols of the few operations that the commands need. It talks as any AWS client does; there is
// no private way in.
package client

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// maxAnswer bounds an answer that is read into memory.
const maxAnswer = 64 << 20

// Client calls one server. Its zero HTTP is a client without a time-out: a call ends with its context.
type Client struct {
	Profile
	HTTP *http.Client
}

// Error is an error that the server answered.
type Error struct {
	Status    int
	Code      string // "ValidationError"
	Message   string
	RequestID string
}

func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("the server answered %d: %s", e.Status, e.Message)
	}
	return e.Code + ": " + e.Message
}

// Request is one call before it is signed.
type Request struct {
	Service string // that signs: "lambda"
	Method  string
	Path    string // with its query
	Header  http.Header
	Body    []byte
}

// Do signs and sends a request and returns its answer, whose body the caller closes. An answer of 400
// and above is returned as an *Error.
func (c *Client) Do(ctx context.Context, q Request) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, q.Method, strings.TrimSuffix(c.Endpoint, "/")+q.Path, bytes.NewReader(q.Body))
	if err != nil {
		return nil, err
	}
	for k, v := range q.Header {
		r.Header[k] = v
	}
	sum := sha256.Sum256(q.Body)
	hash := hex.EncodeToString(sum[:])
	if q.Service == "s3" {
		r.Header.Set("X-Amz-Content-Sha256", hash)
	}
	sigv4.Sign(r, hash, c.AccessKey, c.Secret.Reveal(), "", q.Service, c.Region, time.Now())
	h := c.HTTP
	if h == nil {
		h = http.DefaultClient
	}
	resp, err := h.Do(r)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode >= 400 {
		defer resp.Body.Close()
		return nil, readError(resp)
	}
	return resp, nil
}

// readError understands the error forms of all protocols.
func readError(resp *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	e := &Error{Status: resp.StatusCode, RequestID: resp.Header.Get("X-Amzn-Requestid")}
	e.Code, _, _ = strings.Cut(resp.Header.Get("X-Amzn-Errortype"), ":")
	var j struct {
		Type         string `json:"__type"`
		Message      string `json:"message"`
		MessageUpper string `json:"Message"`
	}
	var x struct {
		Code    string `xml:"Code"`
		Message string `xml:"Message"`
		Error   struct {
			Code    string `xml:"Code"`
			Message string `xml:"Message"`
		} `xml:"Error"`
		RequestID string `xml:"RequestId"`
	}
	switch {
	case json.Unmarshal(data, &j) == nil:
		if e.Code == "" {
			e.Code = j.Type[strings.LastIndexByte(j.Type, '#')+1:]
		}
		if e.Message = j.Message; e.Message == "" {
			e.Message = j.MessageUpper
		}
	case xml.Unmarshal(data, &x) == nil:
		e.Code, e.Message = x.Code+x.Error.Code, x.Message+x.Error.Message
		if x.RequestID != "" {
			e.RequestID = x.RequestID
		}
	default:
		e.Message = strings.TrimSpace(string(data))
	}
	if e.Message == "" {
		e.Message = http.StatusText(resp.StatusCode)
	}
	return e
}

// Query calls an operation of a Query service and decodes the result element into out, which may be
// nil.
func (c *Client) Query(ctx context.Context, service, version, action string, params url.Values, out any) error {
	form := url.Values{"Action": {action}, "Version": {version}}
	for k, v := range params {
		form[k] = v
	}
	resp, err := c.Do(ctx, Request{Service: service, Method: "POST", Path: "/",
		Header: http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}, Body: []byte(form.Encode())})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	dec := xml.NewDecoder(io.LimitReader(resp.Body, maxAnswer))
	for {
		tok, err := dec.Token()
		if err != nil {
			return fmt.Errorf("%s: answer has no %sResult: %w", action, action, err)
		}
		if start, ok := tok.(xml.StartElement); ok && start.Name.Local == action+"Result" {
			return dec.DecodeElement(out, &start)
		}
	}
}

// JSON sends in as JSON to a REST path and decodes the JSON answer into out; both may be nil.
func (c *Client) JSON(ctx context.Context, service, method, path string, in, out any) error {
	var body []byte
	h := http.Header{}
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
		h.Set("Content-Type", "application/json")
	}
	resp, err := c.Do(ctx, Request{Service: service, Method: method, Path: path, Header: h, Body: body})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	return json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out)
}

// Live tells whether a server answers at the profile's endpoint.
func (c *Client) Live(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", strings.TrimSuffix(c.Endpoint, "/")+"/_gatehouse/health", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return resp.StatusCode == 200
}
