package cli

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

// What strangers wrote is shown, and not obeyed.
func TestForeignText(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[2Jb":         `a\x1b[2Jb`,
		"a\x00\x07\r\u009b": `a\x00\a\r\u009b`,
		"line\nand\ttab, ü": "line\nand\ttab, ü",
		"\u202etxt.exe":     `\u202etxt.exe`,
		"broken \xff\xfe":   `broken \ufffd\ufffd`,
	} {
		if got := visible(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	var b bytes.Buffer
	log := slog.New(&humanHandler{term: newTerm(&b)})
	log.Info("call", "operation", "x\x1b[2J", "path", "/\xff", "plain", "äö", "two", "a b")
	if line := b.String(); !strings.HasSuffix(line, ` call operation="x\x1b[2J" path="/\xff" plain=äö two="a b"`+"\n") {
		t.Errorf("%q", line)
	}
}
