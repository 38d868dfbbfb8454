package policy

import (
	"testing"
	"time"
)

// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
func TestConditions(t *testing.T) {
	got := func(v ...string) []string { return v }
	for _, tt := range []struct {
		condition string // of key a:k
		values    []string
		want      bool
	}{
		{`{"StringEquals":{"a:k":"johndoe"}}`, got("johndoe"), true},
		{`{"StringEquals":{"a:k":"johndoe"}}`, got("JohnDoe"), false},
		{`{"StringEquals":{"a:k":["a","b"]}}`, got("b"), true},
		{`{"StringEquals":{"a:k":"a*"}}`, got("ab"), false},
		{`{"StringEquals":{"a:k":"a*"}}`, got("a*"), true},
		{`{"StringEquals":{"a:k":"x"}}`, nil, false},
		{`{"StringEquals":{"a:k":""}}`, got(""), true},
		{`{"StringEquals":{"a:k":[]}}`, got("x"), false},
		{`{"StringNotEquals":{"a:k":[]}}`, got("x"), true},
		{`{"StringNotEquals":{"a:k":"x"}}`, got("y"), true},
		{`{"StringNotEquals":{"a:k":"x"}}`, got("x"), false},
		{`{"StringNotEquals":{"a:k":["x","y"]}}`, got("y"), false}, // NOR
		{`{"StringNotEquals":{"a:k":"x"}}`, nil, true},
		{`{"StringEqualsIgnoreCase":{"a:k":"johndoe"}}`, got("JohnDoe"), true},
		{`{"StringEqualsIgnoreCase":{"a:k":"johndoe"}}`, got("jane"), false},
		{`{"StringNotEqualsIgnoreCase":{"a:k":"johndoe"}}`, got("JohnDoe"), false},
		{`{"StringNotEqualsIgnoreCase":{"a:k":"johndoe"}}`, nil, true},
		{`{"StringLike":{"a:k":["t1.*","t2.*","m3.*"]}}`, got("t2.micro"), true},
		{`{"StringLike":{"a:k":["t1.*","t2.*","m3.*"]}}`, got("t2micro"), false},
		{`{"StringLike":{"a:k":["","home/","home/*/x"]}}`, got(""), true},
		{`{"StringLike":{"a:k":["","home/","home/*/x"]}}`, got("home/a/b/x"), true},
		{`{"StringLike":{"a:k":"a?c"}}`, got("aéc"), true},
		{`{"StringLike":{"a:k":"a?c"}}`, got("ac"), false},
		{`{"StringLike":{"a:k":"*"}}`, nil, false},
		{`{"StringNotLike":{"a:k":"t1.*"}}`, got("t2.x"), true},
		{`{"StringNotLike":{"a:k":"t1.*"}}`, got("t1.x"), false},
		{`{"StringNotLike":{"a:k":"t1.*"}}`, nil, true},

		{`{"NumericEquals":{"a:k":"10"}}`, got("10.0"), true},
		{`{"NumericEquals":{"a:k":"9007199254740993"}}`, got("9007199254740992"), false},
		{`{"NumericNotEquals":{"a:k":"10"}}`, got("11"), true},
		{`{"NumericNotEquals":{"a:k":"10"}}`, got("10"), false},
		{`{"NumericNotEquals":{"a:k":"10"}}`, nil, true},
		{`{"NumericNotEquals":{"a:k":"10"}}`, got("ten"), true},
		{`{"NumericLessThan":{"a:k":10}}`, got("9.99"), true},
		{`{"NumericLessThan":{"a:k":10}}`, got("10"), false},
		{`{"NumericLessThan":{"a:k":10}}`, nil, false},
		{`{"NumericLessThan":{"a:k":10}}`, got("few"), false},
		{`{"NumericLessThanEquals":{"a:k":"10"}}`, got("10"), true},
		{`{"NumericLessThanEquals":{"a:k":"10"}}`, got("11"), false},
		{`{"NumericGreaterThan":{"a:k":"10"}}`, got("10"), false},
		{`{"NumericGreaterThan":{"a:k":"-10"}}`, got("-9"), true},
		{`{"NumericGreaterThanEquals":{"a:k":"10"}}`, got("10"), true},
		{`{"NumericGreaterThanEquals":{"a:k":"10"}}`, got("9"), false},

		{`{"DateEquals":{"a:k":"2020-01-01"}}`, got("2020-01-01T00:00:00Z"), true},
		{`{"DateEquals":{"a:k":"2020-01-01T02:00:00+02:00"}}`, got("1577836800"), true},
		{`{"DateNotEquals":{"a:k":"2020-01-01"}}`, got("2020-01-02"), true},
		{`{"DateNotEquals":{"a:k":"2020-01-01"}}`, nil, true},
		{`{"DateGreaterThan":{"a:k":"2020-01-01T00:00:01Z"}}`, got("2020-01-01T00:00:02Z"), true},
		{`{"DateGreaterThan":{"a:k":"2020-01-01T00:00:01Z"}}`, got("2020-01-01T00:00:01Z"), false},
		{`{"DateGreaterThan":{"a:k":"2020-01-01T00:00:01Z"}}`, nil, false},
		{`{"DateGreaterThanEquals":{"a:k":"2020-01-01T00:00:01Z"}}`, got("2020-01-01T00:00:01Z"), true},
		{`{"DateLessThan":{"a:k":"2013-06-30T00:00:00Z"}}`, got("2013-06-29T23:59:59.999Z"), true},
		{`{"DateLessThanEquals":{"a:k":"2013"}}`, got("1356998400"), true},
		{`{"DateLessThan":{"a:k":"2013"}}`, got("not a date"), false},

		{`{"Bool":{"a:k":"true"}}`, got("true"), true},
		{`{"Bool":{"a:k":true}}`, got("TRUE"), true},
		{`{"Bool":{"a:k":"false"}}`, got("true"), false},
		{`{"Bool":{"a:k":"false"}}`, nil, false},
		{`{"BoolIfExists":{"a:k":"false"}}`, nil, true},
		{`{"BoolIfExists":{"a:k":"false"}}`, got("true"), false},

		{`{"BinaryEquals":{"a:k":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}`, got("QmluYXJ5VmFsdWVJbkJhc2U2NA=="), true},
		{`{"BinaryEquals":{"a:k":"QmluYXJ5VmFsdWVJbkJhc2U2NA=="}}`, got("QmluYXJ5"), false},
		{`{"BinaryEquals":{"a:k":""}}`, got("%"), false},

		{`{"IpAddress":{"a:k":"203.0.113.0/24"}}`, got("203.0.113.255"), true},
		{`{"IpAddress":{"a:k":"203.0.113.0/24"}}`, got("203.0.114.0"), false},
		{`{"IpAddress":{"a:k":"203.0.113.7"}}`, got("203.0.113.7"), true}, // /32
		{`{"IpAddress":{"a:k":"203.0.113.7"}}`, got("203.0.113.8"), false},
		{`{"IpAddress":{"a:k":["203.0.113.0/24","2001:DB8:1234:5678::/64"]}}`, got("2001:db8:1234:5678:1::9"), true},
		{`{"IpAddress":{"a:k":["203.0.113.0/24","2001:DB8:1234:5678::/64"]}}`, got("2001:db8:1234:5679::1"), false},
		{`{"IpAddress":{"a:k":"0.0.0.0/0"}}`, got("::1"), false},
		{`{"IpAddress":{"a:k":"127.0.0.0/8"}}`, got("::ffff:127.0.0.1"), true},
		{`{"IpAddress":{"a:k":"0.0.0.0/0"}}`, nil, false},
		{`{"IpAddress":{"a:k":"0.0.0.0/0"}}`, got("lambda.amazonaws.com"), false},
		{`{"NotIpAddress":{"a:k":["192.0.2.0/24","203.0.113.0/24"]}}`, got("203.0.113.1"), false},
		{`{"NotIpAddress":{"a:k":["192.0.2.0/24","203.0.113.0/24"]}}`, got("198.51.100.1"), true},
		{`{"NotIpAddress":{"a:k":"192.0.2.0/24"}}`, nil, true},
		{`{"NotIpAddressIfExists":{"a:k":"192.0.2.0/24"}}`, got("192.0.2.1"), false},

		// The guide's example of a string operator that matches where an ARN operator does not.
		{`{"StringLike":{"a:k":"arn:aws:someservice:*:111122223333:finance/*"}}`, got("arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"), true},
		{`{"ArnLike":{"a:k":"arn:aws:someservice:*:111122223333:finance/*"}}`, got("arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt"), false},
		{`{"ArnLike":{"a:k":"arn:aws:someservice:*:111122223333:finance/*"}}`, got("arn:aws:someservice:us-east-2:111122223333:finance/a:b"), true},
		{`{"ArnEquals":{"a:k":"arn:aws:sns:*:123456789012:topic-?"}}`, got("arn:aws:sns:us-east-1:123456789012:topic-1"), true},
		{`{"ArnEquals":{"a:k":"arn:aws:sns:*:123456789012:topic"}}`, got("arn:aws:SNS:us-east-1:123456789012:topic"), false},
		{`{"ArnEquals":{"a:k":"*"}}`, got("arn:aws:sns:us-east-1:123456789012:topic"), false},
		{`{"ArnEquals":{"a:k":"arn:aws:sns:*:*:*"}}`, got("topic"), false},
		{`{"ArnEquals":{"a:k":"arn:aws:sns:*:*:*"}}`, nil, false},
		{`{"ArnNotEquals":{"a:k":"arn:aws:sns:*:*:a"}}`, got("arn:aws:sns:us-east-1:123456789012:b"), true},
		{`{"ArnNotEquals":{"a:k":"arn:aws:sns:*:*:a"}}`, got("arn:aws:sns:us-east-1:123456789012:a"), false},
		{`{"ArnNotLike":{"a:k":"arn:aws:sns:*:*:a"}}`, nil, true},

		// IfExists
		{`{"StringLikeIfExists":{"a:k":["t1.*","t2.*"]}}`, nil, true},
		{`{"StringLikeIfExists":{"a:k":["t1.*","t2.*"]}}`, got("t1.x"), true},
		{`{"StringLikeIfExists":{"a:k":["t1.*","t2.*"]}}`, got("m3.x"), false},
		{`{"StringNotEqualsIfExists":{"a:k":"x"}}`, nil, true},
		{`{"StringNotEqualsIfExists":{"a:k":"x"}}`, got("x"), false},

		// Null
		{`{"Null":{"a:k":"true"}}`, nil, true},
		{`{"Null":{"a:k":"true"}}`, got("x"), false},
		{`{"Null":{"a:k":"false"}}`, got("x"), true},
		{`{"Null":{"a:k":"false"}}`, nil, false},
		{`{"Null":{"a:k":"false"}}`, got(""), false},
		{`{"Null":{"a:k":false}}`, []string{}, false},

		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_multi-value-conditions.html (DynamoDB's attributes)
		{`{"ForAllValues:StringLike":{"a:k":["PostDateTime","Message","Tags"]}}`, got("PostDateTime", "Message"), true},
		{`{"ForAllValues:StringLike":{"a:k":["PostDateTime","Message","Tags"]}}`, got("PostDateTime", "Message", "ID"), false},
		{`{"ForAllValues:StringLike":{"a:k":["PostDateTime","Message","Tags"]}}`, got("PostDateTime", "UserName"), false},
		{`{"ForAllValues:StringLike":{"a:k":["PostDateTime","Message","Tags"]}}`, nil, true},
		{`{"ForAllValues:StringLike":{"a:k":["PostDateTime","Message","Tags"]}}`, got(""), true},
		{`{"ForAnyValue:StringLike":{"a:k":["ID","PostDateTime"]}}`, got("PostDateTime", "Message"), true},
		{`{"ForAnyValue:StringLike":{"a:k":["ID","PostDateTime"]}}`, got("UserName", "Message", "PostDateTime"), true},
		{`{"ForAnyValue:StringLike":{"a:k":["ID","PostDateTime"]}}`, got("UserName"), false},
		{`{"ForAnyValue:StringLike":{"a:k":["ID","PostDateTime"]}}`, nil, false},
		{`{"ForAnyValue:StringLike":{"a:k":["*"]}}`, got(""), false},
		{`{"ForAllValues:StringNotEquals":{"a:k":["a","b"]}}`, got("c", "d"), true},
		{`{"ForAllValues:StringNotEquals":{"a:k":["a","b"]}}`, got("c", "a"), false},
		{`{"ForAllValues:StringNotEquals":{"a:k":["a","b"]}}`, nil, true},
		{`{"ForAnyValue:StringNotEquals":{"a:k":["a","b"]}}`, got("a", "c"), true},
		{`{"ForAnyValue:StringNotEquals":{"a:k":["a","b"]}}`, got("a", "b"), false},
		{`{"ForAnyValue:StringNotEquals":{"a:k":["a","b"]}}`, nil, false},
		{`{"ForAnyValue:StringEqualsIfExists":{"a:k":["a","b"]}}`, nil, true},
		{`{"ForAnyValue:IpAddress":{"a:k":"10.0.0.0/8"}}`, got("192.0.2.1", "10.1.1.1"), true},
		{`{"ForAllValues:NumericLessThan":{"a:k":"10"}}`, got("9", "10"), false},
		// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition_examples-multi-valued-context-keys.html
		{`{"ForAllValues:StringLike":{"a:k":"key1*"}}`, got("key1:legal"), true},
		{`{"ForAllValues:StringLike":{"a:k":"key1*"}}`, got("key1:hr", "key1:personnel"), true},
		{`{"ForAllValues:StringLike":{"a:k":"key1*"}}`, got("key2:audit"), false},
		{`{"ForAllValues:StringLike":{"a:k":["key1*","key2*"]}}`, got("key1:legal", "key2:audit"), true},
		{`{"ForAllValues:StringLike":{"a:k":["key1*","key2*"]}}`, got("key1:legal", "key3:x"), false},
		{`{"ForAllValues:StringLike":{"a:k":"key1*"},"Null":{"a:k":"false"}}`, nil, false},
		{`{"ForAnyValue:StringEquals":{"a:k":"webserver"}}`, got("environment", "webserver"), true},

		// Several values without a qualifier.
		{`{"StringEquals":{"a:k":"a"}}`, got("b", "a"), true},
		{`{"StringNotEquals":{"a:k":"a"}}`, got("b", "a"), false},
		{`{"StringNotEquals":{"a:k":"a"}}`, got("b", "c"), true},

		// Operators, and keys of one operator, are joined by AND; keys have no case.
		{`{"StringEquals":{"A:K":"x"},"StringLike":{"a:K":"*"}}`, got("x"), true},
		{`{"StringEquals":{"a:k":"x"},"StringNotEquals":{"a:k":"x"}}`, got("x"), false},
		{`{"StringEquals":{"a:k":"x","a:other":"y"}}`, got("x"), false},
		{`{}`, nil, true},
	} {
		c := identity(t, statementPolicy(`"Effect":"Allow","Action":"a:b","Resource":"*","Condition":`+tt.condition))
		ctx := Values{}
		if tt.values != nil {
			ctx["a:k"] = tt.values
		}
		d := Evaluate(&Set{Identity: []*Compiled{c}}, &Request{Principal: user("u"), Action: "a:b", Resource: "*", Context: ctx})
		if d.Allowed != tt.want {
			t.Errorf("%s with %q: got %v", tt.condition, tt.values, d.Allowed)
		}
		if !d.Allowed && (d.Layers[0].Miss == nil || d.Layers[0].Miss.Element != "Condition" || d.Layers[0].Miss.Key == "") {
			t.Errorf("%s with %q: explained by %+v", tt.condition, tt.values, d.Layers[0].Miss)
		}
	}
}

func TestParseDate(t *testing.T) {
	for s, want := range map[string]string{
		"2020":                          "2020-01-01T00:00:00Z",
		"2020-02":                       "2020-02-01T00:00:00Z",
		"2020-02-03":                    "2020-02-03T00:00:00Z",
		"2020-02-03T04:05Z":             "2020-02-03T04:05:00Z",
		"2020-02-03T04:05+01:00":        "2020-02-03T03:05:00Z",
		"2020-02-03T04:05:06Z":          "2020-02-03T04:05:06Z",
		"2020-02-03T04:05:06-01:00":     "2020-02-03T05:05:06Z",
		"2020-02-03T04:05:06.789Z":      "2020-02-03T04:05:06.789Z",
		"0":                             "1970-01-01T00:00:00Z",
		"1580702706":                    "2020-02-03T04:05:06Z",
		"":                              "",
		"2020-13":                       "",
		"2020-02-03T04:05:06":           "",
		"20200203T040506Z":              "",
		"99999999999999999999":          "",
		"2020-02-03 04:05:06Z":          "",
		"Mon, 03 Feb 2020 04:05:06 GMT": "",
	} {
		got, ok := parseDate(s)
		if ok != (want != "") || ok && got.UTC().Format(time.RFC3339Nano) != want {
			t.Errorf("%q: got %v, %v", s, got, ok)
		}
	}
}
