package surroundings

import (
	"regexp"
	"strings"
)

// services are the endpoints' names of the services that are served. A test of package engine holds
// them against the services.
var services = []string{"apigateway", "cloudformation", "cognito-identity", "cognito-idp", "iam", "lambda", "logs", "s3", "ssm", "sts"}

// Services returns the names of the services whose endpoints are taken over, "cognito-idp" among them.
func Services() []string { return append([]string(nil), services...) }

// region is the form of a region's name.
const region = `[a-z]{2,4}(?:-[a-z]+)+-[0-9]{1,2}`

// hostPattern is what [Takes] and preload.cjs match host names with: a regular expression that means
// the same in Go and JavaScript.
var hostPattern = func() string {
	var plain []string
	for _, s := range services {
		if s != "s3" {
			plain = append(plain, s)
		}
	}
	return `^(?:` +
		`(?:(?:` + strings.Join(plain, "|") + `)(?:-fips)?(?:\.` + region + `)?` + // the APIs
		`|(?:.+\.)?s3(?:-fips|-` + region + `)?(?:\.dualstack)?(?:\.` + region + `)?` + // S3, with a bucket before it
		`|[a-z0-9-]+\.execute-api\.` + region + // deployed APIs
		`)\.(?:amazonaws\.com|amazonaws\.com\.cn|api\.aws)` +
		`|[a-z0-9-]+\.auth(?:-fips)?\.` + region + `\.amazoncognito\.com` + // sign-in pages
		`|[a-z0-9]+\.lambda-url\.` + region + `\.on\.aws` + // function URLs
		`)$`
}()

var hosts = regexp.MustCompile(hostPattern)

// maxHost is the length of the longest host name.
const maxHost = 255

// Takes tells whether host, a name without a port, is one of AWS's that stands for something that this
// server serves: the endpoint of a service, an API, a function URL, a pool's sign-in pages.
func Takes(host string) bool {
	host = strings.TrimSuffix(host, ".")
	return len(host) <= maxHost && hosts.MatchString(strings.ToLower(host))
}
