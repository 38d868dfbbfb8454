package localca

import (
	"crypto/x509"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAuthorityLastsAndSigns(t *testing.T) {
	dir := t.TempDir()
	first, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if string(first.PEM()) != string(second.PEM()) {
		t.Fatal("a second load made another authority")
	}
	if st, err := os.Stat(filepath.Join(dir, KeyFile)); err != nil || st.Mode().Perm() != fs.FileMode(0o600) {
		t.Errorf("key file: %v, %v; want mode 0600", st.Mode(), err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(first.PEM()) {
		t.Fatal("PEM holds no certificate")
	}
	for _, name := range []string{"cognito-idp.us-east-1.amazonaws.com", "127.0.0.1", "::1"} {
		c, err := second.Leaf(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	again, _ := second.Leaf("127.0.0.1.")
	want, _ := second.Leaf("127.0.0.1")
	if again != want {
		t.Error("a leaf was not cached")
	}
}

func TestLostKeyIsAnError(t *testing.T) {
	dir := t.TempDir()
	if _, err := Load(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, KeyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil {
		t.Fatal("an authority without its key was loaded")
	}
}
