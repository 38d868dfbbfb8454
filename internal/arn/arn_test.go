package arn

import "testing"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		in       string
		want     ARN
		kind, id string
	}{
		{"arn:aws:lambda:us-east-1:000000000000:function:hello:prod", ARN{"aws", "lambda", "us-east-1", "000000000000", "function:hello:prod"}, "function", "hello:prod"},
		{"arn:aws:iam::123456789012:role/service-role/x", ARN{"aws", "iam", "", "123456789012", "role/service-role/x"}, "role", "service-role/x"},
		{"arn:aws:s3:::bucket/key:with:colons", ARN{"aws", "s3", "", "", "bucket/key:with:colons"}, "bucket", "key:with:colons"},
		{"arn:aws:sns:eu-west-1:123456789012:topic", ARN{"aws", "sns", "eu-west-1", "123456789012", "topic"}, "", "topic"},
		{"arn:aws:execute-api:us-east-1:*:abc/*/GET/", ARN{"aws", "execute-api", "us-east-1", "*", "abc/*/GET/"}, "abc", "*/GET/"},
	} {
		got, err := Parse(c.in)
		if err != nil || got != c.want {
			t.Errorf("Parse(%q) = %+v, %v", c.in, got, err)
		}
		if got.String() != c.in {
			t.Errorf("String() = %q, want %q", got.String(), c.in)
		}
		if kind, id := got.Cut(); kind != c.kind || id != c.id {
			t.Errorf("%q.Cut() = %q, %q", c.in, kind, id)
		}
	}
	for _, bad := range []string{"", "arn", "hello", "arn:aws:lambda:us-east-1:1", "ARN:aws:s3:::b", "arn::s3:::b", "arn:aws::::b", "arn:aws:s3:::"} {
		if a, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) = %+v, want an error", bad, a)
		}
	}
}

func TestOf(t *testing.T) {
	for s, want := range map[string]bool{
		"arn:aws:ssm:us-east-1:000000000000:parameter/a":    true,
		"arn:aws-cn:ssm:us-east-1:000000000000:parameter/a": false,
		"arn:aws:logs:us-east-1:000000000000:parameter/a":   false,
		"arn:aws:ssm:eu-west-1:000000000000:parameter/a":    false,
		"arn:aws:ssm:us-east-1:111111111111:parameter/a":    false,
		"arn:aws:ssm:us-east-1::parameter/a":                false,
		"arn:aws:ssm:*:*:parameter/a":                       false,
	} {
		a, err := Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.Of("ssm", "us-east-1", "000000000000"); got != want {
			t.Errorf("%s: %v", s, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("arn:aws:lambda:us-east-1:000000000000:function:hello")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := Parse(s); err == nil && a.String() != s {
			t.Errorf("%q came back as %q", s, a.String())
		}
	})
}
