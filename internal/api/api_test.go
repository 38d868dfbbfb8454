package api_test

import (
	"os/exec"
	"testing"
)

// Regenerating gives the committed files.
func TestGenerated(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", "-C", "../../tools", "./gen", "-check").CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
