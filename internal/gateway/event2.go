package gateway

import (
	"strconv"
	"strings"
)

// appendEvent2 appends the event of payload format 2.0. Fields that have no value are left out, as AWS
// does.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
func (x *httpExchange) appendEvent2(b, body []byte) []byte {
	e := &x.route.event
	b = append(b, e.head...)
	b = x.appendRequest2(b, len(body))
	b = append(b, `,"requestContext":{`...)
	b = append(b, e.account...)
	b = x.appendCaller2(b, noOrg)
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
	return x.appendBody2(b, body)
}

// appendRequest2 appends the members of an event that repeat the request, after "rawPath":.
func (x *exchange) appendRequest2(b []byte, bodySize int) []byte {
	r := x.r
	b = appendString(b, x.full)
	b = append(b, ',')
	b = appendField(b, "rawQueryString", r.URL.RawQuery)
	if cookies := r.Header["Cookie"]; len(cookies) > 0 {
		b = append(b, `,"cookies":`...)
		b = appendList(b, splitCookies(cookies))
	}
	b = append(b, `,"headers":{`...)
	start := len(b)
	x.headers(bodySize, func(name string, values []string) {
		if name == "cookie" {
			return
		}
		if len(b) > start {
			b = append(b, ',')
		}
		v := values[0]
		if len(values) > 1 {
			v = strings.Join(values, ",")
		}
		b = appendString(b, name)
		b = append(b, ':')
		b = appendString(b, v)
	})
	b = append(b, '}')
	if r.URL.RawQuery != "" {
		if list := parameters(r.URL.RawQuery); len(list) > 0 {
			b = append(b, `,"queryStringParameters":{`...)
			for i, p := range list {
				if i > 0 {
					b = append(b, ',')
				}
				b = appendString(b, p.name)
				b = append(b, ':')
				b = appendString(b, strings.Join(p.values, ","))
			}
			b = append(b, '}')
		}
	}
	return b
}

// appendContext2 appends the members of requestContext that follow the caller. routeKey and stage are JSON.
func (x *exchange) appendContext2(b []byte, routeKey, stage string) []byte {
	r := x.r
	domain, prefix := x.domain()
	if c := x.t.Client; c != nil {
		b = append(b, `,"authentication":{`...)
		b = append(appendClient(b, c), '}')
	}
	b = append(b, ',')
	b = appendField(b, "domainName", domain)
	b = append(b, ',')
	b = appendField(b, "domainPrefix", prefix)
	b = append(b, `,"http":{`...)
	b = appendField(b, "method", r.Method)
	b = append(b, ',')
	b = appendField(b, "path", x.full)
	b = append(b, ',')
	b = appendField(b, "protocol", x.protocol())
	b = append(b, ',')
	b = appendField(b, "sourceIp", x.source)
	b = append(b, ',')
	b = appendField(b, "userAgent", r.Header.Get("User-Agent"))
	b = append(b, `},`...)
	b = appendField(b, "requestId", x.id)
	b = append(b, `,"routeKey":`...)
	b = append(b, routeKey...)
	b = append(b, `,"stage":`...)
	b = append(b, stage...)
	b = append(b, `,"time":"`...)
	b = appendTime(b, x.start)
	b = append(b, `","timeEpoch":`...)
	b = strconv.AppendInt(b, x.start.UnixMilli(), 10)
	return b
}

// appendBody2 appends the body, and the end of the event.
func (x *exchange) appendBody2(b, body []byte) []byte {
	encoded := false
	if len(body) > 0 {
		b = append(b, `,"body":`...)
		b, encoded = appendBody(b, body, x.r.Header.Get("Content-Type"))
	}
	b = append(b, `,"isBase64Encoded":`...)
	b = strconv.AppendBool(b, encoded)
	return append(b, '}')
}

// splitCookies returns the cookies of all Cookie headers, each as it was sent.
func splitCookies(headers []string) []string {
	var out []string
	for _, h := range headers {
		for c := range strings.SplitSeq(h, ";") {
			if c = strings.TrimSpace(c); c != "" {
				out = append(out, c)
			}
		}
	}
	return out
}
