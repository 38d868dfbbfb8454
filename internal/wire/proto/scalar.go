package proto

import (
	"encoding/base64"
	"errors"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Formats of timestamps, as in [shape.Shape.TimeFormat].
const (
	EpochSeconds = "epoch-seconds"
	DateTime     = "date-time" // ISO 8601, as in RFC 3339
	HTTPDate     = "http-date" // RFC 9110, section 5.6.7
)

// ErrScalar is what [SetScalar] returns for a text that is not of the wanted kind.
var ErrScalar = errors.New("not a value of the kind")

// SetScalar parses text as the scalar sh and stores it in dst, a field or element of the Go type of
// sh, optional (a pointer) or not. Of the time formats it takes all, whichever the model names, for
// clients of several generations disagree. It returns [ErrScalar] for a text of another kind.
func SetScalar(sh *shape.Shape, dst reflect.Value, text string) error {
	if dst.Kind() == reflect.Pointer {
		p := reflect.New(dst.Type().Elem())
		if err := SetScalar(sh, p.Elem(), text); err != nil {
			return err
		}
		dst.Set(p)
		return nil
	}
	switch sh.Kind {
	case shape.String:
		dst.SetString(text)
	case shape.Boolean:
		switch {
		case strings.EqualFold(text, "true"):
			dst.SetBool(true)
		case strings.EqualFold(text, "false"):
			dst.SetBool(false)
		default:
			return ErrScalar
		}
	case shape.Integer, shape.Long:
		bits := 64
		if sh.Kind == shape.Integer {
			bits = 32
		}
		n, err := strconv.ParseInt(text, 10, bits)
		if err != nil {
			return ErrScalar
		}
		dst.SetInt(n)
	case shape.Float, shape.Double:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return ErrScalar
		}
		dst.SetFloat(f)
	case shape.Timestamp:
		t, ok := shape.ParseTime(text)
		if !ok {
			return ErrScalar
		}
		dst.Set(reflect.ValueOf(t))
	case shape.Blob:
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return ErrScalar
		}
		if b == nil {
			b = []byte{}
		}
		dst.SetBytes(b)
	default:
		return ErrScalar
	}
	return nil
}

// AppendScalar appends the text of v, a value of the scalar sh, to b. Times are written in the
// shape's format, or in def where it names none.
func AppendScalar(b []byte, sh *shape.Shape, v reflect.Value, def string) []byte {
	switch sh.Kind {
	case shape.String:
		return append(b, v.String()...)
	case shape.Boolean:
		return strconv.AppendBool(b, v.Bool())
	case shape.Integer, shape.Long:
		return strconv.AppendInt(b, v.Int(), 10)
	case shape.Float, shape.Double:
		return strconv.AppendFloat(b, v.Float(), 'g', -1, 64)
	case shape.Timestamp:
		if sh.TimeFormat != "" {
			def = sh.TimeFormat
		}
		return append(b, shape.FormatTime(def, v.Interface().(time.Time))...)
	case shape.Blob:
		return base64.StdEncoding.AppendEncode(b, v.Bytes())
	}
	return b
}
