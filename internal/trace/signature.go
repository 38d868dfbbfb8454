package trace

import (
	"net/http"
	"net/textproto"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// SignatureOf sets the canonical request that a server made of r, and that bad, a mismatch, holds, beside
// what r shows of each line. sig is what r says of its signature.
func SignatureOf(r *http.Request, sig *sigv4.Signature, bad *sigv4.Error) *Signature {
	out := &Signature{AccessKey: sig.AccessKey, Scope: sig.Scope(), Time: sig.Time.UTC().Format(time.RFC3339), Presigned: sig.Presigned,
		StringToSign: strings.Split(bad.StringToSign, "\n"), Likely: bad.Likely}
	add := func(name, server, client string) {
		out.Lines = append(out.Lines, Line{Name: name, Server: server, Client: client})
	}
	path, query, _ := strings.Cut(r.RequestURI, "?")
	if _, rest, ok := strings.Cut(path, "://"); ok { // the absolute form, to a proxy
		_, path, _ = strings.Cut(rest, "/")
		path = "/" + path
	}
	lines := strings.Split(bad.CanonicalRequest, "\n")
	if len(lines) < 4+len(sig.SignedHeaders)+2 {
		return out
	}
	add("method", lines[0], r.Method)
	add("path", lines[1], path)
	add("query", shownQuery(lines[2]), shownQuery(query))
	for i, name := range sig.SignedHeaders {
		values := r.Header[textproto.CanonicalMIMEHeaderKey(name)]
		came := strings.Join(values, ", ")
		if name == "host" {
			came, values = r.Host, []string{r.Host}
		}
		_, server, _ := strings.Cut(lines[3+i], ":")
		if values == nil {
			came = "(no such header)"
		} else {
			came = shownHeader(name, came)
		}
		add(name, shownHeader(name, server), came)
	}
	last := lines[len(lines)-2:]
	add("signed headers", last[0], strings.Join(sig.SignedHeaders, ";"))
	declared := r.Header.Get("X-Amz-Content-Sha256")
	if declared == "" {
		declared = "(not declared)"
	}
	add("payload hash", last[1], declared)
	token := "none"
	switch {
	case sig.SessionToken == "":
	case sig.Presigned || sig.Covers("x-amz-security-token"):
		token = "there, and signed"
	default:
		token = "there, and not signed"
	}
	add("session token", token, token)
	return out
}

// harmless are the headers whose values hold no secret.
var harmless = map[string]bool{"host": true, "date": true, "content-type": true, "content-length": true, "content-md5": true, "content-encoding": true, "accept": true,
	"accept-encoding": true, "range": true, "user-agent": true, "x-amz-date": true, "x-amz-content-sha256": true, "x-amz-target": true, "x-amz-user-agent": true,
	"x-amz-acl": true, "x-amz-storage-class": true, "x-amz-decoded-content-length": true, "x-amz-invocation-type": true, "x-amz-log-type": true,
	"amz-sdk-invocation-id": true, "amz-sdk-request": true, "transfer-encoding": true, "expect": true}

func shownHeader(name, value string) string {
	if harmless[name] || value == "" {
		return value
	}
	return "(not shown)"
}

// shownQuery leaves out the values of parameters but for those that say how a request is signed.
func shownQuery(query string) string {
	if query == "" {
		return ""
	}
	params := strings.Split(query, "&")
	for i, p := range params {
		name, _, _ := strings.Cut(p, "=")
		switch name {
		case "Action", "Version", "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders", "list-type", "mode":
		default:
			params[i] = name + "=…"
		}
	}
	return strings.Join(params, "&")
}
