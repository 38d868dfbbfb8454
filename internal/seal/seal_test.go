package seal

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func testKey(t testing.TB) *Key {
	t.Helper()
	k, err := FromBytes(bytes.Repeat([]byte{7}, KeySize))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// The vectors of https://c2sp.org/XAES-256-GCM, one for each value of the bit that is carried out.
func TestXAESVectors(t *testing.T) {
	for _, c := range []struct {
		key       byte
		aad, want string
	}{
		{1, "", "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"},
		{3, "c2sp.org/XAES-256-GCM", "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"},
	} {
		k, err := FromBytes(bytes.Repeat([]byte{c.key}, KeySize))
		if err != nil {
			t.Fatal(err)
		}
		nonce := []byte("ABCDEFGHIJKLMNOPQRSTUVWX")
		got := k.derive(nonce).Seal(nil, nonce[12:], []byte("XAES-256-GCM"), []byte(c.aad))
		if hex.EncodeToString(got) != c.want {
			t.Errorf("key %d: got %x, want %s", c.key, got, c.want)
		}
	}
}

func TestSealOpen(t *testing.T) {
	k := testKey(t)
	for _, plain := range [][]byte{nil, []byte("x"), bytes.Repeat([]byte("secret"), 1000)} {
		sealed := k.Seal(plain, "ctx")
		if len(sealed) != len(plain)+Overhead {
			t.Errorf("sealed length %d for %d", len(sealed), len(plain))
		}
		if len(plain) > 8 && bytes.Contains(sealed, plain[:8]) {
			t.Error("the secret is visible")
		}
		got, err := k.Open(sealed, "ctx")
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("Open = %q, %v", got, err)
		}
		if bytes.Equal(sealed, k.Seal(plain, "ctx")) {
			t.Error("the same value sealed twice is the same")
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	k := testKey(t)
	sealed := k.Seal([]byte("secret"), "user/1")
	refused := func(why string, k *Key, b []byte, ctx string) {
		t.Helper()
		if p, err := k.Open(b, ctx); !errors.Is(err, ErrOpen) || p != nil {
			t.Errorf("%s: Open = %q, %v", why, p, err)
		}
	}
	refused("other context", k, sealed, "user/2")
	other, _ := FromBytes(bytes.Repeat([]byte{8}, KeySize))
	refused("other key", other, sealed, "user/1")
	for i := range sealed {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		refused(fmt.Sprintf("byte %d changed", i), k, b, "user/1")
		refused(fmt.Sprintf("cut to %d", i), k, sealed[:i], "user/1")
	}
	refused("longer", k, append(bytes.Clone(sealed), 0), "user/1")
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	ks := make([]*Key, 8)
	for i := range ks {
		wg.Go(func() {
			var err error
			if ks[i], err = Load(dir); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	sealed := ks[0].Seal([]byte("x"), "")
	for _, k := range ks {
		if _, err := k.Open(sealed, ""); err != nil {
			t.Fatal("processes that start together have different keys")
		}
	}
	path := filepath.Join(dir, FileName)
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	text, _ := os.ReadFile(path)
	k, err := Parse(string(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.Open(sealed, ""); err != nil {
		t.Error("the file's text is not the key")
	}
}

func TestLoadRefuses(t *testing.T) {
	good := strings.Repeat("A", 43) + "=\n"
	for _, c := range []struct {
		name, text string
		mode       os.FileMode
		want       string
	}{
		{"group may read", good, 0o640, "chmod 600"},
		{"world may read", good, 0o604, "chmod 600"},
		{"empty", "", 0o600, "0 bytes long, must be 32"},
		{"short", "AAAA\n", 0o600, "3 bytes long, must be 32"},
		{"long", strings.Repeat("A", 64), 0o600, "48 bytes long, must be 32"},
		{"not base64", "~~~supersecret~~~", 0o600, "not base64"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, FileName)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		_, err := Load(dir)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", c.name, err)
		}
		if err != nil && strings.Contains(err.Error(), "supersecret") {
			t.Errorf("%s: the error shows the key", c.name)
		}
		if after, _ := os.ReadFile(path); string(after) != c.text {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
	if _, err := Load(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("a missing directory is accepted")
	}
	if _, err := FromBytes(make([]byte, 16)); err == nil {
		t.Error("a short key is accepted")
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	type user struct {
		Name   string
		Secret Secret
	}
	s := Secret("hunter2")
	u := user{"ann", s}
	var out strings.Builder
	for _, verb := range []string{"%v", "%s", "%q", "%#v", "%+v", "%x", "%X", "%d", "%10s"} {
		fmt.Fprintf(&out, verb+"\n", s)
		fmt.Fprintf(&out, verb+"\n", u)
		fmt.Fprintf(&out, verb+"\n", &u)
		fmt.Fprintf(&out, verb+"\n", []Secret{s})
		fmt.Fprintf(&out, verb+"\n", map[Secret]Secret{s: s})
	}
	fmt.Fprintln(&out, s, u, fmt.Errorf("wrapped: %w %v", errors.ErrUnsupported, s))
	for _, v := range []any{s, u, &u, []Secret{s}, map[string]Secret{"k": s}} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(j)
	}
	x, err := xml.Marshal(u)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(x)
	for _, h := range []slog.Handler{slog.NewJSONHandler(&out, nil), slog.NewTextHandler(&out, nil)} {
		slog.New(h).Info("m", "s", s, "u", u, "l", []Secret{s}, slog.Group("g", "s", s))
	}
	fmt.Fprintf(&out, "%v %+v %#v %s", testKey(t), testKey(t), testKey(t), testKey(t))
	for _, leak := range []string{"hunter2", hex.EncodeToString([]byte("hunter2")), strings.ToUpper(hex.EncodeToString([]byte("hunter2")))} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("%q is shown in:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), `"Secret":"***"`) {
		t.Errorf("JSON does not show ***:\n%s", out.String())
	}
	if s.Reveal() != "hunter2" || !s.Equal("hunter2") || s.Equal("hunter3") || s.Equal("hunter22") {
		t.Error("Reveal or Equal is wrong")
	}
}

func BenchmarkOpen(b *testing.B) {
	k := testKey(b)
	sealed := k.Seal(make([]byte, 384), "verifier")
	for b.Loop() {
		if _, err := k.Open(sealed, "verifier"); err != nil {
			b.Fatal(err)
		}
	}
}
