package gateway

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
)

// appendEvent appends the event of a Lambda proxy integration. What has no value is null.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-lambda-proxy-integrations.html
func (x *restExchange) appendEvent(b, body []byte) []byte {
	r := x.r
	b = append(b, '{')
	b = appendField(b, "resource", x.method.Resource.Path)
	b = append(b, ',')
	b = x.appendRequest(b, len(body))
	b = append(b, `,"requestContext":`...)
	b = x.appendContext(b, true)
	b = append(b, `,"body":`...)
	encoded := false
	switch {
	case len(body) == 0:
		b = append(b, "null"...)
	case x.snap.Binary(r.Header.Get("Content-Type")):
		encoded = true
		b = append(b, '"')
		b = base64.StdEncoding.AppendEncode(b, body)
		b = append(b, '"')
	default:
		b = appendString(b, body)
	}
	b = append(b, `,"isBase64Encoded":`...)
	b = strconv.AppendBool(b, encoded)
	return append(b, '}')
}

// appendRequestEvent appends the event of an authorizer of type REQUEST.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-lambda-authorizer-input.html
func (x *restExchange) appendRequestEvent(b []byte, arn string) []byte {
	b = append(b, `{"type":"REQUEST",`...)
	b = appendField(b, "methodArn", arn)
	b = append(b, ',')
	b = appendField(b, "resource", x.method.Resource.Path)
	b = append(b, ',')
	b = x.appendRequest(b, int(max(0, x.r.ContentLength)))
	b = append(b, `,"requestContext":`...)
	b = x.appendContext(b, false)
	return append(b, '}')
}

// appendRequest appends the members from path to stageVariables.
func (x *restExchange) appendRequest(b []byte, bodySize int) []byte {
	if x.t.Custom { // there, the base path belongs to it
		b = appendField(b, "path", x.t.Base+x.full)
	} else {
		b = appendField(b, "path", x.path)
	}
	b = append(b, ',')
	b = appendField(b, "httpMethod", x.r.Method)
	b = append(b, `,"headers":{`...)
	start := len(b)
	x.restHeaders(bodySize, func(name string, values []string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendString(b, values[len(values)-1])
	})
	b = append(b, `},"multiValueHeaders":{`...)
	start = len(b)
	x.restHeaders(bodySize, func(name string, values []string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = append(appendString(b, name), ':')
		b = appendList(b, values)
	})
	b = append(b, '}')
	p := x.parameters()
	if len(p.query) == 0 {
		b = append(b, `,"queryStringParameters":null,"multiValueQueryStringParameters":null`...)
	} else {
		b = append(b, `,"queryStringParameters":{`...)
		for i, q := range p.query {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, q.name), ':')
			b = appendString(b, q.values[len(q.values)-1])
		}
		b = append(b, `},"multiValueQueryStringParameters":{`...)
		for i, q := range p.query {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, q.name), ':')
			b = appendList(b, q.values)
		}
		b = append(b, '}')
	}
	b = append(b, `,"pathParameters":`...)
	if len(p.path) == 0 {
		b = append(b, "null"...)
	} else {
		for i, f := range p.path {
			b = append(b, "{,"[min(i, 1)])
			b = append(appendString(b, f.name), ':')
			b = appendString(b, f.value)
		}
		b = append(b, '}')
	}
	b = append(b, `,"stageVariables":`...)
	if x.plan.variables == "" {
		return append(b, "null"...)
	}
	return append(b, x.plan.variables...)
}

// restHeaders calls f for each header that a function sees, in order, by its canonical name.
func (x *restExchange) restHeaders(bodySize int, f func(name string, values []string)) {
	x.headers(bodySize, func(name string, values []string) {
		if name == "content-length" { // REST APIs do not show it
			return
		}
		f(canonical(name), values)
	})
}

// canonical returns a header name in canonical form, for the common ones without allocating.
func canonical(name string) string {
	if c, ok := raised[name]; ok {
		return c
	}
	return http.CanonicalHeaderKey(name)
}

// raised is never written to.
var raised = func() map[string]string {
	m := make(map[string]string, len(lowered))
	for c, l := range lowered {
		m[l] = c
	}
	return m
}()

