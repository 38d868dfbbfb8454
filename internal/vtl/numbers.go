package vtl

import (
	"fmt"
	"math"
	"strconv"

	"github.com/gatehouse-dev/gatehouse/internal/jsonpath"
)

// numberMethod is java.lang.Integer, Long, Double and Boolean, with their static methods, which templates
// call through any value of the class: #set($Integer = 0) $Integer.parseInt("5").
func numberMethod(v any, name string, args []any) (any, bool, error) {
	switch len(args) {
	case 0:
		switch name {
		case "intValue", "longValue", "shortValue":
			if !isNumber(v) {
				return nil, false, nil
			}
			f := toFloat(v)
			if n, ok := v.(int64); ok {
				if name == "intValue" {
					n = int64(int32(n))
				}
				return n, true, nil
			}
			if f != f {
				return int64(0), true, nil
			}
			low, high := int64(math.MinInt64), int64(math.MaxInt64)
			if name != "longValue" {
				low, high = math.MinInt32, math.MaxInt32
			}
			switch { // Java narrows a double to the nearest that fits
			case f >= float64(high):
				return high, true, nil
			case f <= float64(low):
				return low, true, nil
			}
			return int64(f), true, nil
		case "doubleValue", "floatValue":
			if isNumber(v) {
				return toFloat(v), true, nil
			}
		case "booleanValue":
			if b, ok := v.(bool); ok {
				return b, true, nil
			}
		case "hashCode":
			if n, ok := v.(int64); ok {
				return int64(int32(n ^ n>>32)), true, nil
			}
		case "isNaN":
			f, ok := v.(float64)
			return f != f, ok, nil
		}
	case 1:
		switch name {
		case "parseInt", "parseLong", "valueOf", "parseDouble", "parseFloat", "parseBoolean", "toHexString", "toBinaryString":
			return static(v, name, args[0])
		case "compareTo":
			n, ok := compareNumbers(v, args[0])
			return int64(n), ok, nil
		}
	case 2:
		a, ok := args[0].(int64)
		b, ok2 := args[1].(int64)
		if _, isInt := v.(int64); !isInt || !ok || !ok2 {
			return nil, false, nil
		}
		switch name {
		case "max":
			return max(a, b), true, nil
		case "min":
			return min(a, b), true, nil
		case "sum":
			s, err := arithmetic('+', a, b)
			return s, true, err
		case "compare":
			n, _ := compareNumbers(a, b)
			return int64(n), true, nil
		}
	}
	return nil, false, nil
}

func static(class any, name string, arg any) (any, bool, error) {
	if n, ok := arg.(int64); ok {
		switch name {
		case "toHexString":
			return strconv.FormatUint(uint64(uint32(n)), 16), true, nil
		case "toBinaryString":
			return strconv.FormatUint(uint64(uint32(n)), 2), true, nil
		case "valueOf":
			if _, ok := class.(float64); ok {
				return float64(n), true, nil
			}
			return n, true, nil
		}
		return nil, false, nil
	}
	if f, ok := arg.(float64); ok && name == "valueOf" {
		return f, true, nil
	}
	s, ok := arg.(string)
	if !ok {
		return nil, false, nil
	}
	fail := fmt.Errorf("NumberFormatException: For input string: %.100q", s)
	if name == "valueOf" {
		switch class.(type) {
		case float64:
			name = "parseDouble"
		case bool:
			name = "parseBoolean"
		default:
			name = "parseLong"
		}
	}
	switch name {
	case "parseInt", "parseLong":
		bits := 64
		if name == "parseInt" {
			bits = 32
		}
		if n, err := strconv.ParseInt(s, 10, bits); err == nil {
			return n, true, nil
		}
		return nil, true, fail
	case "parseDouble", "parseFloat":
		v, err := jsonpath.Decode([]byte(s))
		if err == nil && isNumber(v) {
			return toFloat(v), true, nil
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && len(s) < 400 {
			return f, true, nil
		}
		return nil, true, fail
	case "parseBoolean":
		return len(s) == 4 && (s == "true" || s == "TRUE" || s == "True"), true, nil
	}
	return nil, false, nil
}
