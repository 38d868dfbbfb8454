package cli

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	xterm "golang.org/x/term"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// term writes for people: in colour where a terminal shows it, plain elsewhere. Writes of several
// goroutines do not mix.
type term struct {
	mu    sync.Mutex
	w     io.Writer
	color bool
}

func newTerm(w io.Writer) *term {
	f, ok := w.(*os.File)
	return &term{w: w, color: ok && xterm.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (t *term) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.w.Write(p)
}

func (t *term) printf(format string, args ...any) { fmt.Fprintf(t, format, args...) }

func (t *term) style(code, s string) string {
	if !t.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (t *term) bold(s string) string   { return t.style("1", s) }
func (t *term) dim(s string) string    { return t.style("2", s) }
func (t *term) red(s string) string    { return t.style("31", s) }
func (t *term) green(s string) string  { return t.style("32", s) }
func (t *term) yellow(s string) string { return t.style("33", s) }
func (t *term) cyan(s string) string   { return t.style("36", s) }

// visible shows the control characters in a text that somebody else wrote, so that a terminal does not
// obey them. Lines and tabs stay.
func visible(s string) string {
	odd := func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsGraphic(r) || r == utf8.RuneError }
	if !strings.ContainsFunc(s, odd) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if odd(r) {
			b.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// indent puts prefix before every line of s.
func indent(prefix, s string) string {
	return prefix + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+prefix)
}

// secretFromEnv reads the secret key of the surroundings.
func secretFromEnv() seal.Secret { return seal.Secret(os.Getenv("AWS_SECRET_ACCESS_KEY")) }