// appendContext appends requestContext. who tells whether the authorizer has been asked.
func (x *restExchange) appendContext(b []byte, who bool) []byte {
	b = append(b, '{')
	b = appendField(b, "resourceId", x.method.Resource.ID)
	b = append(b, ',')
	if who {
		b = x.appendAuthorizer(b)
	}
	b = appendField(b, "resourcePath", x.method.Resource.Path)
	if op := x.method.Operation; op != "" {
		b = append(b, ',')
		b = appendField(b, "operationName", op)
	}
	b = append(b, ',')
	b = appendField(b, "httpMethod", x.r.Method)
	b = append(b, ',')
	b = appendField(b, "extendedRequestId", x.extended)
	b = append(b, `,"requestTime":"`...)
	b = appendTime(b, x.start)
	b = append(b, `",`...)
	b = appendField(b, "path", x.contextPath())
	b = append(b, ',')
	b = appendField(b, "accountId", x.api.Account)
	b = append(b, ',')
	b = appendField(b, "protocol", x.protocol())
	b = append(b, ',')
	b = appendField(b, "stage", x.api.Stage)
	b = append(b, ',')
	domain, prefix := x.domain()
	b = appendField(b, "domainPrefix", prefix)
	b = append(b, `,"requestTimeEpoch":`...)
	b = strconv.AppendInt(b, x.start.UnixMilli(), 10)
	b = append(b, ',')
	b = appendField(b, "requestId", x.id)
	b = append(b, `,"identity":{`...)
	if v := x.apiKeyValue(); v != "" {
		b = appendField(b, "apiKey", v)
		b = append(b, ',')
		if x.key != nil {
			b = appendField(b, "apiKeyId", x.key.ID)
			b = append(b, ',')
		}
	}
	b = x.appendIdentityREST(b)
	b = append(b, `},`...)
	b = appendField(b, "domainName", domain)
	b = append(b, ',')
	b = appendField(b, "deploymentId", x.snap.DeploymentID)
	b = append(b, ',')
	b = appendField(b, "apiId", x.t.APIID)
	return append(b, '}')
}

func (x *restExchange) appendIdentityREST(b []byte) []byte {
	if c := x.t.Client; c != nil {
		b = append(appendClient(b, c), ',')
	}
	for _, name := range [...]string{"cognitoIdentityPoolId", "accountId", "cognitoIdentityId", "caller"} {
		b = append(appendOptional(b, name, x.signer(name)), ',')
	}
	b = appendField(b, "sourceIp", x.source)
	b = append(b, `,"principalOrgId":null,`...)
	for _, name := range [...]string{"accessKey", "cognitoAuthenticationType", "cognitoAuthenticationProvider", "userArn"} {
		b = append(appendOptional(b, name, x.signer(name)), ',')
	}
	b = append(appendOptional(b, "userAgent", x.r.Header.Get("User-Agent")), ',')
	return appendOptional(b, "user", x.signer("user"))
}

// remapped tells whether a header of an integration's answer reaches the client under another name, for it is
// API Gateway's own to set.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-known-issues.html
func remapped(name string) bool {
	switch name {
	case "Authorization", "Connection", "Content-Md5", "Date", "Host", "Max-Forwards", "Server", "User-Agent", "Www-Authenticate":
		return true
	}
	return false
}

// setHeader adds a header of an integration to the answer.
func setHeader(h http.Header, name, value string) {
	name = http.CanonicalHeaderKey(name)
	switch {
	case remapped(name):
		name = "X-Amzn-Remapped-" + name
	case hopByHop(name), name == "Content-Length", name == "Expect", name == "X-Amzn-Requestid", name == "X-Amz-Apigw-Id":
		return
	}
	if !validHeader(name, value) {
		return
	}
	h[name] = append(h[name], value)
}

// validHeader keeps what would break the answer's head out of it.
func validHeader(name, value string) bool {
	return fieldName(name) && !strings.ContainsAny(value, "\r\n\x00")
}

// fieldName tells whether a name is one that a header can have: RFC 9110, section 5.6.2. Others some servers read as
// Transfer-Encoding.
func fieldName(name string) bool {
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
			return false
		}
	}
	return name != ""
}
