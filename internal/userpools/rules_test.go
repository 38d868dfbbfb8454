package userpools

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

func TestCheckPassword(t *testing.T) {
	all, err := passwordPolicy(nil)
	if err != nil {
		t.Fatal(err)
	}
	short := &cognitoidp.PasswordPolicyType{MinimumLength: shape.Ptr[int64](6)}
	for _, c := range []struct {
		policy   *cognitoidp.PasswordPolicyType
		password string
		want     string
	}{
		{all, "Passw0rd!", ""},
		{all, "Pass w0rd", ""},
		{all, "Päßw0rd!X", ""},
		{all, "Pa0!", "Password not long enough"},
		{all, "", "Password not long enough"},
		{all, "passw0rd!", "Password must have uppercase characters"},
		{all, "PASSW0RD!", "Password must have lowercase characters"},
		{all, "Password!", "Password must have numeric characters"},
		{all, "Passw0rdd", "Password must have symbol characters"},
		{all, " Passw0rd", "Password must have symbol characters"},
		{all, "Ñasswñrd1!", "Password must have uppercase characters"},
		{short, "aaaaaa", ""},
		{short, "ääääää", ""},
		{short, "aaaaa", "Password not long enough"},
	} {
		err := checkPassword(c.policy, c.password)
		if c.want == "" {
			if err != nil {
				t.Errorf("%q: %v", c.password, err)
			}
			continue
		}
		wantErr(t, err, "InvalidPasswordException: Password did not conform with policy: "+c.want)
	}
	for range 200 {
		if p := temporaryPassword(all); checkPassword(all, p) != nil {
			t.Fatalf("temporary password %q does not conform", p)
		}
	}
}

