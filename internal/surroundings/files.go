package surroundings

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

//go:embed preload.cjs
var preload string

// Names of the files in their directory.
const (
	bundleName  = "ca-bundle.pem" // the system's roots and the local authority's
	caName      = "ca.pem"        // the latter alone
	preloadName = "preload.cjs"
)

// Files are the files that programs are told of, by absolute paths.
type Files struct {
	CA      string // the local authority's certificate, for programs that add it to what they trust
	Bundle  string // with the system's roots, for programs that trust the file and nothing else
	Preload string // the module for Node.js
	// Roots tells whether Bundle has roots other than the local authority: without any, programs can
	// call no other host over TLS.
	Roots bool
}

// systemRoots are where systems keep their roots in one file: Debian and others, Fedora, openSUSE, Alpine
// and macOS.
var systemRoots = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// Write makes the files in dir, or brings those that are there up to date, for the server at endpoint,
// an http URL, whose authority's certificate is ca, in PEM. The bundle has the certificates of the files
// in more besides; those that cannot be read are left out.
func Write(dir string, ca []byte, endpoint string, more ...string) (Files, error) {
	if b, _ := pem.Decode(ca); b == nil || b.Type != "CERTIFICATE" {
		return Files{}, errors.New("the local authority's certificate is not in PEM")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return Files{}, err
	}
	module, err := preloadFor(endpoint, ca)
	if err != nil {
		return Files{}, err
	}
	var bundle bytes.Buffer
	for _, path := range systemRoots {
		if data, err := os.ReadFile(path); err == nil {
			appendPEM(&bundle, data)
			break
		}
	}
	name := bundleName
	if len(more) > 0 { // one file for each such set, so that two shells do not rewrite one another's
		sum := sha256.New()
		for _, path := range more {
			fmt.Fprintf(sum, "%s\x00", path)
			if data, err := os.ReadFile(path); err == nil {
				appendPEM(&bundle, data)
			}
		}
		name = "ca-bundle-" + hex.EncodeToString(sum.Sum(nil)[:4]) + ".pem"
	}
	f := Files{CA: filepath.Join(dir, caName), Bundle: filepath.Join(dir, name), Preload: filepath.Join(dir, preloadName), Roots: bundle.Len() > 0}
	appendPEM(&bundle, ca)
	for path, data := range map[string][]byte{f.CA: ca, f.Bundle: bundle.Bytes(), f.Preload: module} {
		if err := put(path, data); err != nil {
			return Files{}, err
		}
	}
	return f, nil
}

func appendPEM(b *bytes.Buffer, data []byte) {
	b.Write(bytes.TrimSpace(data))
	b.WriteByte('\n')
}

// preloadFor returns the module for Node.js that leads to endpoint and trusts ca.
func preloadFor(endpoint string, ca []byte) ([]byte, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" || u.Hostname() == "" {
		return nil, fmt.Errorf("endpoint %q: programs are led to an http URL of this machine", endpoint)
	}
	port := 80
	if u.Port() != "" {
		if port, err = strconv.Atoi(u.Port()); err != nil {
			return nil, err
		}
	}
	text := preload
	for name, v := range map[string]any{"NAMES": hostPattern, "TARGET": map[string]any{"host": u.Hostname(), "port": port}, "CA": string(ca)} {
		value, err := json.Marshal(v)
		if err != nil {
			return nil, err
		}
		text = strings.Replace(text, "("+name+")", "("+string(value)+")", 1)
		text = strings.Replace(text, "= "+name+";", "= "+string(value)+";", 1)
	}
	return []byte(text), nil
}

// put writes a file in one step, unless it is as it should be.
func put(path string, data []byte) error {
	if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
		return nil
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	_, err = tmp.Write(data)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		os.Remove(tmp.Name())
	}
	return err
}
