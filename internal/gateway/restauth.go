package gateway

import (
	"strconv"
	"strings"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
)

// compileAuthorizer makes what decides about a method's callers.
func (k *restAPIs) compileAuthorizer(out *restMethod, p *restPlan, s *restapis.Snapshot) {
	z := out.Authorizer
	switch out.AuthorizationType {
	case "NONE", "":
		out.open = true
	case "AWS_IAM":
		out.authorizer = authorizer.NewIAM(authorizer.IAM{Identities: k.g.IAM, API: &p.api, Policy: s.Policy})
	case v1.AuthorizerTypeCognitoUserPools:
		out.cognito = true
		if z == nil {
			break
		}
		c := authorizer.Cognito{Verifier: k.g.Verifier, Validation: z.Validation, Scopes: out.Scopes, SameIssuer: k.g.SameIssuer}
		for _, arn := range z.Providers {
			if issuer := authorizer.IssuerOfPool(arn); issuer != "" {
				c.Issuers = append(c.Issuers, issuer)
			}
		}
		if len(z.Sources) > 0 && z.Sources[0].In == "querystring" {
			c.Source.Query = z.Sources[0].Name
		} else if len(z.Sources) > 0 {
			c.Source.Header = z.Sources[0].Name
		}
		out.authorizer = authorizer.NewCognito(c)
	case "CUSTOM":
		if z != nil && z.Type != v1.AuthorizerTypeCognitoUserPools {
			out.authorizer = k.newLambda(p, s, z)
		}
	}
	if out.authorizer == nil && !out.open {
		out.authorizer = nobody{}
	}
}

// nobody lets nobody in: the authorizer of a method that is gone.
type nobody struct{}

func (nobody) Authorize(r *authorizer.Request, out *authorizer.Result) {
	r.Trace.Fail("authorizer", "the method's authorizer does not exist, or is of another type", "", "an authorizer")
	out.Refusal, out.Why = authorizer.Fault, "no authorizer"
}

func (k *restAPIs) newLambda(p *restPlan, s *restapis.Snapshot, z *restapis.Authorizer) authorizer.Authorizer {
	c := authorizer.Lambda{ID: s.DeploymentID + "." + z.ID, Token: z.Type == v1.AuthorizerTypeToken, Validation: z.Validation, TTL: z.TTL, Cache: &k.results, API: &p.api, Resource: s.Policy,
		ARN: methodARN}
	for _, src := range z.Sources {
		one := authorizer.IdentitySource{In: src.In, Name: src.Name}
		switch src.In {
		case "stageVariables":
			one.Value = s.Variables[src.Name]
		case "context":
			one.Context = func(r *authorizer.Request, name string) string {
				v, _ := r.Body.(*restExchange).contextValue(name)
				return v
			}
		}
		c.Sources = append(c.Sources, one)
	}
	c.Event = func(r *authorizer.Request, token, arn string) ([]byte, error) {
		x := r.Body.(*restExchange)
		if c.Token {
			b := append([]byte(`{"type":"TOKEN","methodArn":`), appendString(nil, arn)...)
			b = append(b, `,"authorizationToken":`...)
			return append(appendString(b, token), '}'), nil
		}
		return x.appendRequestEvent(nil, arn), nil
	}
	c.Call = func(r *authorizer.Request, event []byte) ([]byte, string, error) {
		return r.Body.(*restExchange).callAuthorizer(z, event)
	}
	return authorizer.NewLambda(c)
}

// methodARN is the ARN of a request as policies see it.
func methodARN(r *authorizer.Request) string {
	return "arn:aws:execute-api:" + r.API.Region + ":" + r.API.Account + ":" + r.API.ID + "/" + r.API.Stage + "/" + r.HTTP.Method + r.Path
}

// policyPath is a path as policies see it: as a slash at its end leads to the same method, it must not lead past
// what is said of that.
func policyPath(path string) string {
	if len(path) > 1 {
		return strings.TrimSuffix(path, "/")
	}
	return path
}

// callAuthorizer runs the function of an authorizer.
func (x *restExchange) callAuthorizer(z *restapis.Authorizer, event []byte) (out []byte, thrown string, err error) {
	return x.askFunction(&functionAuthorizer{id: z.ID, functionARN: z.FunctionARN, credentials: z.Credentials, fault: z.Fault, timeout: 29 * time.Second}, event)
}

