package restapis

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// A field is one place of a T that can be patched. Each kind of thing has a table of them, which is also what the
// refusals list.
//
// https://docs.aws.amazon.com/apigateway/latest/api/patch-operations.html
type field[T any] struct {
	path string // "/variables/{name}": {name} stands for one segment, {name+} and {name|other+} for one or more
	ops  string // "add replace"
	set  func(v *T, p patch) error
}

// patch is one operation whose path has been found in the table.
type patch struct {
	op    string // "add", "remove", "replace", "copy"
	path  string // as it was sent
	args  []string
	value string
	from  string
}

func (p patch) removes() bool { return p.op == v1.OpRemove }

// text is the value for a member, nil for none: it was removed or is empty.
func (p patch) text() *string {
	if p.removes() {
		return nil
	}
	return opt(p.value)
}

func (p patch) invalid(want string) error {
	return bad("Invalid patch value '%s' specified for op '%s' on path '%s'. %s", p.value, p.op, p.path, want)
}

func (p patch) boolean() (*bool, error) {
	switch strings.ToLower(p.value) {
	case "true":
		return shape.Ptr(true), nil
	case "false":
		return shape.Ptr(false), nil
	}
	return nil, p.invalid("Must be one of: [true, false]")
}

func (p patch) integer() (*int64, error) {
	n, err := strconv.ParseInt(p.value, 10, 32)
	if err != nil {
		return nil, p.invalid("Must be an integer")
	}
	return &n, nil
}

func (p patch) number() (*float64, error) {
	n, err := strconv.ParseFloat(p.value, 64)
	if err != nil || n != n || n > 1e15 || n < -1e15 {
		return nil, p.invalid("Must be a number")
	}
	return &n, nil
}

func (p patch) enum(values ...string) (*string, error) {
	if !slices.Contains(values, p.value) {
		return nil, p.invalid("Must be one of: [" + strings.Join(values, ", ") + "]")
	}
	return &p.value, nil
}

// The usual setters.

func setText[T any](at func(*T) **string) func(*T, patch) error {
	return func(v *T, p patch) error {
		*at(v) = p.text()
		return nil
	}
}

// setName is setText for what must not be empty.
func setName[T any](at func(*T) **string) func(*T, patch) error {
	return func(v *T, p patch) error {
		if strings.TrimSpace(p.value) == "" {
			return p.invalid("Must not be empty")
		}
		*at(v) = &p.value
		return nil
	}
}

func setBool[T any](at func(*T) **bool) func(*T, patch) error {
	return func(v *T, p patch) (err error) {
		b, err := p.boolean()
		if err == nil {
			*at(v) = b
		}
		return err
	}
}

func setInt[T any](at func(*T) **int64) func(*T, patch) error {
	return func(v *T, p patch) error {
		if p.removes() {
			*at(v) = nil
			return nil
		}
		n, err := p.integer()
		if err == nil {
			*at(v) = n
		}
		return err
	}
}

func setNumber[T any](at func(*T) **float64) func(*T, patch) error {
	return func(v *T, p patch) error {
		if p.removes() {
			*at(v) = nil
			return nil
		}
		n, err := p.number()
		if err == nil {
			*at(v) = n
		}
		return err
	}
}

func setEnum[T any](at func(*T) **string, values ...string) func(*T, patch) error {
	return func(v *T, p patch) error {
		s, err := p.enum(values...)
		if err == nil {
			*at(v) = s
		}
		return err
	}
}

// setKey patches a map's entry whose key is the path's last segment.
func setKey[T any](at func(*T) *map[string]string) func(*T, patch) error {
	return func(v *T, p patch) error {
		return editKey(at(v), p, p.value)
	}
}

func setBoolKey[T any](at func(*T) *map[string]bool) func(*T, patch) error {
	return func(v *T, p patch) error {
		b := new(bool)
		if !p.removes() && p.value != "" {
			var err error
			if b, err = p.boolean(); err != nil {
				return err
			}
		}
		return editKey(at(v), p, *b)
	}
}

func editKey[E any](m *map[string]E, p patch, value E) error {
	key := strings.Join(p.args, "/")
	if p.removes() {
		if _, ok := (*m)[key]; !ok {
			return v1.NotFoundException("Invalid parameter name specified")
		}
		delete(*m, key)
		return nil
	}
	if *m == nil {
		*m = map[string]E{}
	}
	(*m)[key] = value
	return nil
}

