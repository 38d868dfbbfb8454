package proto

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func TestParseForm(t *testing.T) {
	p, err := ParseForm("Action=A", "Tags.member.2.Key=b&Tags.member.1.Key=a%26+c&Empty=&&Action=B")
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Get("Action"); got != "A" {
		t.Errorf("of two the first counts: %q", got)
	}
	if kid := p.Kid("Empty"); kid == nil || !kid.Set || !kid.Leaf() {
		t.Error("an empty parameter is there")
	}
	items, ok := p.Kid("Tags").Kid("member").Items()
	if !ok || len(items) != 2 || items[0].Get("Key") != "a& c" || items[1].Get("Key") != "b" {
		t.Errorf("items %v", items)
	}
	if p.Kid("None").Kid("deeper") != nil || p.Get("None") != "" {
		t.Error("what is absent is nil")
	}
}

// TestFormBounds gives forms that would cost much more than their size.
func TestFormBounds(t *testing.T) {
	var wide, deep strings.Builder
	for i := range 300000 {
		fmt.Fprintf(&wide, "%x&", i)
	}
	for i := range MaxParams {
		fmt.Fprintf(&deep, "%x%s&", i, strings.Repeat(".a", maxDepth))
	}
	for name, form := range map[string]string{"wide": wide.String(), "deep": deep.String(), "one deep": strings.Repeat("a.", 1<<20),
		"escape": "a=%g0", "escaped name": "%2=a"} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ParseForm(form)
		runtime.ReadMemStats(&after)
		var e *shape.Error
		if !errors.As(err, &e) || e.Code != "MalformedQueryString" {
			t.Errorf("%s: %v", name, err)
		}
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
			t.Errorf("%s: %d bytes allocated for %d", name, grown, len(form))
		}
	}
}

func TestSetScalar(t *testing.T) {
	at := time.Date(2026, 11, 21, 4, 54, 37, 0, time.UTC)
	tests := []struct {
		kind shape.Kind
		dst  any
		text string
		want any // nil: refused
	}{
		{shape.String, new(string), "a", "a"},
		{shape.String, new(*string), "", ""},
		{shape.Boolean, new(bool), "True", true},
		{shape.Boolean, new(*bool), "false", false},
		{shape.Boolean, new(bool), "1", nil},
		{shape.Integer, new(int64), "-5", int64(-5)},
		{shape.Integer, new(int64), "2147483648", nil},
		{shape.Integer, new(int64), "", nil},
		{shape.Integer, new(int64), "1.0", nil},
		{shape.Long, new(*int64), "9223372036854775807", int64(9223372036854775807)},
		{shape.Long, new(int64), "9223372036854775808", nil},
		{shape.Double, new(float64), "1e3", 1000.0},
		{shape.Double, new(float64), "x", nil},
		{shape.Timestamp, new(time.Time), "2026-11-21T04:54:37Z", at},
		{shape.Timestamp, new(*time.Time), "Sat, 21 Nov 2026 04:54:37 GMT", at},
		{shape.Timestamp, new(time.Time), "1795236877", at},
		{shape.Timestamp, new(time.Time), "yesterday", nil},
		{shape.Timestamp, new(time.Time), "1e300", nil},
		{shape.Blob, new([]byte), "aGk=", []byte("hi")},
		{shape.Blob, new([]byte), "aGk", nil},
	}
	for _, tt := range tests {
		v := reflect.ValueOf(tt.dst).Elem()
		err := SetScalar(&shape.Shape{Kind: tt.kind}, v, tt.text)
		if (err != nil) != (tt.want == nil) {
			t.Errorf("%v %q: %v", tt.kind, tt.text, err)
		}
		if err == nil && !reflect.DeepEqual(reflect.Indirect(v).Interface(), tt.want) {
			t.Errorf("%v %q: %v, want %v", tt.kind, tt.text, reflect.Indirect(v), tt.want)
		}
	}
}