// authorized asks the method's authorizer and the API's resource policy.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
func (x *restExchange) authorized() bool {
	m, p := x.method, x.snap.Policy
	x.auth = authorizer.Request{HTTP: x.r, API: x.api, Path: policyPath(x.path), SourceIP: x.source, Start: x.start, Trace: x.trace, Body: x, Logger: x.g.Logger}
	ok := true
	began := x.g.Now()
	defer func() { x.authMillis = x.g.Now().Sub(began).Milliseconds() }()
	if p != nil && m.AuthorizationType == "CUSTOM" && authorizer.Denied(&x.auth, p, methodARN(&x.auth), &x.caller) {
		ok = false
	}
	if ok && m.authorizer != nil {
		m.authorizer.Authorize(&x.auth, &x.caller)
		ok = x.caller.Refusal == authorizer.None
	}
	if ok && p != nil && (m.open || m.cognito) {
		ok = authorizer.ResourcePolicy(&x.auth, p, methodARN(&x.auth), &x.caller)
	}
	if !ok {
		x.refuseCaller()
	}
	return ok
}

// refuseCaller answers for the authorizer.
func (x *restExchange) refuseCaller() {
	c := &x.caller
	if x.bodyErr != nil { // an authorizer wanted to read it
		x.badBody(x.bodyErr)
		return
	}
	switch c.Refusal {
	case authorizer.NoSignature:
		x.answerType(v1.GatewayResponseTypeMissingAuthenticationToken, "MissingAuthenticationTokenException", "Missing Authentication Token")
	case authorizer.BadSignature, authorizer.ExpiredSignature:
		typ := v1.GatewayResponseTypeInvalidSignature
		if c.Type == "ExpiredTokenException" {
			typ = v1.GatewayResponseTypeExpiredToken
		}
		x.answerType(typ, c.Type, c.Message)
	case authorizer.Forbidden:
		x.answerType(v1.GatewayResponseTypeAccessDenied, "AccessDeniedException", c.Message)
	case authorizer.Expired:
		x.answerType(v1.GatewayResponseTypeUnauthorized, "UnauthorizedException", c.Message)
	case authorizer.NoIdentity, authorizer.Unauthorized:
		x.answerType(v1.GatewayResponseTypeUnauthorized, "UnauthorizedException", "Unauthorized")
	default:
		x.answerType(v1.GatewayResponseTypeAuthorizerConfigurationError, "AuthorizerConfigurationException", "")
	}
}

// permitted checks that the API may invoke the method's function.
func (x *restExchange) permitted() bool {
	in := x.method.Integration
	source := x.method.source
	if source == "" {
		source = x.snap.ARN(x.r.Method, x.method.Resource.Path)
	}
	switch in.Credentials {
	case "":
		return x.mayInvoke(in.FunctionARN, source)
	case "arn:aws:iam::*:user/*":
		return x.mayInvokeAs(x.caller.Caller, in.FunctionARN)
	}
	return x.mayInvokeByRole(in.Credentials, in.FunctionARN, source)
}

// appendAuthorizer appends what functions see of a caller as requestContext.authorizer, with a comma after it;
// nothing for methods without an authorizer.
func (x *restExchange) appendAuthorizer(b []byte) []byte {
	switch c := &x.caller; {
	case c.Token != nil:
		b = append(b, `"authorizer":{"claims":`...)
		b = append(b, x.k.claims.of(c.Token)...)
		if len(c.Scopes) > 0 {
			b = append(b, `,"scopes":`...)
			b = appendList(b, c.Scopes)
		}
		return append(b, `},`...)
	case c.Lambda != nil:
		b = append(b, `"authorizer":{`...)
		for i := range c.Lambda.Context {
			v := &c.Lambda.Context[i]
			b = append(appendString(b, v.Name), ':')
			b = append(appendString(b, v.Text()), ',')
		}
		b = appendField(b, "principalId", c.Lambda.Principal)
		b = append(b, `,"integrationLatency":`...)
		b = strconv.AppendInt(b, x.authMillis, 10)
		return append(b, `},`...)
	}
	return b
}
