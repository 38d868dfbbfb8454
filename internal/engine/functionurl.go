package engine

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/gateway"
)

// urlPrefix is the path below which the URL of a function is reached without its host name.
const urlPrefix = "/_aws/lambda-url/"

// urlTarget tells whether r is for the URL of a function: by its host, ID.lambda-url.REGION.on.aws, or by its
// path, /_aws/lambda-url/ID/….
func urlTarget(r *http.Request) (gateway.Target, bool) {
	host := strings.ToLower(strings.TrimSuffix(hostOf(r.Host), "."))
	if id, rest, ok := strings.Cut(host, ".lambda-url."); ok && id != "" && !strings.Contains(id, ".") &&
		(rest == "localhost" || strings.HasSuffix(rest, ".on.aws")) {
		return gateway.Target{APIID: id, Path: r.URL.EscapedPath(), Host: r.Host}, true
	}
	rest, ok := strings.CutPrefix(r.URL.EscapedPath(), urlPrefix)
	if !ok {
		return gateway.Target{}, false
	}
	id, tail, found := strings.Cut(rest, "/")
	if found {
		tail = "/" + tail
	}
	return gateway.Target{APIID: id, Path: tail}, id != ""
}

// unreachableURL is the address that a function's URL has on AWS.
var unreachableURL = regexp.MustCompile(`https://([a-z0-9]{32})\.lambda-url\.[a-z0-9-]+\.on\.aws`)
