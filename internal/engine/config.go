package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// Version is the release of the module.
const Version = "0.1.0"

// Defaults of a [Config].
const (
	DefaultAddr    = "127.0.0.1:4566"
	DefaultDir     = ".gatehouse"
	DefaultAccount = "000000000000"
	DefaultRegion  = "us-east-1"
)

// Config says how a server runs. Its fields are described in package gatehouse.
type Config struct {
	Dir       string
	Addr      string
	Database  string
	Ephemeral bool
	Account   string
	Region    string
	AuthOpen  bool
	Issuer    string
	PublicURL string
	SMTP      string
	MailFrom  string
	// Certificates is a directory; see package domains.
	Certificates string
	SealKey      *seal.Key
	Logger       *slog.Logger
	Now          func() time.Time
}

var (
	accountForm = regexp.MustCompile(`^[0-9]{12}$`)
	regionForm  = regexp.MustCompile(`^[a-z]{2,4}(-[a-z]+)+-[0-9]{1,2}$`)
)

// normalize fills in the defaults and refuses what makes no sense.
func (c *Config) normalize() error {
	def := func(p *string, v string) {
		if *p == "" {
			*p = v
		}
	}
	def(&c.Dir, DefaultDir)
	def(&c.Addr, DefaultAddr)
	def(&c.Account, DefaultAccount)
	def(&c.Region, DefaultRegion)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if !accountForm.MatchString(c.Account) {
		return fmt.Errorf("account %q: it is 12 digits", c.Account)
	}
	if !regionForm.MatchString(c.Region) {
		return fmt.Errorf("region %q: it is a name such as us-east-1", c.Region)
	}
	if c.Ephemeral && c.Database != "" {
		return errors.New("an ephemeral server keeps everything in memory: it takes no database")
	}
	if !strings.Contains(c.Addr, ":") {
		c.Addr = "127.0.0.1:" + c.Addr
	}
	host, _, err := net.SplitHostPort(c.Addr)
	if err != nil {
		return fmt.Errorf("address to listen on: %w", err)
	}
	if c.AuthOpen && !loopback(host) {
		return fmt.Errorf("an open server takes any access key for the account's root: it may listen on a loopback address only, not on %s", c.Addr)
	}
	for name, text := range map[string]*string{"issuer": &c.Issuer, "public URL": &c.PublicURL} {
		if *text == "" {
			continue
		}
		u, err := url.Parse(*text)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
			return fmt.Errorf("%s %q: it is a URL such as https://auth.example.com", name, *text)
		}
		*text = strings.TrimSuffix(*text, "/")
	}
	return nil
}

// loopback tells whether host names this machine only.
func loopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(strings.Trim(host, "[]"))
	return ip != nil && ip.IsLoopback()
}

// hostOf returns the host name in a Host header.
func hostOf(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return hostport
}
