package gateway

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
)

// errorTypes are the values of x-amzn-ErrorType by the type of the gateway response.
var errorTypes = map[string]string{
	v1.GatewayResponseTypeMissingAuthenticationToken: "MissingAuthenticationTokenException",
	v1.GatewayResponseTypeInvalidApiKey:              "ForbiddenException",
	v1.GatewayResponseTypeThrottled:                  "TooManyRequestsException",
	v1.GatewayResponseTypeQuotaExceeded:              "LimitExceededException",
	v1.GatewayResponseTypeBadRequestParameters:       "BadRequestException",
	v1.GatewayResponseTypeBadRequestBody:             "BadRequestException",
	v1.GatewayResponseTypeUnsupportedMediaType:       "BadRequestException",
	v1.GatewayResponseTypeRequestTooLarge:            "RequestTooLargeException",
}

// refuseAs answers with a gateway response.
func (x *restExchange) refuseAs(typ, message string) {
	name := errorTypes[typ]
	if name == "" {
		name = "InternalServerErrorException"
	}
	x.answerType(typ, name, message)
}

// broken answers for an API that is not configured well.
func (x *restExchange) broken() {
	x.refuseAs(v1.GatewayResponseTypeApiConfigurationError, "Internal server error")
}

// badGateway answers for a function whose answer is none.
func (x *restExchange) badGateway() {
	x.answerStatus(v1.GatewayResponseTypeDefault5xx, http.StatusBadGateway, "InternalServerErrorException", "Internal server error")
}

func (x *restExchange) timedOut() {
	x.refuseAs(v1.GatewayResponseTypeIntegrationTimeout, "Endpoint request timed out")
}

func (x *restExchange) answerType(typ, errorType, message string) {
	x.answerStatus(typ, 0, errorType, message)
}

// answerStatus answers with the gateway response of a type; status is the event's, if the type has none.
func (x *restExchange) answerStatus(typ string, status int, errorType, message string) {
	x.errType, x.errMessage = typ, message
	g := x.snap.Response(typ)
	if g == nil {
		g = &restapis.GatewayResponse{Type: typ, Default: true}
	}
	if g.Status != 0 {
		status = g.Status
	} else if status == 0 {
		status = http.StatusInternalServerError
	}
	h := x.w.Header()
	h["X-Amzn-Errortype"] = []string{errorType}
	if g.Default {
		x.write(status, contentJSON[0], []byte(defaultBody(typ, message)))
		return
	}
	for _, m := range g.Parameters {
		if m.In != "header" {
			continue
		}
		src := compileSource(m.Source)
		if values, ok := x.value(&src); ok {
			setMapped(h, http.CanonicalHeaderKey(m.Name), values[len(values)-1:])
		}
	}
	ct := x.chooseType(slices.Sorted(maps.Keys(g.Templates)))
	x.write(status, ct, []byte(x.substitute(g.Templates[ct])))
}

// defaultBody is the body of a gateway response that nobody has customised, to the letter and the space.
func defaultBody(typ, message string) string {
	switch text := messageString(typ, message); typ {
	case v1.GatewayResponseTypeAccessDenied:
		return `{"Message":` + text + `}`
	case v1.GatewayResponseTypeApiConfigurationError, v1.GatewayResponseTypeIntegrationFailure, v1.GatewayResponseTypeIntegrationTimeout, v1.GatewayResponseTypeDefault5xx,
		v1.GatewayResponseTypeBadRequestBody, v1.GatewayResponseTypeBadRequestParameters, v1.GatewayResponseTypeUnsupportedMediaType:
		return `{"message": ` + text + `}`
	default:
		return `{"message":` + text + `}`
	}
}

