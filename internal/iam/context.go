package iam

import (
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Request is what policies may ask of a request as such. It implements [policy.Context].
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-network-properties
type Request struct {
	SourceIP  string
	UserAgent string
	Referer   string
	Region    string // "": the request is for none
	Secure    bool   // it came over TLS
	Time      time.Time

	// More holds the keys of the service that is called, such as "iam:PassedToService", and of the
	// resource. Its names are in lower case.
	More policy.Values
}

// RequestContext returns what policies may ask of a call of the control plane.
func RequestContext(c *wire.Call) *Request {
	return &Request{SourceIP: c.SourceIP, UserAgent: c.UserAgent, Region: c.Region, Secure: c.Secure, Time: c.Time}
}

// HTTPContext returns what policies may ask of a request to the data plane. Headers that say where a
// request comes from are not believed.
func HTTPContext(r *http.Request, region string, now time.Time) *Request {
	ip, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		ip = r.RemoteAddr
	}
	return &Request{SourceIP: ip, UserAgent: r.UserAgent(), Referer: r.Referer(), Region: region, Secure: r.TLS != nil, Time: now}
}

var isTrue, isFalse = []string{"true"}, []string{"false"}

func boolean(b bool) []string {
	if b {
		return isTrue
	}
	return isFalse
}

func one(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

// Set sets the values of a further key, which must be in lower case.
func (r *Request) Set(key string, values ...string) {
	if r.More == nil {
		r.More = policy.Values{}
	}
	r.More[key] = values
}

// Values implements [policy.Context].
func (r *Request) Values(key string) []string {
	switch key {
	case "aws:sourceip":
		return one(r.SourceIP)
	case "aws:useragent":
		return one(r.UserAgent)
	case "aws:referer":
		return one(r.Referer)
	case "aws:requestedregion":
		return one(r.Region)
	case "aws:securetransport":
		return boolean(r.Secure)
	case "aws:currenttime":
		return []string{r.Time.UTC().Format(time.RFC3339)}
	case "aws:epochtime":
		return []string{strconv.FormatInt(r.Time.Unix(), 10)}
	case "aws:viaawsservice":
		if v := r.More[key]; v != nil {
			return v
		}
		return isFalse
	}
	return r.More[key]
}

// age is the number of seconds between issued and now, a number of seconds since 1970.
func age(now string, issued int64) []string {
	n, err := strconv.ParseInt(now, 10, 64)
	if err != nil {
		return nil
	}
	return []string{strconv.FormatInt(max(n-issued, 0), 10)}
}
