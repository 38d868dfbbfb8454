package dev

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// maxToolOutput is how much of what a tool printed is kept, in bytes: its end, where the error is.
const maxToolOutput = 64 << 10

// tailWriter keeps the end of what is written to it.
type tailWriter struct{ buf []byte }

func (w *tailWriter) Write(p []byte) (int, error) {
	w.buf = append(w.buf, p...)
	if over := len(w.buf) - maxToolOutput; over > 0 {
		w.buf = append(w.buf[:0], w.buf[over:]...)
	}
	return len(p), nil
}

// runTool runs an app's own tool in its directory and returns what it printed. It ends with ctx, and all
// that it has started with it.
func (a *App) runTool(ctx context.Context, env []string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = a.Dir, env
	out := &tailWriter{}
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 3 * time.Second
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return strings.TrimSpace(plain(string(out.buf))), err
}

var (
	escapes = regexp.MustCompile("\x1b\\[[0-9;?]*[a-zA-Z]")
	chatter = regexp.MustCompile(`(?m)^(npm (warn|notice).*|!!.*!!|\(node:\d+\) NOTE: The AWS SDK.*|\(Use .node --trace-.*|It will no longer receive updates.*|Please migrate your code.*|For more information, check the blog.*)\n`)
)

// plain takes colours, and what these tools say whatever happens, out of their output.
func plain(text string) string {
	text = strings.ReplaceAll(escapes.ReplaceAllString(text, ""), "\r\n", "\n")
	return string(bytes.Trim(chatter.ReplaceAll([]byte(text), nil), "\n"))
}

// environ is the environment of an app's tools: what leads them to the server, and more on top.
func (a *App) environ(more ...string) []string {
	env := a.Env
	if env == nil {
		env = os.Environ()
	}
	return append(env[:len(env):len(env)], more...)
}

// ready tells what has to be installed before the app's tools can run.
func (a *App) ready() error {
	if _, err := exec.LookPath("node"); err != nil {
		return fmt.Errorf("%s needs Node.js, and `node` is not on the PATH: install it (https://nodejs.org, or your system's package nodejs), then try again", a.kindName())
	}
	var pkg struct {
		Dependencies    map[string]string `json:"dependencies"`
		DevDependencies map[string]string `json:"devDependencies"`
	}
	data, err := os.ReadFile(filepath.Join(a.Dir, "package.json"))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = json.Unmarshal(data, &pkg)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", filepath.Join(a.Dir, "package.json"), err)
	}
	if len(pkg.Dependencies)+len(pkg.DevDependencies) == 0 || a.upwards("node_modules") != "" {
		return nil
	}
	install := "npm install"
	switch {
	case a.upwards("pnpm-lock.yaml") != "":
		install = "pnpm install"
	case a.upwards("yarn.lock") != "":
		install = "yarn install"
	}
	return fmt.Errorf("the packages of the app are not installed: run `%s` in %s, then try again", install, a.Dir)
}

// upwards looks for a file in the app's directory and those above it, where Node.js would find it too.
func (a *App) upwards(name string) string {
	for dir := a.Dir; ; {
		if f := filepath.Join(dir, name); exists(f) {
			return f
		}
		up := filepath.Dir(dir)
		if up == dir {
			return ""
		}
		dir = up
	}
}

// tool names what makes the app's stacks, where that is a tool of its own.
func (a *App) tool() string {
	switch a.Kind {
	case KindCDK:
		var conf cdkConfig
		if readConfig(filepath.Join(a.Dir, "cdk.json"), &conf) == nil {
			return conf.App
		}
	case KindSST:
		return "the app's SST"
	}
	return ""
}

func (a *App) kindName() string {
	switch a.Kind {
	case KindCDK:
		return "a CDK app"
	case KindSST:
		return "an SST app"
	case KindAssembly:
		return "a cloud assembly"
	}
	return "the app"
}

// toolError says that a tool failed, with what it printed.
func toolError(what, output string, err error) error {
	var exit *exec.ExitError
	if output == "" || !errors.As(err, &exit) {
		return fmt.Errorf("%s: %w\n%s", what, err, output)
	}
	hint := ""
	switch {
	case strings.Contains(output, "MODULE_NOT_FOUND"), strings.Contains(output, "ERR_MODULE_NOT_FOUND"), strings.Contains(output, "Cannot find package"):
		hint = "\nA module is missing: are the app's packages installed (npm install)?"
	case strings.Contains(output, "ModuleNotFoundError"):
		hint = "\nA Python module is missing: is the app's virtual environment active, with what requirements.txt names?"
	case exit.ExitCode() == 127:
		hint = "\nThe command is not there: is the tool installed?"
	}
	return fmt.Errorf("%s (%s):\n%s%s", what, exit, output, hint)
}
