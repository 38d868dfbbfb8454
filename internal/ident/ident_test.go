package ident

import (
	"regexp"
	"strings"
	"testing"
)

func TestForms(t *testing.T) {
	for _, c := range []struct {
		name, pattern string
		make          func() string
	}{
		// The patterns are those of the AWS API models, narrowed to what AWS really hands out.
		{"UserPoolID", `^eu-west-1_[0-9a-zA-Z]{9}$`, func() string { return UserPoolID("eu-west-1") }},
		{"ClientID", `^[0-9a-z]{26}$`, ClientID},
		{"ClientSecret", `^[0-9a-z]{51}$`, ClientSecret},
		{"APIID", `^[a-z][0-9a-z]{9}$`, APIID},
		{"ShortID", `^[0-9a-z]{7}$`, ShortID},
		{"AuthorizerID", `^[0-9a-z]{6}$`, AuthorizerID},
		{"UUID", `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`, UUID},
		{"RequestID", `^[0-9a-f-]{36}$`, RequestID},
		{"Code", `^[0-9]{6}$`, func() string { return Code(6) }},
		{"AccessKeyID", `^ASIA[A-Z2-7]{16}$`, func() string { return AccessKeyID("ASIA") }},
		{"UniqueID", `^AROA[A-Z2-7]{17}$`, func() string { return UniqueID("AROA") }},
		{"SecretKey", `^[A-Za-z0-9+/]{40}$`, SecretKey},
	} {
		re := regexp.MustCompile(c.pattern)
		seen := map[string]bool{}
		for range 200 {
			s := c.make()
			if !re.MatchString(s) {
				t.Fatalf("%s: %q does not match %s", c.name, s, re)
			}
			seen[s] = true
		}
		if len(seen) < 195 {
			t.Errorf("%s: only %d different values in 200", c.name, len(seen))
		}
	}
}

// A chi-squared test over digits: 10 does not divide 256, so a modulo would show as bias.
func TestRandomIsUniform(t *testing.T) {
	const n = 200_000
	s := Random(Digits, n)
	var chi float64
	for _, d := range Digits {
		diff := float64(strings.Count(s, string(d))) - n/10
		chi += diff * diff / (n / 10)
	}
	if chi > 40 { // nine degrees of freedom: exceeded once in 100,000 runs
		t.Errorf("chi-squared of digits is %.1f", chi)
	}
}

func TestRandomRefusesBadAlphabet(t *testing.T) {
	for _, a := range []string{"", "a", strings.Repeat("x", 257)} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("alphabet of %d accepted", len(a))
				}
			}()
			Random(a, 1)
		}()
	}
}
