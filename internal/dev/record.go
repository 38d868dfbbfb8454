package dev

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/dev/assembly"
	"github.com/gatehouse-dev/gatehouse/internal/surroundings"
)

//go:embed record.cjs
var recorder []byte

// record is what was seen of a synthesis: how esbuild was used, and what modules the app's program has.
// What is deployed was made by the app's own tool; that its code can be made again in process, when a
// source changes, is known of a function only if its asset has, byte for byte, what one call of esbuild
// wrote.
type record struct {
	calls   []*call
	program []string // files that the stacks are made from, as far as they are known
}

// call is one use of esbuild.
type call struct {
	Words  []string // as on a command line; of a shell: the shell's; empty: cannot be said so
	Cwd    string
	Output string // file that was written
	Digest string // of its content then, SHA-256 in hex
	OK     bool
	Inputs []string // files that were read, relative to Cwd, where the caller asked for them
}

// recording makes the directory that a synthesis is recorded in, and returns the environment that has it
// recorded.
func recording(env []string) (dir string, with []string, err error) {
	if dir, err = os.MkdirTemp("", "gatehouse-record-"); err != nil {
		return "", nil, err
	}
	module := filepath.Join(dir, "record.cjs")
	if err := os.WriteFile(module, recorder, 0o600); err != nil {
		os.RemoveAll(dir)
		return "", nil, err
	}
	options := ""
	for _, kv := range env {
		if v, ok := strings.CutPrefix(kv, "NODE_OPTIONS="); ok {
			options = v
		}
	}
	return dir, append(env[:len(env):len(env)], "NODE_OPTIONS="+surroundings.WithPreload(options, module), "GATEHOUSE_RECORD="+filepath.Join(dir, "record")), nil
}

// readRecord reads what was recorded in dir of an app's synthesis.
func readRecord(dir, app string) *record {
	r := &record{}
	data, err := os.ReadFile(filepath.Join(dir, "record"))
	if err != nil {
		return r
	}
	seen := map[string]bool{}
	for sc := newLines(data); sc.Scan(); {
		var line struct {
			call
			Loaded []string
		}
		if json.Unmarshal(sc.Bytes(), &line) != nil {
			continue
		}
		for _, f := range line.Loaded {
			f, _, _ = strings.Cut(f, "?")
			if f = strings.TrimPrefix(f, "file://"); strings.HasPrefix(f, app+string(filepath.Separator)) && !seen[f] {
				seen[f] = true
				r.program = append(r.program, f)
			}
		}
		if line.OK && (line.Output != "" || len(line.Inputs) > 0) {
			c := line.call
			r.calls = append(r.calls, &c)
		}
	}
	return r
}

func newLines(data []byte) *bufio.Scanner {
	sc := bufio.NewScanner(bytes.NewReader(data))
	sc.Buffer(nil, 16<<20)
	return sc
}

// args returns the arguments of esbuild, nil if they are not certain.
func (c *call) args() []string {
	words := c.Words
	if len(words) == 3 && (filepath.Base(words[0]) == "bash" || filepath.Base(words[0]) == "sh") && words[1] == "-c" {
		words = shellWords(words[2])
	}
	i := slices.IndexFunc(words, func(w string) bool { return filepath.Base(w) == "esbuild" })
	if i < 0 || !slices.Contains(words, "--bundle") || slices.ContainsFunc(words[i+1:], func(w string) bool { return strings.HasPrefix(w, "--outdir") || w == "--watch" }) {
		return nil
	}
	return words[i+1:]
}

// shellWords splits one simple command of a shell. It returns nil for anything more than that: several
// commands, variables, redirections.
func shellWords(text string) []string {
	var words []string
	var word strings.Builder
	in, quote := false, byte(0)
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case quote == '\'' && c != '\'':
			word.WriteByte(c)
		case quote == '"' && c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
			i++
			word.WriteByte(text[i])
		case quote == '"' && (c == '$' || c == '`'):
			return nil
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, in = c, true
		case c == '\\' && i+1 < len(text):
			i++
			in = true
			word.WriteByte(text[i])
		case c == ' ' || c == '\t':
			if in {
				words = append(words, word.String())
				word.Reset()
				in = false
			}
		case strings.IndexByte("&|;<>()$`\n*?[#~{}!\\", c) >= 0:
			return nil
		default:
			in = true
			word.WriteByte(c)
		}
	}
	if quote != 0 {
		return nil
	}
	if in {
		words = append(words, word.String())
	}
	return words
}

