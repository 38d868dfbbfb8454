package gateway

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
)

// contextValue returns the value of a variable of $context; ok is false if it has none.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-mapping-template-reference.html
func (x *restExchange) contextValue(name string) (value string, ok bool) {
	switch name {
	case "accountId":
		value = x.api.Account
	case "apiId":
		value = x.t.APIID
	case "stage":
		value = x.api.Stage
	case "deploymentId":
		value = x.snap.DeploymentID
	case "requestId":
		value = x.id
	case "extendedRequestId":
		value = x.extended
	case "httpMethod":
		value = x.r.Method
	case "path":
		value = x.contextPath()
	case "protocol":
		value = x.protocol()
	case "domainName":
		value, _ = x.domain()
	case "domainPrefix":
		_, value = x.domain()
	case "customDomain.basePathMatched":
		value = strings.TrimPrefix(x.t.Base, "/")
	case "requestTime":
		value = string(appendTime(nil, x.start))
	case "requestTimeEpoch":
		value = strconv.FormatInt(x.start.UnixMilli(), 10)
	case "xrayTraceId":
		value = strings.TrimPrefix(x.traceID(), "Root=")
	case "resourceId":
		if x.method != nil {
			value = x.method.Resource.ID
		}
	case "resourcePath":
		if x.method != nil {
			value = x.method.Resource.Path
		}
	case "operationName":
		if x.method != nil {
			value = x.method.Operation
		}
	case "isCanaryRequest":
		value = strconv.FormatBool(x.snap.IsCanary)
	case "identity.sourceIp":
		value = x.source
	case "identity.userAgent":
		value = x.r.Header.Get("User-Agent")
	case "identity.apiKey":
		value = x.apiKeyValue()
	case "identity.apiKeyId":
		if x.key != nil {
			value = x.key.ID
		}
	case "error.message":
		value = x.errMessage
	case "error.messageString":
		if x.errMessage == "" && x.errType == "" {
			return "", false
		}
		value = messageString(x.errType, x.errMessage)
	case "error.responseType":
		value = x.errType
	case "error.validationErrorString":
		value = x.validation
	case "authorizer.principalId":
		if l := x.caller.Lambda; l != nil {
			value = l.Principal
		}
	default:
		if n, isIdentity := strings.CutPrefix(name, "identity."); isIdentity {
			value = x.signer(n)
		} else if n, isAuth := strings.CutPrefix(name, "authorizer."); isAuth {
			return x.authorizerValue(n)
		}
	}
	return value, value != ""
}

// messageString is the message as JSON.
func messageString(typ, message string) string {
	if message == "" && (typ == v1.GatewayResponseTypeAuthorizerConfigurationError || typ == v1.GatewayResponseTypeAuthorizerFailure) {
		return "null"
	}
	return string(appendString(nil, message))
}

// apiKeyValue is the key that the client has sent, or the authorizer has named.
func (x *restExchange) apiKeyValue() string {
	if x.keyV != "" {
		return x.keyV
	}
	if x.method != nil && x.method.KeyRequired {
		return x.r.Header.Get("X-Api-Key")
	}
	return ""
}

func (x *restExchange) authorizerValue(name string) (string, bool) {
	if claim, ok := strings.CutPrefix(name, "claims."); ok {
		if x.caller.Token == nil {
			return "", false
		}
		v, ok := x.caller.Token.Claims[claim]
		if !ok {
			return "", false
		}
		return restClaim(claim, v), true
	}
	if l := x.caller.Lambda; l != nil {
		for i := range l.Context {
			if l.Context[i].Name == name {
				return l.Context[i].Text(), true
			}
		}
	}
	return "", false
}

// contextPath is the path with the stage, or on a custom domain with the base path.
func (x *restExchange) contextPath() string {
	if x.t.Custom {
		return x.t.Base + x.full
	}
	return "/" + x.api.Stage + x.path
}

// logREST writes the request's line of the access log.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
func (x *restExchange) logREST(f *logFormat, took time.Duration) {
	if x.g.AccessLog == nil {
		return
	}
	b := make([]byte, 0, 512)
	for i, name := range f.variables {
		b = append(b, f.text[i]...)
		b = x.appendLogged(b, name, took)
	}
	b = append(b, f.text[len(f.variables)]...)
	x.g.AccessLog.Write(f.region, f.group, f.stream, x.start, b)
}

func (x *restExchange) appendLogged(b []byte, name string, took time.Duration) []byte {
	number := func(n int64) []byte { return strconv.AppendInt(b, n, 10) }
	switch name {
	case "status":
		return number(int64(x.status))
	case "responseLength":
		return number(x.size)
	case "responseLatency":
		return number(took.Milliseconds())
	case "integrationStatus", "integration.integrationStatus", "integration.status":
		if x.integrationStatus != 0 {
			return number(int64(x.integrationStatus))
		}
		return append(b, '-')
	case "integrationLatency", "integration.latency":
		if x.integrationStatus != 0 {
			return number(x.integrationMillis)
		}
		return append(b, '-')
	case "awsEndpointRequestId", "integration.requestId":
		return appendEscaped(b, cmp.Or(x.endpointID, "-"))
	case "awsEndpointRequestId2":
		return appendEscaped(b, cmp.Or(x.endpointID2, "-"))
	case "integration.error", "integrationErrorMessage":
		if x.integrationError == "" {
			return append(b, '-')
		}
		return appendEscaped(b, x.integrationError)
	case "authorizer.error":
		if x.caller.Why == "" {
			return append(b, '-')
		}
		return appendEscaped(b, x.caller.Why)
	case "authorizer.integrationLatency", "authorizer.latency":
		if x.caller.Lambda == nil {
			return append(b, '-')
		}
		return number(x.authMillis)
	case "error.messageString":
		if v, ok := x.contextValue(name); ok {
			return append(b, v...)
		}
		return append(b, '-')
	case "identity.apiKey":
		name = "identity.apiKeyId" // a log is no place for the key itself
	}
	v, ok := x.contextValue(name)
	if !ok {
		return append(b, '-')
	}
	return appendEscaped(b, v)
}

// appendEscaped appends text as in a JSON string, without the quotes.
func appendEscaped(b []byte, s string) []byte {
	at := len(b)
	b = appendString(b, s)
	return append(b[:at], b[at+1:len(b)-1]...)
}
