package proto

import (
	"net/url"
	"sort"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Bounds of a Query request, far above what any operation takes: they keep a hostile form from
// costing more memory than a small multiple of its own size.
const (
	MaxParams = 20000 // parameters in a request
	maxNodes  = 60000 // different parts of their names: "a.1.b" and "a.2.b" have five
	maxDepth  = 32    // dots in a name
)

// Params is the tree of a Query request's parameters: "Tags.member.1.Key=a" is the value of
// Tags → member → 1 → Key.
type Params struct {
	Value string
	Set   bool // a parameter ended here, perhaps with an empty value
	kids  map[string]*Params
}

// ParseForm reads one or more application/x-www-form-urlencoded texts (the URL's query, the body)
// into a tree. Of a parameter given twice the first counts. It refuses what is not well-formed and
// what exceeds the bounds, with MalformedQueryString.
func ParseForm(forms ...string) (*Params, error) {
	root := &Params{}
	count, nodes := 0, 0
	for _, form := range forms {
		for form != "" {
			var pair string
			pair, form, _ = strings.Cut(form, "&")
			if pair == "" {
				continue
			}
			if count++; count > MaxParams {
				return nil, malformedForm("The request has more than " + strconv.Itoa(MaxParams) + " parameters.")
			}
			key, value, _ := strings.Cut(pair, "=")
			key, err := url.QueryUnescape(key)
			if err != nil {
				return nil, malformedForm("The query string is malformed.")
			}
			value, err = url.QueryUnescape(value)
			if err != nil {
				return nil, malformedForm("The query string is malformed.")
			}
			if strings.Count(key, ".") > maxDepth {
				return nil, malformedForm("A parameter of the request is nested too deeply.")
			}
			if nodes += root.insert(key, value); nodes > maxNodes {
				return nil, malformedForm("The request has too many parameters.")
			}
		}
	}
	return root, nil
}

func malformedForm(msg string) error { return shape.Errorf("MalformedQueryString", 400, "%s", msg) }

// insert puts a parameter into the tree and returns how many nodes that took.
func (p *Params) insert(key, value string) (made int) {
	for more := true; more; {
		var part string
		part, key, more = strings.Cut(key, ".")
		kid := p.kids[part]
		if kid == nil {
			if p.kids == nil {
				p.kids = make(map[string]*Params, 1)
			}
			kid = &Params{}
			p.kids[part] = kid
			made++
		}
		p = kid
	}
	if !p.Set {
		p.Value, p.Set = value, true
	}
	return made
}

// Get returns the value of a parameter at the top, "" if it is absent.
func (p *Params) Get(name string) string {
	if kid := p.Kid(name); kid != nil {
		return kid.Value
	}
	return ""
}

// Kid returns the part of the tree below name, or nil. A nil tree has none.
func (p *Params) Kid(name string) *Params {
	if p == nil {
		return nil
	}
	return p.kids[name]
}

// Leaf tells whether nothing is below p.
func (p *Params) Leaf() bool { return len(p.kids) == 0 }

// Items returns what is below p in the order of the indexes, which count from 1; gaps are closed, as
// on AWS. ok is false if a name is not an index.
func (p *Params) Items() (items []*Params, ok bool) {
	if p == nil || len(p.kids) == 0 {
		return nil, true
	}
	type item struct {
		index int
		p     *Params
	}
	list := make([]item, 0, len(p.kids))
	for name, kid := range p.kids {
		n, err := strconv.ParseInt(name, 10, 32)
		if err != nil || n < 0 {
			return nil, false
		}
		list = append(list, item{int(n), kid})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].index < list[j].index })
	items = make([]*Params, len(list))
	for i := range list {
		items[i] = list[i].p
	}
	return items, true
}
