package runtime

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

//go:embed bootstrap/bootstrap.cjs
var nodeBootstrap []byte

//go:embed bootstrap/bootstrap.py
var pythonBootstrap []byte

// interpreters finds node and python3 on this machine, once each, when they are first needed.
// What PATH names may be the shim of a version manager, which looks at the working directory and
// costs a shell: the interpreter itself is asked where it is.
type interpreters struct {
	node, python string // configured; empty: on PATH

	mu    sync.Mutex
	found map[string]found
}

type found struct {
	path string
	err  *Error
	at   time.Time
}

// find returns the interpreter for a runtime. A miss is asked again after a while, for a user may
// install what the error says.
func (in *interpreters) find(f family, runtime string) (string, *Error) {
	key := "node"
	if f == familyPython {
		key = runtime
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if r, ok := in.found[key]; ok && (r.err == nil || time.Since(r.at) < 2*time.Second) {
		return r.path, r.err
	}
	var r found
	if f == familyNode {
		r.path, r.err = in.findNode(runtime)
	} else {
		r.path, r.err = in.findPython(runtime)
	}
	r.at = time.Now()
	if in.found == nil {
		in.found = map[string]found{}
	}
	in.found[key] = r
	return r.path, r.err
}

func (in *interpreters) findNode(runtime string) (string, *Error) {
	name := in.node
	if name == "" {
		name = "node"
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", unusable("The runtime %s needs Node.js on this machine, and there is no %s on the PATH. Install Node.js 20 or newer: https://nodejs.org, or the package nodejs of your system (apt-get install nodejs, brew install node).", runtime, name)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil && strings.HasPrefix(filepath.Base(real), "node") && !isScript(real) {
		return absolute(path), nil
	}
	if p := ask(path, "-p", "process.execPath"); p != "" {
		return p, nil
	}
	return "", unusable("The runtime %s needs Node.js on this machine, but %s does not run.", runtime, path)
}

func (in *interpreters) findPython(runtime string) (string, *Error) {
	names := []string{runtime, "python3"} // "python3.12" is the name of the executable, too
	if in.python != "" {
		names = []string{in.python}
	}
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err != nil {
			continue
		}
		if p := ask(path, "-c", "import sys; print(sys.executable if sys.version_info >= (3, 8) else '')"); p != "" {
			return p, nil
		}
	}
	return "", unusable("The runtime %s needs Python 3.8 or newer on this machine, and there is no working %s on the PATH. Install it: https://www.python.org, or the package python3 of your system (apt-get install python3, brew install python).", runtime, strings.Join(names, " or "))
}

func ask(path string, args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir = os.TempDir()
	out, err := cmd.Output()
	if err != nil {
		return ""
	}
	p := strings.TrimSpace(string(out))
	if !filepath.IsAbs(p) {
		return ""
	}
	return p
}

func isScript(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return true
	}
	defer f.Close()
	var b [2]byte
	f.Read(b[:])
	return string(b[:]) == "#!"
}

func absolute(path string) string {
	if p, err := filepath.Abs(path); err == nil {
		return p
	}
	return path
}

// interpreterArgs is the command line of a generic process.
func (m *Manager) interpreterArgs(f family, path string) []string {
	if f == familyNode {
		return []string{path, "--max-http-header-size=81920", filepath.Join(m.runtimeDir, "bootstrap.cjs")}
	}
	return []string{path, "-s", filepath.Join(m.runtimeDir, "bootstrap.py")}
}
