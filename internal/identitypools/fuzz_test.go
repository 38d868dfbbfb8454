package identitypools

import "testing"

// FuzzParseID: what is taken for an id is one, and comes back as it was.
func FuzzParseID(f *testing.F) {
	f.Add("us-east-1:00000000-0000-4000-8000-000000000000")
	f.Add("us-east-1:")
	f.Fuzz(func(t *testing.T, s string) {
		region, u, ok := parseID(s)
		if ok && region+":"+u.String() != s {
			t.Errorf("%q became %s:%s", s, region, u)
		}
	})
}

// FuzzClaimedIssuer: nothing that comes for a token does harm.
func FuzzClaimedIssuer(f *testing.F) {
	f.Add("e30.eyJpc3MiOiJ4In0.x")
	f.Add("..")
	f.Fuzz(func(_ *testing.T, s string) { claimedIssuer(s) })
}
