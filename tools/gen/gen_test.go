package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// The committed packages are what the committed models give.
func TestUpToDate(t *testing.T) {
	if err := run(filepath.Join("..", ".."), true); err != nil {
		t.Error(err)
	}
}

func TestStable(t *testing.T) {
	dir := filepath.Join("..", "..", "models")
	first, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := generate(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, src := range first {
		if !bytes.Equal(src, again[name]) {
			t.Errorf("%s differs from run to run", name)
		}
	}
}

func TestWrite(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "models"), 0o755); err != nil {
		t.Fatal(err)
	}
	model := `{"name":"toy","package":"toy","id":"Toy","protocol":"json-1.1","operations":{"Op":{"method":"POST","path":"/","input":"In","output":"Out"}},
		"shapes":{"In":{"type":"structure","members":[{"name":"a","shape":"string","required":true},{"name":"k","shape":"Kind"}]},
		"Out":{"type":"structure","members":[{"name":"Self","shape":"Out"}]},"Kind":{"type":"string","enum":["a-b","A_B"]}}}`
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(root, "models", "toy.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(model)
	if err := run(root, true); err == nil {
		t.Error("-check passed with nothing written")
	}
	if err := run(root, false); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err != nil {
		t.Error(err)
	}
	stale := filepath.Join(root, "internal", "api", "gone", "types_gen.go")
	if err := os.MkdirAll(filepath.Dir(stale), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(stale, []byte("package gone\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := run(root, true); err == nil {
		t.Error("-check passed with a stale file")
	}
	write(`{"name":"toy","package":"toy","operations":{"Op":{"input":"Nowhere","output":"Out"}}}`)
	if err := run(root, false); err == nil {
		t.Error("a model with an unknown shape was taken")
	}
}

func TestCamel(t *testing.T) {
	for in, want := range map[string]string{
		"USER_SRP_AUTH": "UserSrpAuth", "admin_only": "AdminOnly", "Boolean": "Boolean", "nodejs20.x": "Nodejs20X", "provided.al2023": "ProvidedAl2023",
		"x86_64": "X8664", "*": "Any", "": "Empty", "s3:ObjectCreated:*": "S3ObjectCreatedAny", "PreSignUp": "PreSignUp",
	} {
		if got := camel(in); got != want {
			t.Errorf("camel(%q) = %s, want %s", in, got, want)
		}
	}
}
