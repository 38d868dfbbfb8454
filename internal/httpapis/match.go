package httpapis

import "strings"

// node is a place in the tree of routes: the routes that end here, and where the next segment leads.
type node struct {
	static   map[string]*node
	variable *node
	here     methodSet // routes whose path ends here
	greedy   methodSet // routes with a greedy variable after here
}

// methodSet holds the routes of one path by method.
type methodSet struct {
	any  *Route
	each map[string]*Route
}

func (m *methodSet) add(r *Route) {
	if r.Method == "ANY" {
		if m.any == nil {
			m.any = r
		}
		return
	}
	if m.each == nil {
		m.each = map[string]*Route{}
	}
	if m.each[r.Method] == nil {
		m.each[r.Method] = r
	}
}

func (m *methodSet) get(method string) *Route {
	if r := m.each[method]; r != nil {
		return r
	}
	return m.any
}

func (n *node) add(r *Route) {
	for _, s := range r.segments {
		switch {
		case strings.HasSuffix(s, "+}"):
			n.greedy.add(r)
			return
		case s[0] == '{':
			if n.variable == nil {
				n.variable = &node{}
			}
			n = n.variable
		default:
			next := n.static[s]
			if next == nil {
				if n.static == nil {
					n.static = map[string]*node{}
				}
				next = &node{}
				n.static[s] = next
			}
			n = next
		}
	}
	n.here.add(r)
}

// full finds the route that matches all of the rest of a path, segment by segment. more tells whether there
// is a rest: "/" and "/a" differ from "/a/" in that.
func (n *node) full(method, rest string, more bool) *Route {
	if !more {
		return n.here.get(method)
	}
	segment, next, again := strings.Cut(rest, "/")
	if c := n.static[segment]; c != nil {
		if r := c.full(method, next, again); r != nil {
			return r
		}
	}
	if n.variable != nil && segment != "" {
		return n.variable.full(method, next, again)
	}
	return nil
}

// open finds the route with a greedy variable that begins deepest in the path.
func (n *node) open(method, rest string) *Route {
	if segment, next, again := strings.Cut(rest, "/"); again {
		if c := n.static[segment]; c != nil {
			if r := c.open(method, next); r != nil {
				return r
			}
		}
		if n.variable != nil && segment != "" {
			if r := n.variable.open(method, next); r != nil {
				return r
			}
		}
	}
	return n.greedy.get(method)
}

// Match finds the route for a request, nil if there is none. path is decoded, and begins with a slash.
// It allocates nothing. Each place in the tree of routes is visited at most once.
func (s *Snapshot) Match(method, path string) *Route {
	if path == "" || path[0] != '/' {
		return s.fallback
	}
	if r := s.root.full(method, path[1:], path != "/"); r != nil {
		return r
	}
	if r := s.root.open(method, path[1:]); r != nil {
		return r
	}
	return s.fallback
}

// Misses returns up to n routes that nearly matched, for an explanation: those of the same path with
// another method, then those that begin with the same segment.
func (s *Snapshot) Misses(path string, n int) []string {
	var same, near []string
	first := func(p string) string {
		p, _, _ = strings.Cut(strings.TrimPrefix(p, "/"), "/")
		return p
	}
	for _, r := range s.Routes {
		switch {
		case len(same) == n:
		case r.Method != "" && s.Match(r.Method, path) == r:
			same = append(same, r.Key)
		case len(near) < n && r.Method != "" && first(path) == first(r.Path):
			near = append(near, r.Key)
		}
	}
	return append(same, near[:min(len(near), n-len(same))]...)
}

// PathParameters calls f with the name and the value of each path variable of r, in the path's order.
// path is one that r matches.
func (r *Route) PathParameters(path string, f func(name, value string)) {
	if !r.variables {
		return
	}
	rest := path[1:]
	for _, s := range r.segments {
		if strings.HasSuffix(s, "+}") {
			f(s[1:len(s)-2], rest)
			return
		}
		segment, next, _ := strings.Cut(rest, "/")
		if s[0] == '{' {
			f(s[1:len(s)-1], segment)
		}
		rest = next
	}
}

// HasVariables tells whether the route's path has variables.
func (r *Route) HasVariables() bool { return r.variables }
