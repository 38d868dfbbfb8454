package httpapis

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Properties of a template become the API's form; an update takes away what they no longer say.
func TestMappedProperties(t *testing.T) {
	pair := func(to, from string) map[string]any { return map[string]any{"Destination": to, "Source": from} }
	answers := func(pairs ...any) map[string]any { return map[string]any{"ResponseParameters": pairs} }
	old := map[string]any{
		"RequestParameters":  map[string]any{"append:header.a": "1", "append:header.b": "2"},
		"ResponseParameters": map[string]any{"200": answers(pair("append:header.a", "1"), pair("append:header.b", "2")), "500": answers(pair("overwrite:statuscode", "502"))},
	}
	now := map[string]any{
		"Description":        "d",
		"RequestParameters":  map[string]any{"append:header.b": "3"},
		"ResponseParameters": map[string]any{"200": answers(pair("append:header.b", "3"))},
	}
	if diff := cmp.Diff(map[string]any{
		"Description":       "d",
		"RequestParameters": map[string]any{"append:header.a": "", "append:header.b": "3"},
		"ResponseParameters": map[string]any{
			"200": map[string]any{"append:header.a": "", "append:header.b": "3"},
			"500": map[string]any{"overwrite:statuscode": ""},
		},
	}, mapped(now, old)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"Description": "d"}, mapped(map[string]any{"Description": "d"}, nil)); diff != "" {
		t.Error(diff)
	}
}

func FuzzMapping(f *testing.F) {
	for _, s := range []string{"$request.header.a", "${request.path.x} ${context.y}", "$request.body.a[0].b", "$", "${}", "$response.body", "${stageVariables.v}"} {
		f.Add("overwrite:header.a", s)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		for _, of := range []string{"request", "response"} {
			list, err := parseMappings(of, map[string]string{key: value}, map[string]string{"v": "x"})
			if err == nil && (len(list) != 1 || list[0].Action != "remove" && len(list[0].Value) == 0) {
				t.Fatalf("%s: %q is read as %+v", key, value, list)
			}
		}
	})
}
