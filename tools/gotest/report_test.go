package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The counts of a module with every kind of ending.
func TestCounts(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module example.com/m\n\ngo 1.26.0\n",
		"a/a_test.go": `package a
import "testing"
func TestPass(t *testing.T) {}
func TestTable(t *testing.T) {
	t.Run("one/with a slash", func(t *testing.T) {})
	t.Run("two", func(t *testing.T) { t.Error("two is wrong") })
	t.Run("three", func(t *testing.T) { t.Skip("three needs a moon") })
}
func TestItself(t *testing.T) { t.Run("fine", func(t *testing.T) {}); t.Error("itself") }`,
		"broken/b_test.go": "package broken\nimport \"testing\"\nfunc TestB(t *testing.T) { undefined() }\n",
		"dies/d_test.go":   "package dies\nimport (\"os\"; \"testing\")\nfunc TestD(t *testing.T) { os.Exit(3) }\n",
		"none/n.go":        "package none\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	c, err := run(dir, []string{"test", "-json", "-vet=off", "./..."}, &out)
	if err != nil {
		t.Fatal(err)
	}
	// Passed: TestPass, one/with a slash, fine. Failed: two, TestItself, the build, the death.
	if want := (counts{passed: 3, failed: 4, skipped: 1, packages: 3}); c != want {
		t.Errorf("%+v, want %+v; it said\n%s", c, want, &out)
	}
	for _, want := range []string{"two is wrong", "skipped TestTable/three: three needs a moon", "undefined: undefined"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &out)
		}
	}
}

func TestGoItselfFails(t *testing.T) {
	var out strings.Builder
	c, err := run(t.TempDir(), []string{"test", "-json", "./..."}, &out)
	if err != nil {
		t.Fatal(err)
	}
	if c.failed != 1 {
		t.Errorf("%+v for a directory without a module", c)
	}
}
