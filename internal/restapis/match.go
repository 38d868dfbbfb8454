package restapis

import "strings"

// node is a place in the tree of resources: the resource that is here, and where the next segment leads.
type node struct {
	static   map[string]*node
	variable *node
	here     *Resource
	greedy   *Resource // {name+} after here
}

func (n *node) add(r *Resource) {
	for _, s := range r.Segments {
		switch {
		case strings.HasSuffix(s, "+}"):
			n.greedy = r
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
	n.here = r
}

// find matches the rest of a path, segment by segment: static before variable before greedy, and the deeper
// before the less deep. more tells whether there is a rest: an empty one is a segment, which no resource has, so that
// /pets// is not another name of /pets, by which policies do not know it.
func (n *node) find(rest string, more bool) *Resource {
	if !more {
		return n.here
	}
	if rest == "" {
		return nil
	}
	segment, next, more := strings.Cut(rest, "/")
	if c := n.static[segment]; c != nil {
		if r := c.find(next, more); r != nil {
			return r
		}
	}
	if n.variable != nil && segment != "" {
		if r := n.variable.find(next, more); r != nil {
			return r
		}
	}
	return n.greedy
}

// Match finds the resource and the method for a request. path is decoded, begins with a slash, and has no stage;
// a slash at its end does not count. resource is nil if no resource with methods has the path; method is nil if the
// resource has neither the method nor ANY: the resource is chosen first, so a {proxy+} does not take over the
// methods that a more specific resource lacks. AWS answers both with MISSING_AUTHENTICATION_TOKEN. It allocates nothing.
func (s *Snapshot) Match(method, path string) (resource *Resource, m *Method) {
	if path == "" || path[0] != '/' {
		return nil, nil
	}
	r := s.root.find(strings.TrimSuffix(path[1:], "/"), len(path) > 1)
	if r == nil {
		return nil, nil
	}
	return r, r.Get(method)
}

// Misses returns up to n paths that nearly matched, for an explanation: those that begin with the same segment.
func (s *Snapshot) Misses(path string, n int) []string {
	first := func(p string) string {
		p, _, _ = strings.Cut(strings.TrimPrefix(p, "/"), "/")
		return p
	}
	var near []string
	for _, r := range s.Resources {
		if len(near) == n {
			break
		}
		if first(path) == first(r.Path) {
			near = append(near, r.Path)
		}
	}
	return near
}