func TestParseFilter(t *testing.T) {
	const bad = "InvalidParameterException: Error while parsing filter."
	for _, c := range []struct {
		in   string
		want userFilter
		err  string
	}{
		{``, userFilter{}, ""},
		{`   `, userFilter{}, ""},
		{`email = "a@b.c"`, userFilter{"email", false, "a@b.c"}, ""},
		{`email="a@b.c"`, userFilter{"email", false, "a@b.c"}, ""},
		{`email ^= "a"`, userFilter{"email", true, "a"}, ""},
		{`email^="a" `, userFilter{"email", true, "a"}, ""},
		{`"phone_number" ^= "+1312"`, userFilter{"phone_number", true, "+1312"}, ""},
		{`family_name = "O\"Neill \\ Sons"`, userFilter{"family_name", false, `O"Neill \ Sons`}, ""},
		{`cognito:user_status = "CONFIRMED"`, userFilter{"cognito:user_status", false, "CONFIRMED"}, ""},
		{`name = ""`, userFilter{"name", false, ""}, ""},
		{`custom:foo = "x"`, userFilter{}, "InvalidParameterException: Invalid search attribute: custom:foo"},
		{`address = "x"`, userFilter{}, "InvalidParameterException: Invalid search attribute: address"},
		{`foo`, userFilter{}, bad},
		{`email`, userFilter{}, bad},
		{`email =`, userFilter{}, bad},
		{`email = a`, userFilter{}, bad},
		{`email = 'a'`, userFilter{}, bad},
		{`email = "a`, userFilter{}, bad},
		{`email = "a\`, userFilter{}, bad},
		{`email = "a" or name = "b"`, userFilter{}, bad},
		{`email ^ "a"`, userFilter{}, bad},
		{`= "a"`, userFilter{}, bad},
		{`"email = "a"`, userFilter{}, bad},
	} {
		got, err := parseFilter(c.in)
		if c.err != "" {
			wantErr(t, err, c.err)
		} else if err != nil || got != c.want {
			t.Errorf("%s: %+v, %v", c.in, got, err)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, s := range []string{`email = "a@b.c"`, `sub ^= "ab-"`, `name="\\\""`, `"status"="Enabled"`, `cognito:user_status ^= "c"`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := parseFilter(s)
		if err != nil {
			if got != (userFilter{}) {
				t.Errorf("%q: %+v beside an error", s, got)
			}
			return
		}
		if got.attribute == "" {
			if strings.TrimSpace(s) != "" {
				t.Errorf("%q selects everybody", s)
			}
			return
		}
		if !filterable[got.attribute] {
			t.Errorf("%q: attribute %q", s, got.attribute)
		}
		op := " = "
		if got.prefix {
			op = " ^= "
		}
		again, err := parseFilter(got.attribute + op + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(got.value) + `"`)
		if err != nil || again != got {
			t.Errorf("%q: %+v becomes %+v, %v", s, got, again, err)
		}
		if got.attribute == "sub" {
			lo, hi, ok := subRange(got)
			if ok && (len(lo) != 16 || len(hi) != 16 || bytes.Compare(lo, hi) > 0) {
				t.Errorf("%q: range %x %x", s, lo, hi)
			}
		}
	})
}

func TestPrefixEnd(t *testing.T) {
	for in, want := range map[string]string{"a": "b", "a\xff": "b", "ab": "ac"} {
		if got := string(prefixEnd([]byte(in))); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if prefixEnd([]byte("\xff")) != nil || prefixEnd(nil) != nil {
		t.Error("an end where there is none")
	}
}

func TestSubRange(t *testing.T) {
	for _, c := range []struct {
		prefix bool
		value  string
		ok     bool
		lo, hi string
	}{
		{true, "", true, "00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
		{true, "aB", true, "ab000000-0000-0000-0000-000000000000", "abffffff-ffff-ffff-ffff-ffffffffffff"},
		{true, "12345678-9", true, "12345678-9000-0000-0000-000000000000", "12345678-9fff-ffff-ffff-ffffffffffff"},
		{false, "12345678-1234-1234-1234-123456789abc", true, "12345678-1234-1234-1234-123456789abc", "12345678-1234-1234-1234-123456789abc"},
		{false, "12", false, "", ""},
		{true, "zz", false, "", ""},
		{true, "1234567-", false, "", ""},
	} {
		lo, hi, ok := subRange(userFilter{"sub", c.prefix, c.value})
		if ok != c.ok || ok && (userID(lo).String() != c.lo || userID(hi).String() != c.hi) {
			t.Errorf("%q: %x %x %v", c.value, lo, hi, ok)
		}
	}
}

func TestForms(t *testing.T) {
	for _, s := range []string{"a@b", "admin@example.com", "x.y+z@sub.example.co", "ü@müller.de", "o'neill@example.com"} {
		if !validEmail(s) {
			t.Errorf("%s is no address", s)
		}
	}
	for _, s := range []string{"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nBcc: x@y", "<a@b>", "a@.b", "a@b.", "a@b..c", ".a@b", "a,b@c"} {
		if validEmail(s) {
			t.Errorf("%q is an address", s)
		}
	}
	for s, want := range map[string]bool{"+14325551212": true, "14325551212": false, "+1 432": false, "+": false, "+0123456": false, "+1234567890123456": false} {
		if validPhone(s) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
	for s, want := range map[string]string{"admin@example.com": "a***@e***", "+14325551212": "+*******1212", "x": "***"} {
		if got := mask(s); got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
	id := newUserID()
	if got, ok := parseUserID(id.String()); !ok || got != id {
		t.Error("a sub does not survive")
	}
	for _, s := range []string{"", "12345678-1234-1234-1234-123456789abg", "12345678x1234-1234-1234-123456789abc", "1234567812341234123412345678"} {
		if _, ok := parseUserID(s); ok {
			t.Errorf("%q is a sub", s)
		}
	}
}

func TestLockout(t *testing.T) {
	at := time.UnixMilli(1e12)
	for _, c := range []struct {
		n     int64
		after time.Duration
		want  bool
	}{
		{4, 0, false}, {5, 0, true}, {5, time.Second, false}, {6, time.Second, true}, {6, 2 * time.Second, false},
		{10, 31 * time.Second, true}, {14, 511 * time.Second, true}, {14, 512 * time.Second, false}, {15, 899 * time.Second, true}, {40, 899 * time.Second, true}, {40, 900 * time.Second, false},
	} {
		if got := (failures{c.n, at}).locked(at.Add(c.after)); got != c.want {
			t.Errorf("%d failures, %v later: %v", c.n, c.after, got)
		}
	}
}

func TestAllows(t *testing.T) {
	for _, c := range []struct {
		flows string
		want  string
	}{
		{"", "USER_SRP_AUTH CUSTOM_AUTH REFRESH_TOKEN_AUTH"},
		{"ALLOW_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH"},
		{"ALLOW_ADMIN_USER_PASSWORD_AUTH ALLOW_REFRESH_TOKEN_AUTH", "ADMIN_USER_PASSWORD_AUTH REFRESH_TOKEN_AUTH"},
		{"ADMIN_NO_SRP_AUTH", "ADMIN_USER_PASSWORD_AUTH USER_SRP_AUTH CUSTOM_AUTH REFRESH_TOKEN_AUTH"},
		{"USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH USER_SRP_AUTH CUSTOM_AUTH REFRESH_TOKEN_AUTH"},
		{"CUSTOM_AUTH_FLOW_ONLY", "CUSTOM_AUTH REFRESH_TOKEN_AUTH"},
	} {
		cl := &Client{Config: cognitoidp.UserPoolClientType{ExplicitAuthFlows: strings.Fields(c.flows)}}
		var got []string
		for _, f := range []string{"ADMIN_USER_PASSWORD_AUTH", "USER_PASSWORD_AUTH", "USER_SRP_AUTH", "CUSTOM_AUTH", "REFRESH_TOKEN_AUTH"} {
			if cl.allows(f) {
				got = append(got, f)
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q allows %v", c.flows, got)
		}
	}
}
