package vtl

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// entry is a java.util.Map.Entry: it sees what its map holds.
type entry struct {
	of  *jsonpath.Object
	key string
}

func (e *entry) value() any {
	v, _ := e.of.Get(e.key)
	return v
}

// iterator is a java.util.Iterator.
type iterator struct{ items []any }

// truth is Velocity 1.7's: only null and false are false.
func truth(v any) bool {
	b, ok := v.(bool)
	return v != nil && (!ok || b)
}

func scalar(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return jsonpath.FormatFloat(v)
	case jsonpath.Number:
		return string(v)
	case fmt.Stringer:
		return v.String()
	}
	return ""
}

// maxNested is how deep a value may nest to be printed; a list can be made to hold itself.
const maxNested = jsonpath.MaxDepth

// javaText prints maps as {a=b} and lists as [a, b]; arrays of a document, with all that is in them, as
// JSON. It reports false when left is spent or the value nests too deeply.
func javaText(b *strings.Builder, v any, depth int, left *int) bool {
	*left -= 32 // so that many small values end as soon as few large ones
	if depth > maxNested || b.Len() > *left {
		return false
	}
	switch v := v.(type) {
	case *jsonpath.Object:
		b.WriteByte('{')
		for i := range v.Len() {
			if i > 0 {
				b.WriteString(", ")
			}
			k, item := v.At(i)
			b.WriteString(k)
			b.WriteByte('=')
			if !javaText(b, item, depth+1, left) {
				return false
			}
		}
		b.WriteByte('}')
	case *jsonpath.Array:
		if !v.Plain {
			if !small(v, depth, left) {
				return false
			}
			b.Write(jsonpath.Append(nil, v))
			return true
		}
		b.WriteByte('[')
		for i, item := range v.Items {
			if i > 0 {
				b.WriteString(", ")
			}
			if !javaText(b, item, depth+1, left) {
				return false
			}
		}
		b.WriteByte(']')
	case *entry:
		b.WriteString(v.key)
		b.WriteByte('=')
		return javaText(b, v.value(), depth+1, left)
	default:
		b.WriteString(scalar(v))
	}
	return true
}

// small spends left on the size of a value's text, and reports whether there was enough.
func small(v any, depth int, left *int) bool {
	if depth > maxNested || *left < 0 {
		return false
	}
	*left -= 32
	switch v := v.(type) {
	case *jsonpath.Object:
		for i := range v.Len() {
			k, item := v.At(i)
			*left -= len(k)
			if !small(item, depth+1, left) {
				return false
			}
		}
	case *jsonpath.Array:
		for _, item := range v.Items {
			if !small(item, depth+1, left) {
				return false
			}
		}
	case string:
		*left -= len(v)
	}
	return *left >= 0
}

// same is Velocity's ==: numbers by value, one type by equals, others by their text.
func (x *exec) same(a, b any) (bool, error) {
	if a == nil || b == nil {
		return a == nil && b == nil, nil
	}
	if n, ok := compareNumbers(a, b); ok {
		return n == 0, nil
	}
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return a == b, nil
		}
	case bool:
		if b, ok := b.(bool); ok {
			return a == b, nil
		}
	case *jsonpath.Object:
		if _, ok := b.(*jsonpath.Object); ok {
			return x.deepEqual(a, b)
		}
	case *jsonpath.Array:
		if _, ok := b.(*jsonpath.Array); ok {
			return x.deepEqual(a, b)
		}
	}
	s, err := x.toString(a)
	if err != nil {
		return false, err
	}
	t, err := x.toString(b)
	return s == t, err
}

// identical is Java's equals: no conversions.
func (x *exec) identical(a, b any) (bool, error) {
	switch a.(type) {
	case *jsonpath.Object, *jsonpath.Array:
		return x.deepEqual(a, b)
	case string, bool, int64, float64, jsonpath.Number:
		return a == b, nil
	}
	return false, nil
}

func (x *exec) deepEqual(a, b any) (bool, error) {
	left := x.limits.Memory - x.memory
	if !small(a, 0, &left) {
		return false, ErrMemory
	}
	if err := x.count(1 + (x.limits.Memory-x.memory-left)/64); err != nil {
		return false, err
	}
	return jsonpath.Equal(a, b), nil
}

func isNumber(v any) bool {
	switch v.(type) {
	case int64, float64, jsonpath.Number:
		return true
	}
	return false
}

func toFloat(v any) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	case jsonpath.Number:
		f, _ := strconv.ParseFloat(string(v), 64)
		return f
	}
	return 0
}

func toBig(v any) (*big.Int, bool) {
	switch v := v.(type) {
	case int64:
		return big.NewInt(v), true
	case jsonpath.Number:
		return new(big.Int).SetString(string(v), 10)
	}
	return nil, false
}

func compareNumbers(a, b any) (int, bool) {
	if x, ok := a.(int64); ok {
		if y, ok := b.(int64); ok {
			switch {
			case x < y:
				return -1, true
			case x > y:
				return 1, true
			}
			return 0, true
		}
	}
	if !isNumber(a) || !isNumber(b) {
		return 0, false
	}
	if x, ok := toBig(a); ok {
		if y, ok := toBig(b); ok {
			return x.Cmp(y), true
		}
	}
	switch x, y := toFloat(a), toFloat(b); {
	case x < y:
		return -1, true
	case x > y:
		return 1, true
	}
	return 0, true
}

// maxBits bounds integers, which grow as in Java when they leave 64 bits.
const maxBits = 4096

// arithmetic is - * / % and + of numbers. Anything that is no number, and division by zero, makes null.
func arithmetic(op byte, a, b any) (any, error) {
	if !isNumber(a) || !isNumber(b) {
		return nil, nil
	}
	x, ok := toBig(a)
	y, ok2 := toBig(b)
	if !ok || !ok2 {
		f, g := toFloat(a), toFloat(b)
		switch op {
		case '+':
			return f + g, nil
		case '-':
			return f - g, nil
		case '*':
			return f * g, nil
		}
		if g == 0 {
			return nil, nil
		}
		if op == '/' {
			return f / g, nil
		}
		return nil, nil // Velocity takes the modulus of integers only
	}
	i, ok := a.(int64)
	j, ok2 := b.(int64)
	if ok && ok2 {
		switch op {
		case '+':
			if s := i + j; (s > i) == (j > 0) {
				return s, nil
			}
		case '-':
			if d := i - j; (d < i) == (j > 0) {
				return d, nil
			}
		case '*':
			if i == 0 || j == 0 {
				return int64(0), nil
			}
			if p := i * j; p/j == i && !(i == -1 && j == -1<<63) && !(j == -1 && i == -1<<63) {
				return p, nil
			}
		case '/', '%':
			if j == 0 {
				return nil, nil
			}
			if op == '/' && !(i == -1<<63 && j == -1) {
				return i / j, nil
			}
			if op == '%' {
				return i % j, nil
			}
		}
	}
	z := new(big.Int)
	switch op {
	case '+':
		z.Add(x, y)
	case '-':
		z.Sub(x, y)
	case '*':
		z.Mul(x, y)
	default:
		if y.Sign() == 0 {
			return nil, nil
		}
		if op == '/' {
			z.Quo(x, y)
		} else {
			z.Rem(x, y)
		}
	}
	if z.IsInt64() {
		return z.Int64(), nil
	}
	if z.BitLen() > maxBits {
		return nil, ErrMemory
	}
	return jsonpath.Number(z.String()), nil
}
