package proto

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// ErrorShape returns the structure of the modelled error with the given code, or nil.
func ErrorShape(m *shape.Model, code string) *shape.Shape {
	if e := m.Error(code); e != nil && e.Shape != 0 {
		return m.At(e.Shape)
	}
	return nil
}

// MessageName returns the wire name of an error's text, which is "message" or "Message" as its
// structure has it.
func MessageName(m *shape.Model, code string) string {
	if sh := ErrorShape(m, code); sh != nil {
		for i := range sh.Members {
			if strings.EqualFold(sh.Members[i].Wire, "message") {
				return sh.Members[i].Wire
			}
		}
	}
	return "message"
}

// HeaderSafe tells whether text can be the value of a header as it is.
func HeaderSafe(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' {
			return false
		}
	}
	return len(text) <= 2048
}

// AppendJSONString appends s as a JSON string, with <, > and & as they are.
func AppendJSONString(b []byte, s string) []byte { return appendJSON(b, s) }

func appendJSON(b []byte, v any) []byte {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if enc.Encode(v) != nil {
		return append(b, "null"...)
	}
	return append(b, bytes.TrimSuffix(buf.Bytes(), []byte("\n"))...)
}

// AppendJSONFields appends `,"name":value` for each field in the order of the names, except for those
// that skip holds.
func AppendJSONFields(b []byte, fields map[string]any, skip map[string]bool) []byte {
	if len(fields) == 0 {
		return b
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if skip[name] {
			continue
		}
		b = append(b, ',')
		b = AppendJSONString(b, name)
		b = append(b, ':')
		b = appendJSON(b, fields[name])
	}
	return b
}
