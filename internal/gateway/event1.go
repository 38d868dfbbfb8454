package gateway

import "strconv"

// appendEvent1 appends the event of payload format 1.0, that of REST APIs. Fields that have no value are
// null.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func (x *httpExchange) appendEvent1(b, body []byte) []byte {
	e, r := &x.route.event, x.r
	b = append(b, e.head...)
	b = appendString(b, x.clientPath())
	b = append(b, ',')
	b = appendField(b, "httpMethod", r.Method)
	b = append(b, `,"headers":{`...)
	start := len(b)
	x.headers(len(body), func(name string, values []string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = appendString(b, name1(name))
		b = append(b, ':')
		b = appendString(b, values[len(values)-1])
	})
	b = append(b, `},"multiValueHeaders":{`...)
	start = len(b)
	x.headers(len(body), func(name string, values []string) {
		if len(b) > start {
			b = append(b, ',')
		}
		b = appendString(b, name1(name))
		b = append(b, ':')
		b = appendList(b, values)
	})
	b = append(b, '}')
	if list := parameters(r.URL.RawQuery); len(list) > 0 {
		b = append(b, `,"queryStringParameters":{`...)
		for i, p := range list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, p.name)
			b = append(b, ':')
			b = appendString(b, p.values[len(p.values)-1])
		}
		b = append(b, `},"multiValueQueryStringParameters":{`...)
		for i, p := range list {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, p.name)
			b = append(b, ':')
			b = appendList(b, p.values)
		}
		b = append(b, '}')
	} else {
		b = append(b, `,"queryStringParameters":null,"multiValueQueryStringParameters":null`...)
	}
	b = append(b, `,"requestContext":{`...)
	b = append(b, e.account...)
	b = append(b, `,"authorizer":`...)
	b = x.appendCaller1(b)
	b = append(b, ',')
	b = x.appendContext1(b)
	b = append(b, `},"pathParameters":`...)
	if x.route.HasVariables() {
		b = x.appendPathParameters(b)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"stageVariables":`...)
	if e.variables != "" {
		b = append(b, e.variables...)
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"body":`...)
	encoded := false
	if len(body) > 0 {
		b, encoded = appendBody(b, body, r.Header.Get("Content-Type"))
	} else {
		b = append(b, "null"...)
	}
	b = append(b, `,"isBase64Encoded":`...)
	b = strconv.AppendBool(b, encoded)
	return append(b, '}')
}

// appendContext1 appends the members of format 1.0's requestContext that functions and authorizers both
// see, from domainName on.
func (x *httpExchange) appendContext1(b []byte) []byte {
	domain, prefix := x.domain()
	b = appendField(b, "domainName", domain)
	b = append(b, ',')
	b = appendField(b, "domainPrefix", prefix)
	b = append(b, ',')
	b = appendField(b, "extendedRequestId", x.id)
	b = append(b, ',')
	b = appendField(b, "httpMethod", x.r.Method)
	b = append(b, `,"identity":{`...)
	b = x.appendIdentity(b, noOrg)
	b = append(b, `},`...)
	b = appendField(b, "path", x.clientPath())
	b = append(b, ',')
	b = appendField(b, "protocol", x.protocol())
	b = append(b, ',')
	b = appendField(b, "requestId", x.id)
	b = append(b, `,"requestTime":"`...)
	b = appendTime(b, x.start)
	b = append(b, `","requestTimeEpoch":`...)
	b = strconv.AppendInt(b, x.start.UnixMilli(), 10)
	b = append(b, `,"resourceId":null,`...)
	b = appendField(b, "resourcePath", x.route.Path)
	b = append(b, `,"stage":`...)
	b = append(b, x.route.event.stage...)
	return b
}

// name1 is a header's name in format 1.0: those that the gateway sets are capitalised.
func name1(name string) string {
	switch name {
	case "content-length":
		return "Content-Length"
	case "host":
		return "Host"
	case "user-agent":
		return "User-Agent"
	case "x-amzn-trace-id":
		return "X-Amzn-Trace-Id"
	case "x-forwarded-for":
		return "X-Forwarded-For"
	case "x-forwarded-port":
		return "X-Forwarded-Port"
	case "x-forwarded-proto":
		return "X-Forwarded-Proto"
	}
	return name
}
