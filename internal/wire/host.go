package wire

import (
	"net"
	"strings"
)

// hostName is what the Host header says about the service that a client meant.
type hostName struct {
	service string // "cognito-idp", "s3"; empty: none known by its form
	region  string // "" if it names none
	bucket  string // of a virtual-hosted S3 address
	data    bool   // the data plane of an API, a function URL, a pool's sign-in pages
	local   bool   // below localhost
}

// parseHost takes apart the host names of AWS's endpoints:
//
//	SERVICE.REGION.amazonaws.com    SERVICE.amazonaws.com    SERVICE.REGION.api.aws
//	[BUCKET.]s3[.dualstack][.REGION].amazonaws.com    [BUCKET.]s3-REGION.amazonaws.com
//	ID.execute-api.REGION.amazonaws.com    DOMAIN.auth.REGION.amazoncognito.com    ID.lambda-url.REGION.on.aws
//
// and the same below "localhost" and LocalStack's name for it, for tools that put a bucket or a service
// before any endpoint's name.
func parseHost(host string) hostName {
	host = strings.TrimSuffix(stripPort(host), ".")
	h := hostName{}
	var rest string
	switch {
	case hasSuffix(host, ".amazonaws.com"):
		rest = host[:len(host)-len(".amazonaws.com")]
	case hasSuffix(host, ".amazonaws.com.cn"):
		rest = host[:len(host)-len(".amazonaws.com.cn")]
	case hasSuffix(host, ".api.aws"):
		rest = host[:len(host)-len(".api.aws")]
	case hasSuffix(host, ".localhost"):
		rest, h.local = host[:len(host)-len(".localhost")], true
	case hasSuffix(host, ".localhost.localstack.cloud"):
		rest, h.local = host[:len(host)-len(".localhost.localstack.cloud")], true
	case hasSuffix(host, ".amazoncognito.com"), hasSuffix(host, ".on.aws"):
		h.data = true
		return h
	default:
		return h
	}
	labels := strings.Split(strings.ToLower(rest), ".")
	for i := len(labels) - 1; i >= 0; i-- {
		label := labels[i]
		switch {
		case label == "execute-api":
			h.data = true
			return h
		case label == "s3", strings.HasPrefix(label, "s3-"):
			h.service, h.bucket = "s3", strings.Join(labels[:i], ".")
			if legacy := strings.TrimPrefix(label, "s3-"); legacy != label && regionLike(legacy) {
				h.region = legacy
			}
			for _, after := range labels[i+1:] {
				if regionLike(after) {
					h.region = after
				}
			}
			return h
		}
	}
	switch len(labels) {
	case 1:
		h.service = service(labels[0])
	case 2:
		h.service, h.region = service(labels[0]), labels[1]
		if regionLike(labels[0]) && !regionLike(labels[1]) {
			h.service, h.region = service(labels[1]), labels[0]
		}
	}
	return h
}

func service(label string) string { return strings.TrimSuffix(label, "-fips") }

// regionLike tells whether s has the form of a region's name, "us-east-1" or "us-gov-west-1".
func regionLike(s string) bool {
	n := len(s)
	return n >= 9 && s[n-1] >= '0' && s[n-1] <= '9' && s[n-2] == '-' && strings.Count(s, "-") >= 2 && s[2] == '-'
}

func hasSuffix(s, suffix string) bool {
	return len(s) > len(suffix) && strings.EqualFold(s[len(s)-len(suffix):], suffix)
}

func stripPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		if h, _, err := net.SplitHostPort(host); err == nil {
			return h
		}
	}
	return host
}
