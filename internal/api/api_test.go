package api_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Regenerating gives the committed files.
func TestGenerated(t *testing.T) {
	// The go command caches a test's result by the files that it opens itself.
	for _, pattern := range []string{"../../models/*.json", "../../tools/gen/*.go", "*/*_gen.go"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatal(pattern, err)
		}
		for _, name := range names {
			if _, err := os.ReadFile(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	out, err := exec.CommandContext(t.Context(), "go", "run", "-C", "../../tools", "./gen", "-check").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
