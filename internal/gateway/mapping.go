package gateway

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// Parameter mapping of HTTP APIs: what an integration gets of a request, and a client of an answer, may differ
// from what was sent. All values are taken from what was sent, before anything is changed.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html

// maxSelected is how much of a body a JSON path is applied to.
const maxSelected = 100 << 10

// values is where the values of mappings come from.
type values struct {
	x      *httpExchange
	header http.Header
	body   []byte
	doc    any // body, decoded
	bad    bool
}

// of returns a mapping's value; ok is false if it has none.
func (v *values) of(m *httpapis.Mapping) (string, bool) {
	var b strings.Builder
	for i := range m.Value {
		p := &m.Value[i]
		s, ok := v.part(p)
		if !ok && m.Whole() {
			return "", false
		}
		b.WriteString(s)
	}
	return b.String(), true
}

func (v *values) part(p *httpapis.Part) (string, bool) {
	switch p.Source {
	case "":
		return p.Text, true
	case "header":
		list := v.header[p.Name]
		return strings.Join(list, ","), len(list) > 0
	case "querystring":
		for _, q := range parameters(v.x.r.URL.RawQuery) {
			if q.name == p.Name {
				return strings.Join(q.values, ","), true
			}
		}
	case "path":
		return v.x.path, true
	case "pathparameter":
		found, value := false, ""
		v.x.route.PathParameters(v.x.path, func(name, s string) {
			if name == p.Name {
				found, value = true, s
			}
		})
		return value, found
	case "context":
		text := v.x.contextValue(p.Name)
		return text, text != ""
	case "body":
		return v.selected(p.Path)
	}
	return "", false
}

// selected returns what a path selects of the body: text as it is, anything else as JSON.
func (v *values) selected(path *jsonpath.Path) (string, bool) {
	if path == nil {
		return string(v.body), len(v.body) > 0
	}
	if v.doc == nil && !v.bad {
		var err error
		v.doc, err = jsonpath.Decode(v.body[:min(len(v.body), maxSelected)])
		v.bad = err != nil
	}
	if v.bad {
		return "", false
	}
	switch got, err := path.Get(v.doc); got := got.(type) {
	case nil:
		return "", false
	case string:
		return got, err == nil
	default:
		return string(jsonpath.Append(nil, got)), err == nil
	}
}

// mapHeader changes a header. A value that a client chose must not make further headers.
func mapHeader(h http.Header, m *httpapis.Mapping, value string) {
	value = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f {
			return ' '
		}
		return r
	}, value)
	switch m.Action {
	case "append":
		h[m.Name] = append(h[m.Name][:len(h[m.Name]):len(h[m.Name])], value)
	case "overwrite":
		h[m.Name] = []string{value}
	default:
		delete(h, m.Name)
	}
}

// sent is what mapRequest puts aside.
type sent struct {
	r    *http.Request
	full string
}

// mapRequest makes x.r and x.full what the integration is to get, and returns what they were, for unmap. path
// is the path that a mapping sets, "" for none. It fails if the body is needed and cannot be read.
func (x *httpExchange) mapRequest() (was sent, path string, err error) {
	was = sent{x.r, x.full}
	list := x.route.Integration.Request
	if len(list) == 0 {
		return was, "", nil
	}
	from := values{x: x, header: x.r.Header}
	if httpapis.NeedsBody(list) {
		if from.body, err = x.ReadBody(); err != nil {
			return was, "", err
		}
	}
	r, u := *x.r, *x.r.URL
	r.URL, r.Header = &u, maps.Clone(x.r.Header)
	var query []parameter
	touched := false
	for i := range list {
		m := &list[i]
		value, ok := from.of(m)
		if !ok && m.Action != "remove" {
			continue
		}
		switch m.Place {
		case "path":
			if path = value; path == "" || path[0] != '/' {
				path = "/" + path
			}
		case "querystring":
			if !touched {
				query, touched = parameters(u.RawQuery), true
			}
			query = mapQuery(query, m, value)
		case "header":
			if m.Name == "Host" {
				if m.Action == "overwrite" && validHost(value) {
					r.Host = value
				}
				continue
			}
			mapHeader(r.Header, m, value)
		}
	}
	if touched {
		u.RawQuery = encodeQuery(query)
	}
	if path != "" {
		x.full = path
	}
	x.r = &r
	x.trace.Pass("parameter mapping", strconv.Itoa(len(list))+" of the request")
	return was, path, nil
}

// unmap undoes mapRequest, for the answer is to the request as it was sent.
func (x *httpExchange) unmap(was sent) { x.r, x.full = was.r, was.full }

func mapQuery(list []parameter, m *httpapis.Mapping, value string) []parameter {
	for i := range list {
		if list[i].name != m.Name {
			continue
		}
		switch m.Action {
		case "append":
			list[i].values = append(list[i].values, value)
		case "overwrite":
			list[i].values = []string{value}
		default:
			return append(list[:i], list[i+1:]...)
		}
		return list
	}
	if m.Action == "remove" {
		return list
	}
	return append(list, parameter{m.Name, []string{value}})
}

func encodeQuery(list []parameter) string {
	var b strings.Builder
	for _, p := range list {
		for _, v := range p.values {
			if b.Len() > 0 {
				b.WriteByte('&')
			}
			b.WriteString(url.QueryEscape(p.name))
			b.WriteByte('=')
			b.WriteString(url.QueryEscape(v))
		}
	}
	return b.String()
}

func validHost(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`/\?#@"<>`, r) })
}

// mapAnswer changes the headers and the status of an integration's answer, and returns the status.
func (x *httpExchange) mapAnswer(status int, h http.Header, body []byte) int {
	list := x.answerMappings(status)
	if len(list) == 0 {
		return status
	}
	from := values{x: x, header: h.Clone(), body: body}
	out := status
	for i := range list {
		m := &list[i]
		value, ok := from.of(m)
		switch {
		case !ok && m.Action != "remove":
		case m.Place == "statuscode":
			if n, err := strconv.Atoi(value); err == nil && n >= 200 && n <= 599 {
				out = n
			} else {
				x.trace.Fail("parameter mapping", "overwrite:statuscode is no status", value, "200 to 599")
			}
		default:
			mapHeader(h, m, value)
		}
	}
	x.trace.Pass("parameter mapping", strconv.Itoa(len(list))+" of the answer")
	return out
}

func (x *httpExchange) answerMappings(status int) []httpapis.Mapping {
	if x.route.Integration.Response == nil {
		return nil
	}
	return x.route.Integration.Response[itoa(status)]
}

// peek reads as much of a body as mappings look at, and returns that and the whole.
func peek(body io.ReadCloser) ([]byte, io.ReadCloser, error) {
	head, err := io.ReadAll(io.LimitReader(body, maxSelected))
	if err != nil && !errors.Is(err, io.EOF) {
		return head, body, err
	}
	return head, struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), body), body}, nil
}
