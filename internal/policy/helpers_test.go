package policy

import (
	"strings"
	"testing"
)

const account = "111122223333"

func compile(t testing.TB, k Kind, name, text string) *Compiled {
	t.Helper()
	c, err := Compile(k, name, text)
	if err != nil {
		t.Fatalf("%s: %v\n%s", name, err, text)
	}
	return c
}

// identity compiles an identity policy.
func identity(t testing.TB, text string) *Compiled { return compile(t, Identity, "identity", text) }

// statementPolicy is a policy of version 2012-10-17 with one statement, given without braces.
func statementPolicy(body string) string {
	return `{"Version":"2012-10-17","Statement":{` + body + `}}`
}

// allowAll is a policy that allows what actions names on everything.
func allowAll(actions ...string) string {
	return statementPolicy(`"Effect":"Allow","Action":["` + strings.Join(actions, `","`) + `"],"Resource":"*"`)
}

func user(name string) Principal {
	return Principal{Type: User, ARN: "arn:aws:iam::" + account + ":user/" + name, Account: account, Name: name, ID: "AIDACKCEVSQ6C2EXAMPLE"}
}

func session(role, name string) Principal {
	return Principal{Type: RoleSession, ARN: "arn:aws:sts::" + account + ":assumed-role/" + role + "/" + name, Issuer: "arn:aws:iam::" + account + ":role/" + role,
		Account: account, ID: "AROACLKWSDQRAOEXAMPLE", UserID: "AROACLKWSDQRAOEXAMPLE:" + name}
}

func in(p Principal, account string) Principal {
	was := p.Account
	p.Account = account
	p.ARN = strings.ReplaceAll(p.ARN, was, account)
	p.Issuer = strings.ReplaceAll(p.Issuer, was, account)
	return p
}

func values(kv ...string) Values {
	v := Values{}
	for i := 0; i < len(kv); i += 2 {
		v.Set(kv[i], append(v[strings.ToLower(kv[i])], kv[i+1])...)
	}
	return v
}
