package token

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestWycheproof runs the JOSE cases of C2SP/wycheproof, which are read from ../shared where that folder
// stands beside the checkout. Their payloads are no claims, so it is the signature that is tested.
func TestWycheproof(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "vectors", "jws-vectors.json"))
	if err != nil {
		t.Logf("ran 0 of Wycheproof's cases: %v", err)
		return
	}
	var cases []struct {
		File, Comment, Result string
		ID                    int
		JWS, JWE, Key         json.RawMessage
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	ran := map[string]int{}
	for _, c := range cases {
		var raw string
		if json.Unmarshal(c.JWS, &raw) != nil || raw == "" {
			if json.Unmarshal(c.JWE, &raw) != nil || raw == "" {
				raw = string(c.JWS) + string(c.JWE) // the JSON serialisation
			}
		}
		set := c.Key
		if !strings.Contains(string(set), `"keys"`) {
			set = json.RawMessage(`{"keys":[` + string(c.Key) + `]}`)
		}
		keys, err := NewKeySet(set)
		if err != nil {
			t.Fatalf("%s %d: %v", c.File, c.ID, err)
		}
		accepted := func(keys *KeySet) (bool, error) {
			p, err := parse(raw)
			if err != nil {
				return false, err
			}
			_, err = p.verify(t.Context(), keys)
			return err == nil, err
		}
		ok, err := accepted(keys)
		var e *Error
		if !ok && !errors.As(err, &e) {
			t.Errorf("%s %d: error %T", c.File, c.ID, err)
		}

		want := c.Result == "valid"
		kind := "asymmetric"
		switch {
		case strings.Contains(string(c.Key), `"oct"`) || string(c.JWE) != "null":
			kind, want = "symmetric or encrypted, refused", false
		case c.File == "json_web_signature_test.json" && slices.Contains([]int{346, 347, 350, 351}, c.ID):
			// RFC 7520's figures 20 and 27, whose keys Wycheproof has labelled with another algorithm (PS256)
			// or with none that exists (ES521). Such keys are refused; with the right label they do.
			kind, want = "mislabelled key, refused", false
			fixed := strings.NewReplacer(`"PS256"`, `"PS384"`, `"ES521"`, `"ES512"`).Replace(string(set))
			keys, err := NewKeySet([]byte(fixed))
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := accepted(keys); !ok {
				t.Errorf("%s %d with the right label: %v", c.File, c.ID, err)
			}
		}
		ran[kind]++
		if ok != want {
			t.Errorf("%s %d %s: accepted %t, want %t: %v", c.File, c.ID, c.Comment, ok, want, err)
		}
	}
	t.Logf("ran %d of Wycheproof's cases: %v", len(cases), ran)
}
