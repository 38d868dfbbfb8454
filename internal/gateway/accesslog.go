package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/gateway/authorizer"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
)

// logFormat is an access log's format, taken apart: text and variables in turn.
type logFormat struct {
	region, group, stream string
	text                  []string // text[i] goes before variables[i]; one more than these
	variables             []string // "requestId" for $context.requestId
}

// compileLog takes a stage's format apart.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-logging-variables.html
func compileLog(s *httpapis.Snapshot) *logFormat {
	return newLogFormat(s.Region, s.AccessLog.LogGroup, s.APIID+"/"+s.Stage, s.AccessLog.Format)
}

// newLogFormat takes a format apart. The stream is named after the stage.
func newLogFormat(region, group, stage, format string) *logFormat {
	sum := sha256.Sum256([]byte(stage))
	f := &logFormat{region: region, group: group, stream: hex.EncodeToString(sum[:16])}
	const prefix = "$context."
	text, rest, found := strings.Cut(format, prefix)
	for ; found; text, rest, found = strings.Cut(rest, prefix) {
		end := 0
		for end < len(rest) && (rest[end] == '.' || rest[end] == '-' || rest[end] == '_' || rest[end] >= '0' && rest[end] <= '9' ||
			rest[end] >= 'A' && rest[end] <= 'Z' || rest[end] >= 'a' && rest[end] <= 'z') {
			end++
		}
		name := strings.TrimRight(rest[:end], ".-")
		f.text, f.variables = append(f.text, text), append(f.variables, name)
		rest = rest[len(name):]
	}
	f.text = append(f.text, strings.TrimRight(text, "\n"))
	return f
}

// logAccess writes the request's line.
func (x *exchange) logAccess(f *logFormat, took time.Duration) {
	if x.g.AccessLog == nil {
		return
	}
	b := make([]byte, 0, 512)
	for i, name := range f.variables {
		b = append(b, f.text[i]...)
		b = x.appendVariable(b, name, took)
	}
	b = append(b, f.text[len(f.variables)]...)
	x.g.AccessLog.Write(f.region, f.group, f.stream, x.start, b)
}

// appendVariable appends the value of a context variable, "-" if it has none. What clients have chosen is
// escaped as in JSON, whose strings the variables mostly stand in.
func (x *exchange) appendVariable(b []byte, name string, took time.Duration) []byte {
	number := func(n int64) []byte { return strconv.AppendInt(b, n, 10) }
	value := ""
	switch name {
	case "accountId":
		value = x.api.Account
	case "apiId":
		value = x.t.APIID
	case "stage":
		value = x.api.Stage
	case "requestId", "extendedRequestId":
		value = x.id
	case "httpMethod":
		value = x.r.Method
	case "path":
		value = x.full
	case "protocol":
		value = x.protocol()
	case "domainName":
		value, _ = x.domain()
	case "domainPrefix":
		_, value = x.domain()
	case "routeKey":
		value = x.routeKey
	case "status":
		return number(int64(x.status))
	case "responseLength":
		return number(x.size)
	case "responseLatency":
		return number(took.Milliseconds())
	case "requestTime":
		return appendTime(b, x.start)
	case "requestTimeEpoch":
		return number(x.start.UnixMilli())
	case "identity.sourceIp":
		value = x.source
	case "identity.userAgent":
		value = x.r.Header.Get("User-Agent")
	case "integration.status": // of a function: what its code says
		if x.functionStatus != 0 {
			return number(int64(x.functionStatus))
		}
		fallthrough
	case "integrationStatus", "integration.integrationStatus": // of a function: what Lambda says
		if x.integrationStatus != 0 {
			return number(int64(x.integrationStatus))
		}
	case "integration.latency", "integrationLatency":
		if x.integrationStatus != 0 {
			return number(x.integrationMillis)
		}
	case "integration.error", "integrationErrorMessage":
		value = x.integrationError
	case "awsEndpointRequestId", "integration.requestId":
		value = x.endpointID
	case "awsEndpointRequestId2":
		value = x.endpointID2
	case "dataProcessed":
		return number(int64(x.bodySize()) + x.size)
	case "customDomain.basePathMatched":
		value = strings.TrimPrefix(x.t.Base, "/")
	case "error.message":
		value = x.errorMessage
	case "error.messageString":
		if x.errorMessage != "" {
			return appendString(b, x.errorMessage)
		}
	case "error.responseType":
		value = x.responseType()
	case "authorizer.error":
		value = x.caller.Why
	case "identity.accessKey", "identity.accountId", "identity.caller", "identity.user", "identity.userArn", "identity.cognitoAuthenticationProvider",
		"identity.cognitoAuthenticationType", "identity.cognitoIdentityId", "identity.cognitoIdentityPoolId", "identity.principalOrgId":
		value = x.signer(name[len("identity."):])
	default:
		if cert, ok := strings.CutPrefix(name, "identity.clientCert."); ok {
			value = x.clientValue(cert)
		}
		if l := x.caller.Lambda; l != nil && strings.HasPrefix(name, "authorizer.") {
			value = l.Property(name[len("authorizer."):])
		}
		for _, prefix := range []string{"authorizer.claims.", "authorizer.jwt.claims."} {
			if claim, ok := strings.CutPrefix(name, prefix); ok && x.caller.Token != nil {
				if v, ok := x.caller.Token.Claims[claim]; ok {
					value = claimText(v)
				}
			}
		}
	}
	if value == "" {
		return append(b, '-')
	}
	at := len(b)
	b = appendString(b, value)
	return append(b[:at], b[at+1:len(b)-1]...) // without the quotes
}

// responseType names the kind of error that the gateway answered with, as gateway responses of REST APIs are named;
// "" if the answer is none of its own.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html
func (x *exchange) responseType() string {
	switch {
	case x.errorMessage == "":
		return ""
	case x.status == http.StatusUnauthorized:
		return "UNAUTHORIZED"
	case x.status == http.StatusForbidden:
		return "ACCESS_DENIED"
	case x.status == http.StatusNotFound:
		return "RESOURCE_NOT_FOUND"
	case x.status == http.StatusRequestEntityTooLarge:
		return "REQUEST_TOO_LARGE"
	case x.status == http.StatusTooManyRequests:
		return "THROTTLED"
	case x.status < 500:
		return "DEFAULT_4XX"
	case x.caller.Refusal != authorizer.None:
		return "AUTHORIZER_FAILURE"
	case x.integrationError != "":
		return "INTEGRATION_FAILURE"
	}
	return "DEFAULT_5XX"
}

// signer returns what an access log shows of who has signed the request.
func (x *exchange) signer(name string) string {
	if cert, ok := strings.CutPrefix(name, "clientCert."); ok {
		return x.clientValue(cert)
	}
	c := x.caller.Caller
	if c == nil {
		return ""
	}
	id := cognitoIdentity(c)
	kind, providers := id.kind()
	switch name {
	case "accessKey":
		return c.AccessKey
	case "accountId":
		return c.Account
	case "caller", "user":
		return c.UserID
	case "userArn":
		return c.ARN
	case "cognitoAuthenticationProvider":
		return providers
	case "cognitoAuthenticationType":
		return kind
	case "cognitoIdentityId":
		return id.id
	case "cognitoIdentityPoolId":
		return id.pool
	}
	return "" // accounts here are in no organization
}