// setElement patches a list: add and remove name the element by the value or by the path, replace puts another in
// the place of the one that the path names.
func setElement[T any](at func(*T) *[]string) func(*T, patch) error {
	return func(v *T, p patch) error {
		list := at(v)
		name := strings.Join(p.args, "/")
		if name == "" {
			name = p.value
		}
		i := slices.Index(*list, name)
		switch p.op {
		case v1.OpAdd:
			if i < 0 && name != "" {
				*list = append(*list, name)
			}
		case v1.OpRemove:
			if i < 0 {
				return v1.NotFoundException("Invalid patch path '%s': there is no such element", p.path)
			}
			*list = slices.Delete(*list, i, i+1)
		case v1.OpReplace:
			if len(p.args) == 0 { // the whole list
				*list = nil
				for e := range strings.SplitSeq(p.value, ",") {
					if e = strings.TrimSpace(e); e != "" {
						*list = append(*list, e)
					}
				}
				return nil
			}
			if i < 0 {
				return v1.NotFoundException("Invalid patch path '%s': there is no such element", p.path)
			}
			(*list)[i] = p.value
		}
		return nil
	}
}

var unescape = strings.NewReplacer("~1", "/", "~0", "~")

var placeholder = regexp.MustCompile(`\{[^/]+\}`)

// shownPlaceholder writes a placeholder as AWS does: <name>, <resourcePath>/<httpMethod>.
func shownPlaceholder(p string) string {
	return "<" + strings.ReplaceAll(strings.Trim(p, "{+}"), "|", ">/<") + ">"
}

// maxPatches bounds the operations of one call.
const maxPatches = 1000

// apply applies operations in their order. Nothing is stored if one of them fails.
func apply[T any](table []field[T], v *T, ops []v1.PatchOperation) error {
	if len(ops) > maxPatches {
		return bad("Too many patch operations: at most %d are allowed", maxPatches)
	}
	for _, o := range ops {
		p := patch{op: shape.Val(o.Op), path: shape.Val(o.Path), value: shape.Val(o.Value), from: shape.Val(o.From)}
		switch p.op {
		case v1.OpAdd, v1.OpRemove, v1.OpReplace, v1.OpCopy, v1.OpMove, v1.OpTest:
		case "":
			return bad("Invalid patch operation specified. Must be one of: [add, copy, move, remove, replace, test]")
		default:
			return bad("Invalid patch operation '%s' specified. Must be one of: [add, copy, move, remove, replace, test]", p.op)
		}
		f := lookup(table, &p)
		if f == nil {
			var may []string
			for _, f := range table {
				if slices.Contains(strings.Fields(f.ops), p.op) {
					may = append(may, placeholder.ReplaceAllStringFunc(f.path, shownPlaceholder))
				}
			}
			if len(may) == 0 {
				return bad("Invalid patch path  '%s' specified for op '%s'. Please choose supported operations", p.path, p.op)
			}
			slices.Sort(may)
			return bad("Invalid patch path  '%s' specified for op '%s'. Must be one of: [%s]", p.path, p.op, strings.Join(may, ", "))
		}
		if (p.op == v1.OpAdd || p.op == v1.OpReplace) && o.Value == nil && len(p.args) == 0 {
			p.value = ""
		}
		if err := f.set(v, p); err != nil {
			return err
		}
	}
	return nil
}

// lookup finds the field of an operation, and fills in its arguments.
func lookup[T any](table []field[T], p *patch) *field[T] {
	path, ok := strings.CutPrefix(p.path, "/")
	if !ok {
		return nil
	}
	segments := strings.Split(path, "/")
	for i := range table {
		if !slices.Contains(strings.Fields(table[i].ops), p.op) {
			continue
		}
		if args, ok := matchPath(strings.Split(table[i].path[1:], "/"), segments); ok {
			p.args = args
			return &table[i]
		}
	}
	return nil
}

// matchPath matches segments with a pattern that has at most one {name+}.
func matchPath(pattern, segments []string) (args []string, ok bool) {
	for i, w := range pattern {
		switch {
		case strings.HasSuffix(w, "+}"):
			n := len(segments) - i - (len(pattern) - i - 1) // segments that it takes
			if n < 1 {
				return nil, false
			}
			var parts []string
			for _, s := range segments[i : i+n] {
				parts = append(parts, unescape.Replace(s))
			}
			rest, ok := matchPath(pattern[i+1:], segments[i+n:])
			return append(append(args, strings.Join(parts, "/")), rest...), ok
		case i >= len(segments):
			return nil, false
		case w[0] == '{':
			if segments[i] == "" {
				return nil, false
			}
			args = append(args, unescape.Replace(segments[i]))
		case w != segments[i]:
			return nil, false
		}
	}
	return args, len(pattern) == len(segments)
}
