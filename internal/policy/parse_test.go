package policy

import (
	"errors"
	"strings"
	"testing"
)

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
func TestParse(t *testing.T) {
	d, err := Parse(`{
  "Statement": [
    {"Effect": "Allow", "Principal": {"AWS": ["123456789012", "999999999999"], "Service": "lambda.amazonaws.com"}, "Action": "sqs:*",
     "NotResource": ["a", "b"], "Sid": "One",
     "Condition": {"NumericLessThan": {"s3:max-keys": [10, "20", 1.5]}, "Bool": {"aws:SecureTransport": true, "aws:ViaAWSService": false}}},
    {"Effect": "Deny", "NotPrincipal": "*", "NotAction": ["iam:*"], "Resource": "*"}
  ],
  "Id": "an id", "Version": "2012-10-17"
}`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"Version":"2012-10-17","Id":"an id","Statement":[` +
		`{"Sid":"One","Effect":"Allow","Principal":{"AWS":["123456789012","999999999999"],"Service":"lambda.amazonaws.com"},"Action":"sqs:*","NotResource":["a","b"],` +
		`"Condition":{"NumericLessThan":{"s3:max-keys":["10","20","1.5"]},"Bool":{"aws:SecureTransport":"true","aws:ViaAWSService":"false"}}},` +
		`{"Effect":"Deny","NotPrincipal":"*","NotAction":"iam:*","Resource":"*"}]}`
	if got := d.String(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestParseRefuses(t *testing.T) {
	// In body, @ is where the error must be.
	for _, tt := range []struct {
		name, body string
		reason     Reason
		detail     string
	}{
		{"empty", ``, Syntax, ""},
		{"no object", `@[]`, DataType, "policy"},
		{"null", `@null`, DataType, "policy"},
		{"no statement", `@{"Version":"2012-10-17"}`, MissingStatement, ""},
		{"no statements", `@{"Statement":[]}`, MissingStatement, ""},
		{"open", `{"Statement":[{"Effect":"Allow"@`, Syntax, ""},
		{"comma at the end", `{"Statement":[{"Effect":"Allow","Action":"a:b","Resource":"*",}]}`, Syntax, ""},
		{"text behind", `{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}} @x`, Syntax, ""},
		{"second document", `{"Statement":{"Effect":"Allow","Action":"a:b","Resource":"*"}}@{}`, Syntax, ""},
		{"not UTF-8", "{\"Id\":\"\xff\"}", Syntax, ""},
		{"unknown element", `{@"Statements":[]}`, UnknownElement, "Statements"},
		{"another case", `{@"version":"2012-10-17"}`, UnknownElement, "version"},
		{"unknown in statement", "{\"Statement\":[\n  {\"Effect\":\"Allow\", @\"Actions\":\"a:b\"}]}", UnknownElement, "Actions"},
		{"version", `{"Version":@"2012-10-18"}`, InvalidVersion, "2012-10-18"},
		{"version no text", `{"Version":@20121017}`, DataType, "Version"},
		{"duplicate", `{"Id":"a",@"Id":"b"}`, DuplicateElement, "Id"},
		{"duplicate in statement", `{"Statement":[{"Effect":"Allow",@"Effect":"Deny"}]}`, DuplicateElement, "Effect"},
		{"duplicate by escape", `{"Statement":[{"Effect":"Allow",@"\u0045ffect":"Deny"}]}`, DuplicateElement, "Effect"},
		{"statement no object", `{"Statement":[@"x"]}`, DataType, "Statement"},
		{"statement scalar", `{"Statement":@1}`, DataType, "Statement"},
		{"nested list", `{"Statement":[@[]]}`, DataType, "Statement"},
		{"no effect", `{"Statement":[@{"Action":"a:b","Resource":"*"}]}`, InvalidEffect, ""},
		{"effect", `{"Statement":[{"Effect":@"allow","Action":"a:b","Resource":"*"}]}`, InvalidEffect, "allow"},
		{"no action", `{"Statement":[@{"Effect":"Allow","Resource":"*"}]}`, MissingAction, ""},
		{"empty action", `{"Statement":[@{"Effect":"Allow","Action":[],"Resource":"*"}]}`, MissingAction, ""},
		{"both actions", `{"Statement":[{"Effect":"Allow","Action":"a:b","NotAction":@"a:c","Resource":"*"}]}`, Exclusive, "NotAction"},
		{"both resources", `{"Statement":[{"Effect":"Allow","Action":"a:b","NotResource":@"*","Resource":"*"}]}`, Exclusive, "NotResource"},
		{"both principals", `{"Statement":[{"Effect":"Allow","Action":"a:b","Principal":"*","NotPrincipal":@"*"}]}`, Exclusive, "NotPrincipal"},
		{"action number", `{"Statement":[{"Effect":"Allow","Action":[@1]}]}`, DataType, "Action"},
		{"action object", `{"Statement":[{"Effect":"Allow","Action":@{}}]}`, DataType, "Action"},
		{"principal text", `{"Statement":[{"Effect":"Allow","Principal":@"123456789012"}]}`, InvalidPrincipal, "Principal"},
		{"principal list", `{"Statement":[{"Effect":"Allow","Principal":@["*"]}]}`, DataType, "Principal"},
		{"principal kind", `{"Statement":[{"Effect":"Allow","Principal":{@"aws":"*"}}]}`, UnknownElement, "aws"},
		{"principal twice", `{"Statement":[{"Effect":"Allow","Principal":{"AWS":[],@"AWS":"*"}}]}`, DuplicateElement, "AWS"},
		{"condition list", `{"Statement":[{"Effect":"Allow","Condition":@[]}]}`, DataType, "Condition"},
		{"operator list", `{"Statement":[{"Effect":"Allow","Condition":{"Bool":@[]}}]}`, DataType, "Bool"},
		{"operator twice", `{"Statement":[{"Effect":"Allow","Condition":{"Bool":{},@"Bool":{}}}]}`, DuplicateElement, "Bool"},
		{"key twice", `{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"a:b":"true",@"A:B":"true"}}}]}`, DuplicateElement, "A:B"},
		{"value object", `{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"a:b":@{}}}}]}`, DataType, "a:b"},
		{"value null", `{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"a:b":[@null]}}}]}`, DataType, "a:b"},
		{"deep", `{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"a:b":[@[` + strings.Repeat("[", 9999), DataType, "a:b"},
		{"large", `{"Id":"` + strings.Repeat("x", MaxSize) + `"}`, TooLarge, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			at := strings.IndexByte(tt.body, '@')
			text := strings.Replace(tt.body, "@", "", 1)
			_, err := Parse(text)
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Reason != tt.reason || tt.detail != "" && e.Detail != tt.detail {
				t.Errorf("got %v (%q), want %v (%q)", e.Reason, e.Detail, tt.reason, tt.detail)
			}
			if at < 0 {
				return
			}
			line := strings.Count(text[:at], "\n") + 1
			if e.Position.Offset != at || e.Position.Line != line || e.Position.Column != at-strings.LastIndexByte(text[:at], '\n') {
				t.Errorf("at %+v, want offset %d on line %d", e.Position, at, line)
			}
		})
	}
}

func TestErrorText(t *testing.T) {
	_, err := Parse("{\n  \"Effekt\": 1}")
	if got, want := err.Error(), `policy: line 2, column 3: unknown element: "Effekt"`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for r := Syntax; r <= IDNotAllowed; r++ {
		if r.String() == "" {
			t.Errorf("reason %d has no text", r)
		}
	}
}

func TestSize(t *testing.T) {
	if n := Size("{ \"Ä\":\r\n\t\"b c\" }"); n != 10 {
		t.Errorf("got %d", n)
	}
}

func TestContextKeys(t *testing.T) {
	d, err := Parse(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":["arn:aws:s3:::b/${aws:UserName}/${$}","*"],
		"Condition":{"StringLike":{"S3:prefix":"${aws:userid, 'x'}"},"NumericEquals":{"s3:max-keys":1}}}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(d.ContextKeys(), " "); got != "aws:userid aws:username s3:max-keys s3:prefix" {
		t.Errorf("got %s", got)
	}
}
