package wire

import (
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
)

// router finds a REST service's operation by method, path and query. It is a tree of path segments,
// built once: the cost of a look-up grows with the path's length, not with the number of operations.
type router struct {
	root node
}

type node struct {
	literals map[string]*node
	label    *node
	methods  map[string][]*route // of templates that end here
	greedy   map[string][]*route // of templates whose last label takes the rest of the path
}

// route is one operation, with what decides between several at one method and path: S3 has a dozen
// operations that differ only in the query and the headers.
type route struct {
	op       *shape.Operation
	names    []string // of the labels, in order
	literals []literal
	id       string // what the x-id parameter says, which only some clients send
	query    []string
	headers  []string
}

type literal struct{ name, value string }

func newRouter(m *shape.Model) *router {
	rt := &router{}
	for i := range m.Operations {
		rt.add(m, &m.Operations[i])
	}
	rt.root.sort()
	return rt
}

func (rt *router) add(m *shape.Model, op *shape.Operation) {
	path, query, _ := strings.Cut(op.Path, "?")
	r := &route{op: op, id: op.Name}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		switch name {
		case "", "x-id":
		default:
			r.literals = append(r.literals, literal{name, value})
		}
	}
	in := m.At(op.Input)
	for i := range in.Members {
		mem := &in.Members[i]
		switch {
		case mem.Location == shape.URI && !strings.Contains(path, "{"+mem.Wire+"}") && !strings.Contains(path, "{"+mem.Wire+"+}"):
			// A label that its template does not hold: S3's newer models leave the bucket to the host
			// name. Here it always leads the path.
			path = "/{" + mem.Wire + "}" + path
		case mem.Location == shape.Query && mem.Required:
			r.query = append(r.query, mem.Wire)
		case mem.Location == shape.Header && mem.Required:
			r.headers = append(r.headers, textproto.CanonicalMIMEHeaderKey(mem.Wire))
		}
	}
	n := &rt.root
	for seg := range strings.SplitSeq(strings.Trim(path, "/"), "/") {
		switch {
		case seg == "":
		case strings.HasSuffix(seg, "+}"):
			r.names = append(r.names, seg[1:len(seg)-2])
			put(&n.greedy, op.Method, r)
			return
		case seg[0] == '{':
			r.names = append(r.names, seg[1:len(seg)-1])
			if n.label == nil {
				n.label = &node{}
			}
			n = n.label
		default:
			if n.literals == nil {
				n.literals = map[string]*node{}
			}
			if n.literals[seg] == nil {
				n.literals[seg] = &node{}
			}
			n = n.literals[seg]
		}
	}
	put(&n.methods, op.Method, r)
}

func put(table *map[string][]*route, method string, r *route) {
	if *table == nil {
		*table = map[string][]*route{}
	}
	(*table)[method] = append((*table)[method], r)
}

// sort brings the more particular routes before the more general.
func (n *node) sort() {
	for _, table := range []map[string][]*route{n.methods, n.greedy} {
		for _, routes := range table {
			slices.SortStableFunc(routes, func(a, b *route) int {
				if c := len(b.literals) - len(a.literals); c != 0 {
					return c
				}
				if c := b.demands() - a.demands(); c != 0 {
					return c
				}
				return strings.Compare(a.op.Name, b.op.Name)
			})
		}
	}
	for _, kid := range n.literals {
		kid.sort()
	}
	if n.label != nil {
		n.label.sort()
	}
}

func (r *route) demands() int { return len(r.query) + len(r.headers) }

// maxLabels is more than any template has.
const maxLabels = 12

// match finds the operation for a request. path is escaped, as the client sent it, so that an escaped
// slash belongs to its segment. known tells whether the path exists, with whatever method.
func (rt *router) match(method, path string, query url.Values, header http.Header) (op *shape.Operation, labels []proto.Label, known bool) {
	var values [maxLabels]string
	r, known := rt.root.find(method, strings.TrimPrefix(path, "/"), values[:0], query, header)
	if r == nil {
		return nil, nil, known
	}
	if len(r.names) > 0 {
		labels = make([]proto.Label, len(r.names))
		for i, name := range r.names {
			text, err := url.PathUnescape(values[i])
			if err != nil {
				return nil, nil, true
			}
			labels[i] = proto.Label{Name: name, Value: text}
		}
	}
	return r.op, labels, true
}

// find goes down the tree; values shares its array with the caller's, and holds the labels so far.
func (n *node) find(method, path string, values []string, query url.Values, header http.Header) (r *route, known bool) {
	if path == "" {
		r = choose(n.methods[method], query, header)
		return r, len(n.methods) > 0
	}
	seg, rest, _ := strings.Cut(path, "/")
	if kid := n.literals[seg]; kid != nil {
		if r, k := kid.find(method, rest, values, query, header); r != nil {
			return r, true
		} else if k {
			known = true
		}
	}
	if n.label != nil && seg != "" && len(values) < maxLabels {
		if r, k := n.label.find(method, rest, append(values, seg), query, header); r != nil {
			return r, true
		} else if k {
			known = true
		}
	}
	if len(n.greedy) > 0 && len(values) < maxLabels {
		if r := choose(n.greedy[method], query, header); r != nil {
			_ = append(values, path)
			return r, true
		}
		known = true
	}
	return nil, known
}

// choose picks a route among those of one method and path: first of all those whose query literals
// are there; among equals the one that x-id names, else the one whose required parameters and headers
// are there, else the one that wants the fewest.
func choose(routes []*route, query url.Values, header http.Header) *route {
	if len(routes) == 1 && len(routes[0].literals) == 0 {
		return routes[0]
	}
	var id string
	if v := query["x-id"]; len(v) > 0 {
		id = v[0]
	}
	var best, fallback *route
	for _, r := range routes {
		if !r.literally(query) {
			continue
		}
		if fallback != nil && len(r.literals) < len(fallback.literals) {
			break
		}
		if id != "" && r.id == id {
			return r
		}
		if best == nil && r.satisfied(query, header) {
			best = r
		}
		if fallback == nil || r.demands() < fallback.demands() {
			fallback = r
		}
	}
	if best != nil {
		return best
	}
	return fallback
}

func (r *route) literally(query url.Values) bool {
	for _, l := range r.literals {
		v, ok := query[l.name]
		if !ok || l.value != "" && (len(v) == 0 || v[0] != l.value) {
			return false
		}
	}
	return true
}

func (r *route) satisfied(query url.Values, header http.Header) bool {
	for _, name := range r.query {
		if _, ok := query[name]; !ok {
			return false
		}
	}
	for _, name := range r.headers {
		if _, ok := header[name]; !ok {
			return false
		}
	}
	return true
}
