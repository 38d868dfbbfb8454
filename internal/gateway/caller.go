package gateway

// appendCaller2 appends requestContext.authorizer of payload format 2.0, with a comma before it: what
// functions see of a caller that was let in.
func (x *exchange) appendCaller2(b []byte) []byte {
	c := &x.caller
	if c.Token == nil {
		return b
	}
	b = append(b, `,"authorizer":{"jwt":`...)
	b = x.appendClaims(b)
	return append(b, '}')
}

// appendCaller1 appends the same for format 1.0, in which the claims stand where authorizers of REST APIs
// put them.
func (x *exchange) appendCaller1(b []byte) []byte {
	if x.caller.Token == nil {
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

// appendIdentity appends the members of requestContext.identity of format 1.0.
func (x *exchange) appendIdentity(b []byte) []byte {
	b = append(b, `"accessKey":null,"accountId":null,"caller":null,"cognitoAmr":null,"cognitoAuthenticationProvider":null,`+
		`"cognitoAuthenticationType":null,"cognitoIdentityId":null,"cognitoIdentityPoolId":null,"principalOrgId":null,`...)
	b = appendField(b, "sourceIp", x.source)
	b = append(b, `,"user":null,`...)
	b = appendField(b, "userAgent", x.r.Header.Get("User-Agent"))
	return append(b, `,"userArn":null`...)
}
