// Package arn reads and writes Amazon Resource Names.
//
// See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html.
package arn

import (
	"fmt"
	"strings"
)

// ARN names a resource. Region and Account are empty for services that have none in their names,
// such as IAM (no region) and S3 (neither).
type ARN struct {
	Partition string // "aws"
	Service   string // "lambda"
	Region    string // "us-east-1"
	Account   string // 12 digits
	Resource  string // "function:hello"; may hold colons and slashes
}

// Parse reads an ARN. It checks the structure (the prefix, six parts, and that partition, service and
// resource are present), not whether such a service or region exists; wildcards pass, as in policies.
func Parse(s string) (ARN, error) {
	p := strings.SplitN(s, ":", 6)
	switch {
	case len(p) != 6 || p[0] != "arn":
		return ARN{}, fmt.Errorf("arn: %q is not of the form arn:partition:service:region:account:resource", s)
	case p[1] == "" || p[2] == "":
		return ARN{}, fmt.Errorf("arn: %q lacks a partition or a service", s)
	case p[5] == "":
		return ARN{}, fmt.Errorf("arn: %q lacks a resource", s)
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// New returns the ARN of a resource in partition "aws".
func New(service, region, account, resource string) ARN {
	return ARN{Partition: "aws", Service: service, Region: region, Account: account, Resource: resource}
}

// Of tells whether a names something of a service of this server: in the partition "aws", and in the region
// and the account. Policies are asked about an ARN as it was given, so whoever finds a thing by one must
// ask this, or the ARN of another thing would do.
func (a ARN) Of(service, region, account string) bool {
	return a.Partition == "aws" && a.Service == service && a.Region == region && a.Account == account
}

func (a ARN) String() string {
	return "arn:" + a.Partition + ":" + a.Service + ":" + a.Region + ":" + a.Account + ":" + a.Resource
}

// Cut splits the resource at its first colon or slash: "function:hello" into "function" and "hello",
// "role/service/x" into "role" and "service/x". A resource with neither is returned as the id.
func (a ARN) Cut() (kind, id string) {
	if i := strings.IndexAny(a.Resource, ":/"); i >= 0 {
		return a.Resource[:i], a.Resource[i+1:]
	}
	return "", a.Resource
}
