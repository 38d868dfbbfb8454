package engine

import (
	"net/http/httptest"
	"strings"
	"testing"
)

// The URL of a function, by its host in every form and by its path.
func TestFunctionURLAddresses(t *testing.T) {
	id := strings.Repeat("a1", 16)
	for host, want := range map[string]string{
		id + ".lambda-url.us-east-1.on.aws": id, strings.ToUpper(id) + ".lambda-url.us-east-1.on.aws:443": id, id + ".lambda-url.us-east-1.on.aws.": id, id + ".lambda-url.localhost:4566": id,
		"x." + id + ".lambda-url.us-east-1.on.aws": "", ".lambda-url.us-east-1.on.aws": "", id + ".lambda-url.us-east-1.on.aws.evil.example": "", "localhost": "",
	} {
		r := httptest.NewRequest("GET", "/x", nil)
		r.Host = host
		if target, ok := urlTarget(r); target.APIID != want || ok != (want != "") || ok && target.Path != "/x" {
			t.Errorf("%s: %+v %v, want %q", host, target, ok, want)
		}
	}
	for path, want := range map[string]string{"/_aws/lambda-url/" + id: "", "/_aws/lambda-url/" + id + "/": "/", "/_aws/lambda-url/" + id + "/a%20b//c?q=1": "/a%20b//c"} {
		if target, ok := urlTarget(httptest.NewRequest("GET", path, nil)); !ok || target.APIID != id || target.Path != want || target.Host != "" {
			t.Errorf("%s: %+v %v", path, target, ok)
		}
	}
	e := &Engine{cfg: Config{Addr: "127.0.0.1:4566", PublicURL: "https://auth.example.com"}}
	if got := e.reachable("see https://" + id + ".lambda-url.eu-west-1.on.aws/ and https://short.lambda-url.eu-west-1.on.aws/"); got != "see https://auth.example.com/_aws/lambda-url/"+id+"/ and https://short.lambda-url.eu-west-1.on.aws/" {
		t.Errorf("output is %q", got)
	}
}
