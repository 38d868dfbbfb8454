package store

import (
	"database/sql"
	"fmt"
	"reflect"
)

// assign stores v, a column's value as an engine returns it, in dest, a pointer.
func assign(dest, v any) error {
	switch d := dest.(type) {
	case *string:
		switch v := v.(type) {
		case string:
			*d = v
			return nil
		case []byte:
			*d = string(v)
			return nil
		}
	case *[]byte:
		switch v := v.(type) {
		case []byte:
			*d = v
			return nil
		case string:
			*d = []byte(v)
			return nil
		case nil:
			*d = nil
			return nil
		}
	case *int64:
		if v, ok := v.(int64); ok {
			*d = v
			return nil
		}
	case *int:
		if v, ok := v.(int64); ok && int64(int(v)) == v {
			*d = int(v)
			return nil
		}
	case *bool:
		switch v := v.(type) {
		case bool:
			*d = v
			return nil
		case int64: // SQLite has no other booleans
			if v == 0 || v == 1 {
				*d = v == 1
				return nil
			}
		}
	case *any:
		*d = v
		return nil
	case sql.Scanner:
		return d.Scan(v)
	case nil:
		return fmt.Errorf("scan into nil")
	}
	return assignReflect(dest, v)
}

// assignReflect handles pointers to pointers and named types.
func assignReflect(dest, v any) error {
	pv := reflect.ValueOf(dest)
	if pv.Kind() != reflect.Pointer || pv.IsNil() {
		return fmt.Errorf("scan into a %T", dest)
	}
	dv := pv.Elem()
	if dv.Kind() == reflect.Pointer {
		if v == nil {
			dv.SetZero()
			return nil
		}
		n := reflect.New(dv.Type().Elem())
		if err := assign(n.Interface(), v); err != nil {
			return err
		}
		dv.Set(n)
		return nil
	}
	switch v := v.(type) {
	case nil:
		return fmt.Errorf("NULL scanned into a %s", dv.Type())
	case int64:
		switch {
		case dv.CanInt() && !dv.OverflowInt(v):
			dv.SetInt(v)
			return nil
		case dv.CanUint() && v >= 0 && !dv.OverflowUint(uint64(v)):
			dv.SetUint(uint64(v))
			return nil
		case dv.CanFloat():
			dv.SetFloat(float64(v))
			return nil
		case dv.Kind() == reflect.Bool && (v == 0 || v == 1):
			dv.SetBool(v == 1)
			return nil
		}
		return fmt.Errorf("%d scanned into a %s", v, dv.Type())
	case float64:
		if dv.CanFloat() && !dv.OverflowFloat(v) {
			dv.SetFloat(v)
			return nil
		}
	case bool:
		if dv.Kind() == reflect.Bool {
			dv.SetBool(v)
			return nil
		}
	case string:
		switch {
		case dv.Kind() == reflect.String:
			dv.SetString(v)
			return nil
		case dv.Kind() == reflect.Slice && dv.Type().Elem().Kind() == reflect.Uint8:
			dv.SetBytes([]byte(v))
			return nil
		}
	case []byte:
		switch {
		case dv.Kind() == reflect.String:
			dv.SetString(string(v))
			return nil
		case dv.Kind() == reflect.Slice && dv.Type().Elem().Kind() == reflect.Uint8:
			dv.SetBytes(v)
			return nil
		}
	}
	return fmt.Errorf("a %T scanned into a %s", v, dv.Type())
}
