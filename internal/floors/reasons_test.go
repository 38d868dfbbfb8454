package floors

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// Every direct dependency has its line, with the reason, in ARCHITECTURE.md, and every line a
// dependency.
func TestDependenciesHaveReasons(t *testing.T) {
	mod, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	direct := map[string]bool{}
	for line := range strings.Lines(string(mod)) {
		if f := strings.Fields(line); len(f) == 2 && strings.Contains(f[0], ".") && strings.HasPrefix(f[1], "v") {
			direct[f[0]] = true // indirect ones have a comment behind
		}
	}
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n## Dependencies\n")
	if !ok {
		t.Fatal("ARCHITECTURE.md has no section Dependencies")
	}
	section, _, _ = strings.Cut(section, "\n## ")
	written := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(section, -1) {
		written[m[1]] = true
		if !direct[m[1]] {
			t.Errorf("%s is in ARCHITECTURE.md, but no direct dependency", m[1])
		}
	}
	for d := range direct {
		if !written[d] {
			t.Errorf("%s has no line in ARCHITECTURE.md: what is it for, and why it?", d)
		}
	}
}

// Every package that is there is on the map, by the name that it has below internal.
func TestMapIsWhole(t *testing.T) {
	text, err := os.ReadFile("../../ARCHITECTURE.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## The floors\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for path := range Of {
		if _, err := os.Stat("../../" + path); err != nil || path == "" {
			continue // planned, or the module's root
		}
		name := strings.TrimPrefix(path, "internal/")
		if !strings.Contains(section, "`"+name+"`") && !strings.Contains(section, "`"+name+"/") {
			t.Errorf("%s is not on the map in ARCHITECTURE.md", path)
		}
	}
}