// replay returns how the bundle in an asset is made again, nil if that is not certain.
func (r *record) replay(dir string) *bundle.Replay {
	var found *bundle.Replay
	for _, c := range r.calls {
		at := c.inside(dir)
		if at == "" {
			continue
		}
		args := c.args()
		if args == nil {
			return nil
		}
		if found != nil && (!slices.Equal(sources(found.Args), sources(args)) || found.At != at) {
			return nil // two sources give the same bundle today; tomorrow they may not
		}
		found = &bundle.Replay{Args: args, Root: c.Cwd, At: at}
	}
	return found
}

// sources are the arguments of a call but for where it writes.
func sources(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "--outfile=") })
}

// inside returns the path in an asset of the file that c wrote, "" if it is not there. It stands under the
// last parts of the name that it was written under.
func (c *call) inside(dir string) string {
	if c.Digest == "" {
		return ""
	}
	at := ""
	parts := strings.Split(filepath.ToSlash(c.Output), "/")
	for i := len(parts) - 1; i > 0; i-- {
		name := strings.Join(parts[i:], "/")
		data, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(name)))
		if err != nil {
			continue
		}
		if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) == c.Digest {
			at = name
		}
	}
	return at
}

// programFiles returns what the stacks are made from: the modules that were loaded, and the sources of
// bundles that are in no asset, as SST makes of the stacks.
func (r *record) programFiles(ctx context.Context, assets []*assembly.Asset) []string {
	files := slices.Clone(r.program)
	for _, c := range r.calls {
		if slices.ContainsFunc(assets, func(a *assembly.Asset) bool { return a.Zip && c.inside(a.Path) != "" }) {
			continue
		}
		for _, in := range c.Inputs {
			if in = filepath.Join(c.Cwd, filepath.FromSlash(in)); !strings.Contains(filepath.ToSlash(in), "/node_modules/") {
				files = append(files, in)
			}
		}
		if args := c.args(); args != nil && len(c.Inputs) == 0 {
			if p, err := (&bundle.Replay{Args: args, Root: c.Cwd, At: "index.js"}).Build(ctx); err == nil {
				files = append(files, p.Inputs...)
			}
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

// maxSourceDirs bounds in how many directories of an app the origin of an asset is looked for.
const maxSourceDirs = 5000

// origins finds, for assets that are plain copies, the directories of the app that they are copies of. One
// that is a copy of two, or of none as it stands, has none.
func origins(app string, assets []*assembly.Asset) map[string]string {
	want := map[string][]string{} // names at the top, joined → assets
	for _, a := range assets {
		if a.Zip {
			if key, n := topNames(a.Path); n > 0 && !slices.Contains(want[key], a.Path) {
				want[key] = append(want[key], a.Path)
			}
		}
	}
	found := map[string]string{}
	dirs := 0
	filepath.WalkDir(app, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if p != app && ignored(p) {
			return fs.SkipDir
		}
		if dirs++; dirs > maxSourceDirs {
			return fs.SkipAll
		}
		key, _ := topNames(p)
		for _, asset := range want[key] {
			if !sameTree(asset, p) {
				continue
			}
			if _, two := found[asset]; two {
				found[asset] = ""
			} else {
				found[asset] = p
			}
		}
		return nil
	})
	return found
}

func topNames(dir string) (string, int) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return "", 0
	}
	var names []string
	for _, e := range list {
		names = append(names, e.Name())
	}
	return strings.Join(names, "\x00"), len(names)
}

// sameTree tells whether two directories hold the same files.
func sameTree(a, b string) bool {
	same := true
	count := func(dir string) (n int) {
		filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			if err != nil {
				same = false
				return fs.SkipAll
			}
			n++
			return nil
		})
		return n
	}
	if count(a) != count(b) || !same {
		return false
	}
	filepath.WalkDir(a, func(p string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			return nil
		}
		rel, rerr := filepath.Rel(a, p)
		one, err1 := os.ReadFile(p)
		two, err2 := os.ReadFile(filepath.Join(b, rel))
		if err != nil || rerr != nil || err1 != nil || err2 != nil || !bytes.Equal(one, two) {
			same = false
			return fs.SkipAll
		}
		return nil
	})
	return same
}
