package vtl

import (
	"errors"
	"slices"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

var errBounds = errors.New("IndexOutOfBoundsException")

func plain(items []any) *jsonpath.Array { return &jsonpath.Array{Plain: true, Items: items} }

// mapMethod is java.util.Map. Keys are text: 1 and "1" are one key.
func (x *exec) mapMethod(o *jsonpath.Object, name string, args []any) (any, bool, error) {
	if len(args) == 0 {
		switch name {
		case "size":
			return int64(o.Len()), true, nil
		case "isEmpty":
			return o.Len() == 0, true, nil
		case "keySet":
			keys := make([]any, o.Len())
			for i, k := range o.Keys() {
				keys[i] = k
			}
			return plain(keys), true, x.grow(16 * len(keys))
		case "values":
			return plain(elements(o)), true, x.grow(16 * o.Len())
		case "entrySet":
			entries := make([]any, o.Len())
			for i, k := range o.Keys() {
				entries[i] = &entry{o, k}
			}
			return plain(entries), true, x.grow(48 * len(entries))
		case "clear":
			o.Clear()
			return nil, true, nil
		}
		return nil, false, nil
	}
	if name == "putAll" && len(args) == 1 {
		from, ok := args[0].(*jsonpath.Object)
		if !ok {
			return nil, false, nil
		}
		if err := x.grow(64 * from.Len()); err != nil {
			return nil, true, err
		}
		for i := range from.Len() {
			o.Set(from.At(i))
		}
		return nil, true, nil
	}
	key := ""
	if args[0] != nil {
		k, err := x.toString(args[0])
		if err != nil {
			return nil, true, err
		}
		key = k
	}
	switch len(args) {
	case 1:
		switch name {
		case "get":
			v, _ := o.Get(key)
			return v, true, nil
		case "containsKey":
			_, ok := o.Get(key)
			return ok, true, nil
		case "containsValue":
			i, err := x.indexOf(elements(o), args[0])
			return i >= 0, true, err
		case "remove":
			if err := x.count(1 + o.Len()/32); err != nil {
				return nil, true, err
			}
			return o.Delete(key), true, nil
		}
	case 2:
		if err := x.grow(64 + len(key)); err != nil {
			return nil, true, err
		}
		before, ok := o.Get(key)
		switch name {
		case "put":
			return o.Set(key, args[1]), true, nil
		case "putIfAbsent":
			if !ok {
				o.Set(key, args[1])
			}
			return before, true, nil
		case "getOrDefault":
			if !ok {
				return args[1], true, nil
			}
			return before, true, nil
		case "replace":
			if ok {
				o.Set(key, args[1])
			}
			return before, true, nil
		}
	}
	return nil, false, nil
}

func (x *exec) indexOf(items []any, v any) (int, error) {
	for i, item := range items {
		if err := x.step(); err != nil {
			return -1, err
		}
		if item == nil && v == nil {
			return i, nil
		}
		ok, err := x.identical(item, v)
		if ok || err != nil {
			return i, err
		}
	}
	return -1, nil
}

// listMethod is java.util.List.
func (x *exec) listMethod(a *jsonpath.Array, name string, args []any) (any, bool, error) {
	n := len(a.Items)
	switch len(args) {
	case 0:
		switch name {
		case "size":
			return int64(n), true, nil
		case "isEmpty":
			return n == 0, true, nil
		case "iterator", "listIterator":
			return &iterator{slices.Clone(a.Items)}, true, x.grow(16 * n)
		case "clear":
			a.Items = nil
			return nil, true, nil
		case "toArray", "stream":
			return plain(slices.Clone(a.Items)), true, x.grow(16 * n)
		}
	case 1:
		switch name {
		case "get":
			i, ok := args[0].(int64)
			if !ok {
				return nil, false, nil
			}
			if i < 0 || i >= int64(n) {
				return nil, true, errBounds
			}
			return a.Items[i], true, nil
		case "add":
			a.Items = append(a.Items, args[0])
			return true, true, x.grow(16)
		case "addAll":
			from := elements(args[0])
			if err := x.grow(16 * len(from)); err != nil {
				return nil, true, err
			}
			a.Items = append(a.Items, from...)
			return len(from) > 0, true, nil
		case "contains":
			i, err := x.indexOf(a.Items, args[0])
			return i >= 0, true, err
		case "containsAll":
			for _, v := range elements(args[0]) {
				if i, err := x.indexOf(a.Items, v); i < 0 || err != nil {
					return false, true, err
				}
			}
			return true, true, nil
		case "indexOf":
			i, err := x.indexOf(a.Items, args[0])
			return int64(i), true, err
		case "lastIndexOf":
			backwards := slices.Clone(a.Items)
			slices.Reverse(backwards)
			i, err := x.indexOf(backwards, args[0])
			if i >= 0 {
				i = n - 1 - i
			}
			return int64(i), true, err
		case "remove":
			if err := x.count(1 + n/32); err != nil {
				return nil, true, err
			}
			if i, ok := args[0].(int64); ok { // remove(int) comes before remove(Object)
				if i < 0 || i >= int64(n) {
					return nil, true, errBounds
				}
				v := a.Items[i]
				a.Items = slices.Delete(a.Items, int(i), int(i)+1)
				return v, true, nil
			}
			i, err := x.indexOf(a.Items, args[0])
			if i >= 0 && err == nil {
				a.Items = slices.Delete(a.Items, i, i+1)
			}
			return i >= 0, true, err
		}
	case 2:
		i, ok := args[0].(int64)
		if !ok {
			return nil, false, nil
		}
		switch name {
		case "set":
			if i < 0 || i >= int64(n) {
				return nil, true, errBounds
			}
			before := a.Items[i]
			a.Items[i] = args[1]
			return before, true, nil
		case "add":
			if i < 0 || i > int64(n) {
				return nil, true, errBounds
			}
			if err := x.count(1 + n/32); err != nil {
				return nil, true, err
			}
			a.Items = slices.Insert(a.Items, int(i), args[1])
			return nil, true, x.grow(16)
		case "subList":
			to, ok := args[1].(int64)
			if !ok {
				return nil, false, nil
			}
			if i < 0 || to > int64(n) || i > to {
				return nil, true, errBounds
			}
			return &jsonpath.Array{Plain: a.Plain, Items: slices.Clone(a.Items[i:to])}, true, x.grow(16 * int(to-i))
		}
	}
	return nil, false, nil
}
