package domains

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/arn"
)

// Certificates are a directory with certificates of domains: NAME.crt with NAME.key, or NAME.pem with both. A .crt
// or .pem begins with the domain's certificate; those of the authorities between it and the root follow. Files that
// change are taken up with the next handshake, a second later at most. It is safe for concurrent use.
type Certificates struct {
	dir string
	now func() time.Time
	log *slog.Logger

	mu    sync.Mutex
	files map[string]*certificateFile
}

// certificateFile is a certificate as it was last read.
type certificateFile struct {
	cert    *tls.Certificate // nil: never was good
	err     error            // why what is there now is not good
	stamp   string           // of the files that were read
	checked time.Time
}

// recheck is how long files are trusted not to have changed.
const recheck = time.Second

// maxCertificate bounds a file, in bytes.
const maxCertificate = 1 << 20

var certificateName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}$`)

// OpenCertificates returns the certificates in dir. What is wrong with single ones is told to the log, which nil
// discards. The error is for a directory that cannot be read.
func OpenCertificates(dir string, now func() time.Time, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{dir: dir, now: now, log: log, files: map[string]*certificateFile{}}
	if c.log == nil {
		c.log = slog.New(slog.DiscardHandler)
	}
	if c.now == nil {
		c.now = time.Now
	}
	names, err := c.Names()
	if err != nil {
		return nil, fmt.Errorf("directory of certificates: %w", err)
	}
	for _, name := range names {
		c.Get(name) // notes what is wrong
	}
	return c, nil
}

// Dir is where the certificates are.
func (c *Certificates) Dir() string { return c.dir }

// Names returns the names of all certificates for which there are files, good or not.
func (c *Certificates) Names() ([]string, error) {
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		name := strings.TrimSuffix(e.Name(), ext)
		if (ext == ".crt" || ext == ".pem" || ext == ".key") && certificateName.MatchString(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// Get returns a certificate by its name: the last good one, if the files that are there now are not. The error is
// [fs.ErrNotExist] for a name without files.
func (c *Certificates) Get(name string) (*tls.Certificate, error) {
	if !certificateName.MatchString(name) {
		return nil, fs.ErrNotExist
	}
	now := c.now()
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.files[name]
	if f == nil || now.Sub(f.checked) >= recheck || now.Before(f.checked) {
		f = c.refresh(name, f, now)
	}
	if f.cert != nil {
		return f.cert, nil
	}
	return nil, f.err
}

// refresh looks at the files of a certificate again.
func (c *Certificates) refresh(name string, f *certificateFile, now time.Time) *certificateFile {
	paths, stamp := c.find(name)
	if f != nil && f.stamp == stamp {
		f.checked = now
		return f
	}
	next := &certificateFile{stamp: stamp, checked: now}
	if len(paths) == 0 {
		next.err = fs.ErrNotExist
	} else {
		next.cert, next.err = readCertificate(paths)
	}
	switch {
	case next.err == nil:
		if now.After(next.cert.Leaf.NotAfter) {
			c.log.Warn("a certificate has expired", "file", paths[0], "at", next.cert.Leaf.NotAfter)
		} else if f != nil {
			c.log.Info("a certificate was read again", "file", paths[0], "until", next.cert.Leaf.NotAfter)
		}
	case len(paths) > 0:
		c.log.Warn("a certificate cannot be used", "file", paths[0], "error", next.err)
	}
	if f != nil && next.cert == nil && f.cert != nil {
		if len(paths) == 0 {
			c.log.Warn("the files of a certificate are gone; it is used until the server ends", "name", name)
		}
		next.cert = f.cert
	}
	if len(paths) == 0 && next.cert == nil {
		delete(c.files, name) // names come from outside
		return next
	}
	c.files[name] = next
	return next
}

// find returns the files of a certificate, and what changes when they do.
func (c *Certificates) find(name string) (paths []string, stamp string) {
	for _, set := range [][]string{{".crt", ".key"}, {".pem"}} {
		var found []string
		stamp := ""
		for _, ext := range set {
			path := filepath.Join(c.dir, name+ext)
			info, err := os.Stat(path)
			if err != nil {
				stamp += "?"
				continue
			}
			found = append(found, path)
			stamp += fmt.Sprint(info.ModTime().UnixNano(), " ", info.Size(), ";")
		}
		if len(found) == len(set) || len(found) > 0 && set[0] == ".crt" {
			return found, stamp
		}
	}
	return nil, ""
}

// readCertificate reads a certificate and its key from its files.
func readCertificate(paths []string) (*tls.Certificate, error) {
	var all []byte
	for _, p := range paths {
		info, err := os.Stat(p)
		if err == nil && info.Size() > maxCertificate {
			err = errors.New("the file is larger than 1 MB")
		}
		if err != nil {
			return nil, err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		all = append(append(all, b...), '\n')
	}
	if len(paths) == 1 && !strings.HasSuffix(paths[0], ".pem") {
		return nil, errors.New("a .crt and a .key belong together; one of them is missing")
	}
	return pair(all, all)
}

// pair makes a certificate of PEM texts.
func pair(cert, key []byte) (*tls.Certificate, error) {
	if !bytes.Contains(cert, []byte("-----BEGIN CERTIFICATE-----")) {
		return nil, errors.New("there is no certificate, as PEM, in it")
	}
	c, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, errors.New(strings.TrimPrefix(err.Error(), "tls: "))
	}
	if c.Leaf == nil {
		if c.Leaf, err = x509.ParseCertificate(c.Certificate[0]); err != nil {
			return nil, err
		}
	}
	return &c, nil
}

// coversName tells whether a certificate is for a domain, a wildcard perhaps.
func coversName(leaf *x509.Certificate, domain string) bool {
	if rest, ok := strings.CutPrefix(domain, "*."); ok {
		return slices.ContainsFunc(leaf.DNSNames, func(n string) bool { return strings.EqualFold(n, "*."+rest) })
	}
	return leaf.VerifyHostname(domain) == nil
}

const notCovered = "The domain name to be created is not covered by the provided certificate."

// covers checks that an ARN names a certificate that is there and is for the domain.
func (s *Service) covers(domain, a string) error {
	if s.files == nil || local(domain) {
		return nil // the local authority vouches for it
	}
	name, err := s.nameOf(a)
	if err != nil {
		return err
	}
	c, err := s.files.Get(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return bad("The provided certificate does not exist. (%s is the certificate in the files %s.crt and %s.key, or in %s.pem, in the directory of certificates, --certificates)", a, name, name, name)
	case err != nil:
		return bad("The provided certificate cannot be used: %v. (its files are in the directory of certificates, --certificates)", err)
	case !coversName(c.Leaf, domain):
		return bad("%s (%s is for %s)", notCovered, a, strings.Join(c.Leaf.DNSNames, ", "))
	case s.now().After(c.Leaf.NotAfter):
		return bad("The provided certificate has expired. (%s)", a)
	}
	return nil
}

// nameOf returns the name of the certificate that an ARN names.
func (s *Service) nameOf(a string) (string, error) {
	p, err := arn.Parse(a)
	if err != nil {
		return "", bad("Invalid certificate ARN: %s", a)
	}
	name, ok := strings.CutPrefix(p.Resource, "certificate/")
	if p.Service != "acm" || !ok || p.Account != s.account || !certificateName.MatchString(name) {
		return "", bad("The provided certificate does not exist. (%s: certificates have ARNs of the form arn:aws:acm:REGION:%s:certificate/NAME)", a, s.account)
	}
	return name, nil
}

// Upload gives a domain a certificate as text, which must be for its name. key is sealed.
func (s *Service) Upload(d *Domain, body, key, chain string) error {
	c, err := pair([]byte(body+"\n"+chain), []byte(key))
	if err != nil {
		return bad("Invalid certificate: the body and the private key must be PEM, and belong together")
	}
	d.Name = strings.ToLower(d.Name)
	if !coversName(c.Leaf, d.Name) {
		return bad("%s", notCovered)
	}
	now := s.now().UTC()
	if now.After(c.Leaf.NotAfter) {
		return bad("The provided certificate has expired.")
	}
	d.Body, d.Chain, d.Uploaded = body, chain, &now
	d.Sealed = s.box.Seal([]byte(key), "domains.domain "+d.Name)
	return nil
}

// uploaded returns the certificate that was given as text.
func (s *Service) uploaded(d *Domain) (*tls.Certificate, error) {
	key, err := s.box.Open(d.Sealed, "domains.domain "+d.Name)
	if err != nil {
		return nil, err
	}
	return pair([]byte(d.Body+"\n"+d.Chain), key)
}
