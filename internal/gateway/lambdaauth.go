package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
)

// functionAuthorizer is what the gateway needs to know of an authorizer that asks a function.
type functionAuthorizer struct {
	id, functionARN string
	credentials     string // a role; "": the function's resource policy decides
	fault           string // why it cannot be called, if so
	timeout         time.Duration
}

var errNotInvoked = errors.New("the function could not be invoked")

// askFunction runs the function of an authorizer. thrown is the message of an error that it threw.
func (x *exchange) askFunction(z *functionAuthorizer, event []byte) (out []byte, thrown string, err error) {
	if z.fault != "" {
		x.trace.Fail("authorizer", z.fault, "", "")
		return nil, "", errNotInvoked
	}
	source := "arn:aws:execute-api:" + x.api.Region + ":" + x.api.Account + ":" + x.api.ID + "/authorizers/" + z.id
	if z.credentials != "" {
		if !x.mayInvokeByRole(z.credentials, z.functionARN, source) {
			return nil, "", errNotInvoked
		}
	} else if !x.mayInvoke(z.functionARN, source) {
		return nil, "", errNotInvoked
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), z.timeout)
	defer cancel()
	out, functionError, err := x.g.Invoker.InvokeFunction(ctx, z.functionARN, event)
	if err != nil {
		x.notRun(z.functionARN, z.timeout, err)
		return nil, "", errNotInvoked
	}
	if functionError == "" {
		return out, "", nil
	}
	var e struct{ ErrorMessage string }
	if json.Unmarshal(out, &e) != nil || e.ErrorMessage == "" {
		e.ErrorMessage = functionError
	}
	return nil, e.ErrorMessage, nil
}

// authorizerTimeout is the longest that the function of an HTTP API's authorizer may take.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-quotas.html
const authorizerTimeout = 10 * time.Second

// newLambda compiles a REQUEST authorizer of an HTTP API for a route.
func (k *httpAPIs) newLambda(p *plan, s *httpapis.Snapshot, r *httpapis.Route) authorizer.Authorizer {
	z := r.Authorizer
	fn := functionAuthorizer{id: z.ID, functionARN: z.FunctionARN, credentials: z.Credentials, fault: z.Fault, timeout: authorizerTimeout}
	// A result counts for the authorizer as it was configured when the function said it.
	id := fmt.Sprintf("%s.%s.%s.%t.%s.%+v", z.ID, s.Generation, z.Version, z.Simple, z.FunctionARN, z.IdentitySources)
	c := authorizer.Lambda{ID: id, TTL: z.TTL, Cache: &k.results, API: &p.api, AnyContext: z.Version == "2.0", ARN: methodARN}
	if z.Simple {
		c.Format = authorizer.SimpleAnswer
	}
	for _, src := range z.IdentitySources {
		switch {
		case src.Header != "":
			c.Sources = append(c.Sources, authorizer.IdentitySource{In: "header", Name: http.CanonicalHeaderKey(src.Header)})
		case src.Query != "":
			c.Sources = append(c.Sources, authorizer.IdentitySource{In: "querystring", Name: src.Query})
		case src.Variable != "":
			c.Sources = append(c.Sources, authorizer.IdentitySource{In: "stageVariables", Name: src.Variable, Value: s.Variables[src.Variable]})
		default:
			c.Sources = append(c.Sources, authorizer.IdentitySource{In: "context", Name: src.Context, Context: func(r *authorizer.Request, name string) string {
				return r.Body.(*httpExchange).contextValue(name)
			}})
		}
	}
	parts, sources := compileEvent(s, r, z.Version), c.Sources
	c.Event = func(r *authorizer.Request, _, arn string) ([]byte, error) {
		x, identity := r.Body.(*httpExchange), make([]string, len(sources))
		for i := range sources {
			identity[i] = sources[i].Of(r)
		}
		if z.Version == "2.0" {
			return x.appendAuthorizer2(nil, &parts, arn, identity), nil
		}
		return x.appendAuthorizer1(nil, &parts, arn, identity), nil
	}
	c.Call = func(r *authorizer.Request, event []byte) ([]byte, string, error) {
		return r.Body.(*httpExchange).askFunction(&fn, event)
	}
	return authorizer.NewLambda(c)
}

// contextValue returns the value of a context variable, "" for none.
func (x *httpExchange) contextValue(name string) string {
	text := string(x.appendVariable(nil, name, x.g.Now().Sub(x.start)))
	if text == "-" {
		return ""
	}
	plain, err := unquote([]byte(`"` + text + `"`))
	if err != nil {
		return ""
	}
	return plain
}

// bodySize is what the function is told of the body, which it does not see.
func (x *exchange) bodySize() int { return int(max(x.r.ContentLength, 0)) }

// appendAuthorizer2 appends the event of an authorizer in format 2.0.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
func (x *httpExchange) appendAuthorizer2(b []byte, e *eventParts, arn string, identity []string) []byte {
	b = append(b, `{"version":"2.0","type":"REQUEST",`...)
	b = appendField(b, "routeArn", arn)
	b = append(b, `,"identitySource":`...)
	if len(identity) > 0 {
		b = appendList(b, identity)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"routeKey":`...)
	b = append(b, e.routeKey...)
	b = append(b, `,"rawPath":`...)
	b = x.appendRequest2(b, x.bodySize())
	b = append(b, `,"requestContext":{`...)
	b = append(b, e.account...)
	b = x.appendContext2(b, e.routeKey, e.stage)
	b = append(b, '}')
	if x.route.HasVariables() {
		b = append(b, `,"pathParameters":`...)
		b = x.appendPathParameters(b)
	}
	if e.variables != "" {
		b = append(b, `,"stageVariables":`...)
		b = append(b, e.variables...)
	}
	return append(b, '}')
}

// appendAuthorizer1 appends the event of an authorizer in format 1.0.
func (x *httpExchange) appendAuthorizer1(b []byte, e *eventParts, arn string, identity []string) []byte {
	r := x.r
	b = append(b, `{"version":"1.0","type":"REQUEST",`...)
	b = appendField(b, "methodArn", arn)
	all := strings.Join(identity, ",")
	b = append(b, ',')
	b = appendField(b, "identitySource", all)
	b = append(b, ',')
	b = appendField(b, "authorizationToken", all)
	b = append(b, ',')
	b = appendField(b, "resource", x.route.Path)
	b = append(b, ',')
	b = appendField(b, "path", x.clientPath())
	b = append(b, ',')
	b = appendField(b, "httpMethod", r.Method)
	b = append(b, `,"headers":{`...)
	start := len(b)
	x.headers(x.bodySize(), func(name string, values []string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = appendString(b, name1(name))
		b = append(b, ':')
		b = appendString(b, values[len(values)-1])
	})
	b = append(b, `},"queryStringParameters":{`...)
	for i, p := range parameters(r.URL.RawQuery) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, p.name)
		b = append(b, ':')
		b = appendString(b, p.values[len(p.values)-1])
	}
	b = append(b, `},"pathParameters":`...)
	b = x.appendPathParameters(b)
	b = append(b, `,"stageVariables":`...)
	if e.variables != "" {
		b = append(b, e.variables...)
	} else {
		b = append(b, "{}"...)
	}
	b = append(b, `,"requestContext":{`...)
	b = append(b, e.account...)
	b = append(b, ',')
	b = x.appendContext1(b)
	return append(b, "}}"...)
}
