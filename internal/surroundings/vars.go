package surroundings

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// A Var is an environment variable that is set, or taken away.
type Var struct {
	Name, Value string
	Unset       bool
}

// ProxyUser is the user's name with which programs come to the proxy.
const ProxyUser = "gatehouse"

// ProxyPassword returns the password of the proxy of the server whose root has this secret. It says
// nothing about the secret.
func ProxyPassword(root seal.Secret) seal.Secret {
	mac := hmac.New(sha256.New, []byte(root.Reveal()))
	mac.Write([]byte("gatehouse proxy"))
	return seal.Secret(base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:18]))
}

// bundles are the variables that name a file of roots which takes the place of the system's: of the AWS
// CLI and SDKs, of Python's requests, of OpenSSL, Python's ssl and Go, and of curl.
var bundles = []string{"AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE"}

// extraCerts names a file of roots for Node.js besides its own.
const extraCerts = "NODE_EXTRA_CA_CERTS"

// Own returns the files of roots that an environment already names, but for those in dir, which are ours:
// what its programs trust they shall go on to trust.
func Own(dir string, getenv func(string) string) []string {
	var list []string
	for _, name := range append(slices.Clone(bundles), extraCerts) {
		if path := getenv(name); path != "" && filepath.Dir(path) != dir && !slices.Contains(list, path) && !slices.Contains(systemRoots, path) {
			list = append(list, path)
		}
	}
	return list
}

// Network returns the variables that lead a program's calls to the server at endpoint. password is the
// proxy's. getenv reads the environment that they are added to: what is there of proxies' exceptions and
// of options for Node.js stays.
func Network(endpoint string, password seal.Secret, f Files, getenv func(string) string) []Var {
	vars := []Var{{Name: "AWS_ENDPOINT_URL", Value: endpoint}}
	proxy := endpoint
	if u, err := url.Parse(endpoint); err == nil && password != "" {
		u.User = url.UserPassword(ProxyUser, password.Reveal())
		proxy = u.String()
	}
	direct := noProxy(getenv("NO_PROXY"), getenv("no_proxy"))
	for _, v := range [][2]string{{"HTTPS_PROXY", proxy}, {"https_proxy", proxy}, {"NO_PROXY", direct}, {"no_proxy", direct}} {
		vars = append(vars, Var{Name: v[0], Value: v[1]})
	}
	for _, name := range bundles {
		vars = append(vars, Var{Name: name, Value: f.Bundle})
	}
	extra := f.CA
	if old := getenv(extraCerts); old != "" && filepath.Dir(old) != filepath.Dir(f.CA) {
		extra = f.Bundle // has those, too
	}
	return append(vars, Var{Name: extraCerts, Value: extra}, Var{Name: "NODE_OPTIONS", Value: WithPreload(getenv("NODE_OPTIONS"), f.Preload)})
}

// Node returns the variables that lead the functions of Node.js to the server. They need no proxy, and no
// files of roots, for which Node.js 20 takes 20 ms at its start.
func Node(endpoint string, f Files) []Var {
	return []Var{{Name: "AWS_ENDPOINT_URL", Value: endpoint}, {Name: "NODE_OPTIONS", Value: WithPreload("", f.Preload)}}
}

// Strangers returns the variables that would lead elsewhere, or to other credentials, and must go. exist
// are the names of the variables that are there.
func Strangers(exist []string) []Var {
	var vars []Var
	for _, name := range exist {
		if strings.HasPrefix(name, "AWS_ENDPOINT_URL_") { // of one service, it outranks the one of all
			vars = append(vars, Var{Name: name, Unset: true})
		}
	}
	slices.SortFunc(vars, func(a, b Var) int { return strings.Compare(a.Name, b.Name) })
	return append(vars, Var{Name: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", Unset: true})
}

// Credentials returns the variables of an access key, and takes away what names other credentials.
func Credentials(key string, secret seal.Secret) []Var {
	vars := []Var{{Name: "AWS_ACCESS_KEY_ID", Value: key}, {Name: "AWS_SECRET_ACCESS_KEY", Value: secret.Reveal()}}
	for _, name := range []string{"AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CREDENTIAL_EXPIRATION"} {
		vars = append(vars, Var{Name: name, Unset: true})
	}
	return vars
}

// Region returns the variables of a region.
func Region(name string) []Var {
	return []Var{{Name: "AWS_REGION", Value: name}, {Name: "AWS_DEFAULT_REGION", Value: name}}
}

// noProxy returns the exceptions from proxies: those that there were, without any that would keep AWS's
// names from the proxy, and this machine.
func noProxy(lists ...string) string {
	var keep []string
	for _, list := range lists {
		for _, e := range strings.Split(list, ",") {
			e = strings.TrimSpace(e)
			if e != "" && !slices.Contains(keep, e) && !coversAWS(e) {
				keep = append(keep, e)
			}
		}
	}
	for _, e := range thisMachine {
		if !slices.Contains(keep, e) {
			keep = append(keep, e)
		}
	}
	return strings.Join(keep, ",")
}

var thisMachine = []string{"127.0.0.1", "localhost", "::1"}

// WithoutLocal takes this machine's names off a list of exceptions.
func WithoutLocal(list string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(list, ","), func(e string) bool { return slices.Contains(thisMachine, e) }), ",")
}

// coversAWS tells whether an exception holds for a name that may be taken over.
func coversAWS(e string) bool {
	if e == "*" {
		return true
	}
	e = strings.Trim(strings.ToLower(strings.TrimPrefix(e, "*")), ".")
	e, _, _ = strings.Cut(e, ":")
	for _, end := range []string{"amazonaws.com", "amazonaws.com.cn", "api.aws", "amazoncognito.com", "on.aws"} {
		if e == end || strings.HasSuffix(end, "."+e) || strings.HasSuffix(e, "."+end) {
			return true
		}
	}
	return false
}

// WithPreload returns options for Node.js that load the module at path besides what they did; those that
// do so already stay as they are.
func WithPreload(options, path string) string {
	ours := requireOption(path)
	switch {
	case strings.Contains(options, ours):
		return options
	case options == "":
		return ours
	}
	return options + " " + ours
}

// WithoutPreload takes back [WithPreload].
func WithoutPreload(options, path string) string {
	return strings.TrimSpace(strings.Replace(options, requireOption(path), "", 1))
}

// requireOption is quoted as NODE_OPTIONS wants it: between double quotes, with backslashes before those
// and themselves, if there is a space.
func requireOption(path string) string {
	if strings.ContainsAny(path, ` "\`) {
		path = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(path) + `"`
	}
	return "--require=" + path
}
