package gateway

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
)

// appendCaller2 appends requestContext.authorizer of payload format 2.0, with a comma before it: what
// functions see of a caller that was let in. org is what they see as the caller's organization, as JSON.
func (x *exchange) appendCaller2(b []byte, org string) []byte {
	switch c := &x.caller; {
	case c.Token != nil:
		b = append(b, `,"authorizer":{"jwt":`...)
		b = x.appendClaims(b)
		return append(b, '}')
	case c.Caller != nil:
		return appendSigner(b, c.Caller, org)
	case c.Lambda != nil:
		b = append(b, `,"authorizer":{"lambda":`...)
		if len(c.Lambda.Context) == 0 {
			return append(b, "null}"...)
		}
		return append(appendContext(append(b, '{'), c.Lambda), "}}"...)
	}
	return b
}

// appendContext appends what the function of an authorizer passes on, as members.
func appendContext(b []byte, l *authorizer.LambdaResult) []byte {
	for i := range l.Context {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, l.Context[i].Name)
		b = append(b, ':')
		b = append(b, l.Context[i].JSON...)
	}
	return b
}

// noOrg is the organization of accounts that are in none, as HTTP APIs show it.
const noOrg = `"aws:PrincipalOrgID"`

// appendSigner appends "authorizer":{"iam":{…}} with a comma before it.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-invocation.html
func appendSigner(b []byte, c *iam.Caller, org string) []byte {
	b = append(b, `,"authorizer":{"iam":{`...)
	b = appendField(b, "accessKey", c.AccessKey)
	b = append(b, ',')
	b = appendField(b, "accountId", c.Account)
	b = append(b, ',')
	b = appendField(b, "callerId", c.UserID)
	b = append(b, `,"cognitoIdentity":`...)
	if id := cognitoIdentity(c); id.pool != "" {
		b = append(b, `{"amr":`...)
		b = appendList(b, id.amr)
		b = append(b, ',')
		b = appendField(b, "identityId", id.id)
		b = append(b, ',')
		b = appendField(b, "identityPoolId", id.pool)
		b = append(b, '}')
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"principalOrgId":`...)
	b = append(b, org...)
	b = append(b, ',')
	b = appendField(b, "userArn", c.ARN)
	b = append(b, ',')
	b = appendField(b, "userId", c.UserID)
	return append(b, "}}"...)
}

// identity is what an identity pool says of a caller.
type identity struct {
	pool, id string
	amr      []string // "authenticated", "cognito-idp.REGION.amazonaws.com/POOL", "…/POOL:CognitoSignIn:SUB"
}

// cognitoIdentity returns the identity whose credentials the caller has; one without a pool if there is none.
func cognitoIdentity(c *iam.Caller) (id identity) {
	const provider = "cognito-identity.amazonaws.com"
	if c == nil || c.Session == nil || c.Session.Provider != provider {
		return id
	}
	first := func(key string) string {
		if v := c.Session.Context[provider+key]; len(v) > 0 {
			return v[0]
		}
		return ""
	}
	return identity{pool: first(":aud"), id: first(":sub"), amr: c.Session.Context[provider+":amr"]}
}

// kind is "authenticated" or "unauthenticated", providers the rest of amr.
func (id *identity) kind() (kind, providers string) {
	if len(id.amr) == 0 {
		return "", ""
	}
	return id.amr[0], strings.Join(id.amr[1:], ",")
}

// appendCaller1 appends requestContext.authorizer of format 1.0, in which the claims stand where authorizers
// of REST APIs put them.
func (x *exchange) appendCaller1(b []byte) []byte {
	switch l := x.caller.Lambda; {
	case l != nil:
		b = append(b, '{')
		if l.Principal != "" {
			b = appendField(b, "principalId", l.Principal)
			if len(l.Context) > 0 {
				b = append(b, ',')
			}
		}
		return append(appendContext(b, l), '}')
	case x.caller.Token == nil:
		return append(b, `{"claims":null,"scopes":null}`...)
	}
	return x.appendClaims(b)
}

func (x *exchange) appendClaims(b []byte) []byte {
	b = append(b, `{"claims":`...)
	b = append(b, x.g.claims.of(x.caller.Token)...)
	b = append(b, `,"scopes":`...)
	if x.caller.Scopes == nil {
		b = append(b, "null"...)
	} else {
		b = appendList(b, x.caller.Scopes)
	}
	return append(b, '}')
}

// appendIdentity appends the members of requestContext.identity of format 1.0. org is as in appendCaller2.
func (x *exchange) appendIdentity(b []byte, org string) []byte {
	if t := x.t.Client; t != nil {
		b = append(appendClient(b, t), ',')
	}
	c := x.caller.Caller
	if c == nil {
		b = append(b, `"accessKey":null,"accountId":null,"caller":null,"cognitoAmr":null,"cognitoAuthenticationProvider":null,`+
			`"cognitoAuthenticationType":null,"cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null,`...)
		b = appendField(b, "sourceIp", x.source)
		b = append(b, `,"user":null,`...)
		b = appendField(b, "userAgent", x.r.Header.Get("User-Agent"))
		return append(b, `,"userArn":null`...)
	}
	id := cognitoIdentity(c)
	kind, providers := id.kind()
	b = appendField(b, "accessKey", c.AccessKey)
	b = append(b, ',')
	b = appendField(b, "accountId", c.Account)
	b = append(b, ',')
	b = appendField(b, "caller", c.UserID)
	b = append(b, `,"cognitoAmr":null,`...)
	for _, f := range [...]struct{ name, value string }{
		{"cognitoAuthenticationProvider", providers}, {"cognitoAuthenticationType", kind}, {"cognitoIdentityId", id.id}, {"cognitoIdentityPoolId", id.pool},
	} {
		b = appendOptional(b, f.name, f.value)
		b = append(b, ',')
	}
	b = append(b, `"principalOrgId":`...)
	b = append(b, org...)
	b = append(b, ',')
	b = appendField(b, "sourceIp", x.source)
	b = append(b, ',')
	b = appendField(b, "user", c.UserID)
	b = append(b, ',')
	b = appendField(b, "userAgent", x.r.Header.Get("User-Agent"))
	b = append(b, ',')
	return appendField(b, "userArn", c.ARN)
}

// appendOptional is appendField with null for "".
func appendOptional(b []byte, name, value string) []byte {
	if value != "" {
		return appendField(b, name, value)
	}
	b = append(b, '"')
	b = append(b, name...)
	return append(b, `":null`...)
}
