package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func small(s *Stack) {
	s.Description = "small"
	p := NewUserPool(s, "Pool", UserPoolProps{})
	s.Output("B", p.ID())
	s.Output("A", p.ARN()+"<&>")
}

func TestMainByHand(t *testing.T) {
	out := filepath.Join(t.TempDir(), "template.json")
	broken := func(s *Stack) { s.Output("X", Ref("Nothing")) }
	for _, test := range []struct {
		name   string
		args   []string
		build  func(*Stack)
		status int
		stdout string // contained in
		stderr string
	}{
		{"template", nil, small, 0, `"Description": "small"`, ""},
		{"stage", []string{"-stage", "prod", "-o", out}, small, 0, "", ""},
		{"help", []string{"-h"}, small, 0, "", "gatehouse deploy DIR --stage prod"},
		{"flag", []string{"-x"}, small, 2, "", "flag provided but not defined: -x"},
		{"argument", []string{"prod"}, small, 2, "", `unexpected argument "prod"`},
		{"mistake", nil, broken, 1, "", "main_test.go:"},
		{"nowhere to write", []string{"-o", filepath.Join(out, "x", "y")}, small, 1, "", "small: open "},
	} {
		t.Run(test.name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			status := run("small", ".", test.build, test.args, func(string) string { return "" }, &stdout, &stderr)
			if status != test.status || !strings.Contains(stdout.String(), test.stdout) || !strings.Contains(stderr.String(), test.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q; want %d, %q, %q", status, &stdout, &stderr, test.status, test.stdout, test.stderr)
			}
			if test.stdout == "" && stdout.Len() > 0 {
				t.Errorf("stdout is %q, want nothing", &stdout)
			}
		})
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}

func TestMainForGatehouse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "synth.json")
	env := map[string]string{"GATEHOUSE_SYNTH": file, "GATEHOUSE_STAGE": "prod"}
	getenv := func(name string) string { return env[name] }
	var stdout, stderr bytes.Buffer
	if status := run("small", "/the/app", small, []string{"whatever"}, getenv, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Version         int
		App, Stage, Dir string
		Stacks          []struct {
			Name, Description string
			Template          struct{ Resources map[string]any }
		}
		Outputs []string
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Version != 1 || doc.App != "small" || doc.Stage != "prod" || doc.Dir != "/the/app" || len(doc.Stacks) != 1 ||
		doc.Stacks[0].Name != "prod-small" || doc.Stacks[0].Description != "small" || doc.Stacks[0].Template.Resources["Pool"] == nil ||
		strings.Join(doc.Outputs, " ") != "B A" {
		t.Errorf("wrote %s", text)
	}
	if !bytes.Contains(text, []byte("<&>")) {
		t.Error("the template is escaped for HTML")
	}

	// A mistake leaves what was there.
	before := text
	if status := run("small", ".", func(*Stack) {}, nil, getenv, &stdout, &stderr); status != 1 {
		t.Errorf("an empty stack gives status %d, want 1", status)
	}
	after, _ := os.ReadFile(file)
	files, _ := os.ReadDir(dir)
	if !bytes.Equal(before, after) || len(files) != 1 {
		t.Errorf("a mistake changed the file, or left others: %v", files)
	}
}

func TestCamel(t *testing.T) {
	for in, want := range map[string]string{
		"functions/send-mail": "FunctionsSendMail", "{id}": "Id", "jwt": "Jwt", "été": "T", "v1.2_x": "V12X", "": "",
	} {
		if got := camel(in); got != want {
			t.Errorf("camel(%q) = %q, want %q", in, got, want)
		}
	}
}