// substitute puts variables into the template of a gateway response, which is not VTL: $context.…,
// $stageVariables.…, and parameters of the request.
func (x *restExchange) substitute(text string) string {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		text = after
		name, formal := after, strings.HasPrefix(after, "{")
		if formal {
			name = name[1:]
		}
		end := 0
		for end < len(name) && (name[end] == '.' || name[end] == '-' || name[end] == '_' || name[end] >= '0' && name[end] <= '9' || name[end] >= 'a' && name[end] <= 'z' || name[end] >= 'A' && name[end] <= 'Z') {
			end++
		}
		whole := name[:end]
		variable := strings.TrimRight(whole, ".-")
		var value string
		known := true
		switch group, rest, _ := strings.Cut(variable, "."); group {
		case "context":
			value, _ = x.contextValue(rest)
		case "stageVariables":
			value = x.snap.Variables[rest]
		case "method":
			src := compileSource(variable)
			if v, ok := x.value(&src); ok {
				value = v[0]
			}
		default:
			known = false
		}
		if !known || formal && !strings.HasPrefix(name[end:], "}") {
			b.WriteByte('$')
			continue
		}
		b.WriteString(value)
		if formal {
			text = name[end+1:]
		} else {
			text = name[len(variable):]
		}
	}
}

// chooseType picks the content type that the client accepts, else JSON, else the first.
func (x *restExchange) chooseType(types []string) string {
	if len(types) == 0 {
		return contentJSON[0]
	}
	for part := range strings.SplitSeq(x.r.Header.Get("Accept"), ",") {
		t, _, _ := strings.Cut(part, ";")
		t = strings.ToLower(strings.TrimSpace(t))
		if slices.Contains(types, t) {
			return t
		}
	}
	if slices.Contains(types, contentJSON[0]) {
		return contentJSON[0]
	}
	return types[0]
}

// bare answers where there is no stage, and so no gateway responses.
func (x *restExchange) bare(status int, errorType, message string) {
	x.w.Header()["X-Amzn-Errortype"] = []string{errorType}
	x.write(status, contentJSON[0], []byte(`{"message":`+string(appendString(nil, message))+`}`))
}

// write answers.
func (x *restExchange) write(status int, contentType string, body []byte) {
	h := x.w.Header()
	if h["Content-Type"] == nil && contentType != "" {
		h["Content-Type"] = []string{contentType}
	}
	bare := status == http.StatusNoContent || status == http.StatusNotModified || status < 200
	if !bare {
		if x.plan != nil {
			body = x.compress(body)
		}
		h["Content-Length"] = []string{itoa(len(body))}
	}
	x.status, x.size = status, int64(len(body))
	x.w.WriteHeader(status)
	if !bare && x.r.Method != http.MethodHead {
		_, _ = x.w.Write(body) // the client is gone: nobody to tell
	}
}

// compress packs an answer, where the API and the client want that.
// https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-gzip-compression-decompression.html
func (x *restExchange) compress(body []byte) []byte {
	h := x.w.Header()
	if x.snap.MinCompression < 0 || int64(len(body)) < x.snap.MinCompression || len(body) == 0 || h["Content-Encoding"] != nil {
		return body
	}
	var b bytes.Buffer
	for part := range strings.SplitSeq(x.r.Header.Get("Accept-Encoding"), ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil || params["q"] == "0" {
			continue
		}
		var w io.WriteCloser
		switch name {
		case "gzip":
			w = gzip.NewWriter(&b)
		case "deflate":
			w = zlib.NewWriter(&b)
		case "identity":
			return body
		default:
			continue
		}
		_, _ = w.Write(body) // into memory
		_ = w.Close()
		h["Content-Encoding"] = []string{name}
		return b.Bytes()
	}
	return body
}

var errEncoding = errors.New("the body's encoding is not one of gzip, deflate and identity")

// decompress unpacks a body.
func decompress(body []byte, encoding string) ([]byte, error) {
	var r io.Reader
	var err error
	switch strings.ToLower(encoding) {
	case "identity":
		return body, nil
	case "gzip":
		r, err = gzip.NewReader(bytes.NewReader(body))
	case "deflate":
		if r, err = zlib.NewReader(bytes.NewReader(body)); err != nil {
			r, err = flate.NewReader(bytes.NewReader(body)), nil
		}
	default:
		return nil, errEncoding
	}
	if err != nil {
		return nil, err
	}
	out, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if len(out) > maxBody {
		return nil, errTooLarge
	}
	return out, err
}
