package openapi

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	want := map[string]any{}
	for _, text := range []string{`{"a":1.0,"200":{"b":[true,null,"x"]}}`, "a: 1.0\n200: {b: [true, null, x]}\n", "base: &b {b: [true, ~, x]}\na: 1.0\n200: {<<: *b}\n"} {
		doc, err := Parse([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if delete(doc, "base"); len(want) == 0 {
			want = doc
		}
		if d := cmp.Diff(want, doc); d != "" {
			t.Errorf("%s: %s", text, d)
		}
	}
	for _, text := range []string{``, `[]`, `x`, `{"a":1}}`, "? [a]\n: b", "a: &a {b: *a}", strings.Repeat("{\"a\":", 500) + "1" + strings.Repeat("}", 500), strings.Repeat(" ", MaxSize+1)} {
		if _, err := Parse([]byte(text)); err == nil {
			t.Errorf("%.40q was taken", text)
		}
	}
}

func TestRead(t *testing.T) {
	d, err := Read([]byte(`{"openapi":"3.0.3","a":["arn:${AWS::Partition}:x:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}${stageVariables.a}"]}`), Variables("123456789012", "eu-west-1"))
	if err != nil || !d.Three || d.Root["a"].([]any)[0] != "arn:aws:x:eu-west-1:123456789012:${AWS::StackName}${stageVariables.a}" {
		t.Errorf("%+v, %v", d, err)
	}
	for text, want := range map[string]string{`{"openapi":"3.1.0"}`: "3.1.0", `{"swagger":"1.2"}`: "1.2", `{}`: ""} {
		_, err := Read([]byte(text), nil)
		var v *Version
		if !errors.As(err, &v) || v.Text != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestBasePath(t *testing.T) {
	for _, c := range []struct{ doc, ignore, prepend, split string }{
		{`{"swagger":"2.0","basePath":"/a/b/c"}`, "", "/a/b/c", "/b/c"},
		{`{"swagger":"2.0","basePath":"/a"}`, "", "/a", ""},
		{`{"swagger":"2.0","basePath":"/"}`, "", "", ""},
		{`{"openapi":"3.0.1"}`, "", "", ""},
		{`{"openapi":"3.0.1","servers":[{"url":"https://h/{basePath}/x","variables":{"basePath":{"default":"/a"}}},{"url":"/no"}]}`, "", "/a/x", "/x"},
		{`{"openapi":"3.0.1","servers":[{"url":"://"}]}`, "", "", ""},
	} {
		d, err := Read([]byte(c.doc), nil)
		if err != nil {
			t.Fatal(err)
		}
		for mode, want := range map[string]string{"": c.ignore, "ignore": c.ignore, "prepend": c.prepend, "Split": c.split} {
			if got, err := d.BasePath(mode); got != want || err != nil {
				t.Errorf("%s, %s: %q, %v, want %q", c.doc, mode, got, err, want)
			}
		}
		if _, err := d.BasePath("append"); err == nil {
			t.Error("append was taken")
		}
	}
}

func TestResolve(t *testing.T) {
	d, err := Read([]byte(`{"openapi":"3.0.1","paths":{"/a~b":{"x":"found"},"r":{"$ref":"#/paths/~1a~0b"},"loop":{"$ref":"#/paths/loop"},"far":{"$ref":"http://h/"},"none":{"$ref":"#/paths/r/x"}}}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	paths := Object(d.Root, "paths")
	if m, err := d.Resolve(Object(paths, "r")); err != nil || Text(m, "x") != "found" {
		t.Errorf("%v, %v", m, err)
	}
	for name, want := range map[string]string{"loop": "circle", "far": "not supported", "none": "cannot be resolved"} {
		if m, err := d.Resolve(Object(paths, name)); m != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, %v", name, m, err)
		}
	}
	if m, err := d.Resolve(nil); m != nil || err != nil {
		t.Errorf("nothing is %v, %v", m, err)
	}
}

func TestProblems(t *testing.T) {
	var p Problems
	if p.Refusal(true) != "" {
		t.Error("nothing is refused")
	}
	for range 1000 {
		p.Warn("w%d", 1)
	}
	if len(p.Warnings) != maxProblems || p.Refusal(false) != "" || !strings.HasPrefix(p.Refusal(true), "Warnings found during import:\n\tw1\n\tw1") {
		t.Errorf("%d warnings: %.60s", len(p.Warnings), p.Refusal(true))
	}
	if p.Fail("e"); p.Refusal(true) != "Errors found during import:\n\te" {
		t.Error(p.Refusal(true))
	}
}

func TestFromProperties(t *testing.T) {
	open := func(_ context.Context, bucket, key, version string) (io.ReadCloser, int64, error) {
		text := bucket + "/" + key + "/" + version
		if key == "large" {
			return io.NopCloser(strings.NewReader(text)), MaxSize + 1, nil
		}
		return io.NopCloser(strings.NewReader(text)), int64(len(text)), nil
	}
	at := func(key string) map[string]any { return map[string]any{"Bucket": "b", "Key": key, "Version": "1"} }
	for _, c := range []struct {
		props map[string]any
		want  string
	}{
		{nil, ""}, {map[string]any{"Body": "text"}, "text"}, {map[string]any{"Body": map[string]any{"a": "<b>"}}, `{"a":"<b>"}`},
		{map[string]any{"BodyS3Location": at("k")}, "b/k/1"}, {map[string]any{"Body": "text", "BodyS3Location": at("k")}, "text"},
	} {
		if got, err := FromProperties(t.Context(), c.props, open); string(got) != c.want || err != nil {
			t.Errorf("%v: %q, %v", c.props, got, err)
		}
	}
	if _, err := FromProperties(t.Context(), map[string]any{"BodyS3Location": at("large")}, open); err == nil {
		t.Error("a large document was taken")
	}
}

// FuzzMarshal: what is read and written is the same when it is read again.
func FuzzMarshal(f *testing.F) {
	f.Add("a: 1.0\n200: {b: [true, null, x, '1', \"yes\", 0x10, 1e3, .5]}\n")
	f.Add(`{"a":"\u2028<&>","b":[{}],"c":-0,"d":1e400,"e":"","f":" x\n","0":"~"}`)
	f.Fuzz(func(t *testing.T, text string) {
		begun := time.Now()
		doc, err := Parse([]byte(text))
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
		if err != nil {
			return
		}
		js, err := Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(js)
		if err != nil {
			t.Fatalf("%v: %s", err, js)
		}
		if d := cmp.Diff(doc, again); d != "" {
			t.Error(d)
		}
		ya, err := MarshalYAML(again)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = Parse(ya); err != nil {
			t.Fatalf("%v: %s", err, ya)
		}
	})
}
