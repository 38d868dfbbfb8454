package dev

import (
	"context"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/fsnotify/fsnotify"
)

const (
	// settle is how long the sources must be quiet before a change is taken up: editors write a file in
	// several steps.
	settle = 25 * time.Millisecond
	// maxSettle is how long a change waits at the most.
	maxSettle = 400 * time.Millisecond
)

// Session is one live development session: an app on one stage of a server.
type Session struct {
	App      *App
	Stage    string
	Params   map[string]string
	Live     bool // build for development rather than for deployment
	Deployer *Deployer
	Report   Reporter

	stacks []*Stack
	funcs  []*Function
	broken map[*Function]bool // their last build failed: any change is a reason to try again
	stale  bool               // the last synthesis or deployment failed
	inputs []string           // of the app's own stacks: files and directories

	cloud cloudWatch // of an app that becomes a cloud assembly
}

// Reporter shows a session's events to its user.
type Reporter interface {
	Working(on string)
	Building(functions int)
	Deployed(stacks []*StackInfo, outputs []Output, changed bool, took time.Duration)
	Updated(function string, took time.Duration)
	Failed(err error) // what ran before goes on running
}

// Up synthesises, builds and deploys the whole app.
func (s *Session) Up(ctx context.Context) error {
	start := time.Now()
	s.stale = true
	s.App.Live = s.Live
	s.note("synthesising")
	stacks, err := s.App.Synth(ctx, s.Stage, s.Deployer)
	if err != nil {
		return err
	}
	return s.adopt(ctx, stacks, start, nil)
}

// note tells what a tool of the app is doing, for that may take long.
func (s *Session) note(doing string) {
	if what := s.App.tool(); what != "" {
		s.Report.Working(doing + " with " + what)
	}
}

// adopt builds and deploys stacks as they were synthesised. since are the files that changed meanwhile: what
// the synthesis made of them is old.
func (s *Session) adopt(ctx context.Context, stacks []*Stack, start time.Time, since map[string]bool) error {
	s.stale = true
	if err := unknownParameters(stacks, s.Params); err != nil {
		return err
	}
	var funcs []*Function
	for _, st := range stacks {
		if len(st.ignored) > 0 {
			s.Report.Working("samconfig.toml means nothing here by " + strings.Join(st.ignored, ", "))
		}
		fs, err := st.functions(s.App.Dir, s.Live)
		if err != nil {
			return err
		}
		funcs = append(funcs, fs...)
	}
	s.inputs = s.App.inputs(ctx)
	s.Report.Building(len(funcs))
	if err := Build(ctx, funcs, nil); err != nil {
		return err
	}
	var infos []*StackInfo
	var outputs []Output
	changed := false
	for _, st := range stacks {
		info, did, err := s.Deployer.Deploy(ctx, st, funcs, s.Params)
		if err != nil {
			return err
		}
		infos = append(infos, info)
		for _, o := range info.Sorted(st.Outputs) {
			if s.App.Kind == KindSST && o.Key == "SSTMetadata" {
				continue // what SST's console reads
			}
			if st.cloud != nil && len(stacks) > 1 {
				o.Key = st.Name + "." + o.Key // as CDK names them: each stack has names of its own
			}
			outputs = append(outputs, o)
		}
		changed = changed || did
	}
	s.stacks, s.funcs, s.broken, s.stale = stacks, funcs, map[*Function]bool{}, false
	var old []*Function
	for _, f := range funcs {
		if touches(since, f.Package.Inputs) {
			old = append(old, f)
			s.broken[f] = true
		}
	}
	broken := Build(ctx, old, func(f *Function) { f.fresh = true })
	funcs = slices.DeleteFunc(slices.Clone(funcs), func(f *Function) bool { return s.broken[f] && !f.fresh })
	for _, f := range funcs {
		delete(s.broken, f)
	}
	// A session that ended in the middle of an edit may have left newer code than its template names.
	if err := s.push(ctx, funcs, func(string) {}); err != nil {
		return err
	}
	s.Report.Deployed(infos, outputs, changed, time.Since(start))
	return broken
}

// push brings the packages of fs into their running functions.
func (s *Session) push(ctx context.Context, fs []*Function, updated func(name string)) error {
	names := map[*Stack]map[string]string{}
	for _, f := range fs {
		if f.layer || f.alias {
			continue // a version of its own, which the deployment made
		}
		if names[f.Stack] == nil {
			var err error
			if names[f.Stack], err = s.Deployer.of(f.Stack).Physical(ctx, f.Stack.Name); err != nil {
				return err
			}
		}
		name := names[f.Stack][f.Logical]
		if name == "" {
			continue // its condition is false
		}
		did, err := s.Deployer.of(f.Stack).UpdateCode(ctx, name, f)
		if err != nil {
			return err
		}
		if did {
			updated(f.Logical)
		}
	}
	return nil
}

// Watch follows the app's sources until ctx ends and brings each change to the server.
func (s *Session) Watch(ctx context.Context) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return err
	}
	defer w.Close()
	s.follow(w)
	changed := map[string]bool{}
	var quiet, latest <-chan time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-w.Errors:
			s.Report.Failed(err)
		case e, ok := <-w.Events:
			if !ok {
				return nil
			}
			if e.Op == fsnotify.Chmod || ignored(e.Name) {
				continue
			}
			if st, err := os.Stat(e.Name); err == nil && st.IsDir() {
				addTree(w, e.Name)
			}
			changed[e.Name] = true
			quiet = time.After(settle)
			if latest == nil {
				latest = time.After(maxSettle)
			}
			continue
		case made := <-s.cloud.done:
			s.synthesised(ctx, made)
			s.follow(w)
			continue
		case <-quiet:
		case <-latest:
		}
		quiet, latest = nil, nil
		if s.App.Kind.assembled() {
			s.applyCloud(ctx, changed)
		} else {
			s.apply(ctx, changed)
		}
		clear(changed)
		s.follow(w)
	}
}

// apply does what a set of changed files asks for: nothing, new code for some functions, or the whole
// way from synthesis to deployment.
func (s *Session) apply(ctx context.Context, changed map[string]bool) {
	if s.stale || touches(changed, s.inputs) {
		if err := s.Up(ctx); err != nil && ctx.Err() == nil {
			s.Report.Failed(err)
		}
		return
	}
	s.rebuild(ctx, changed)
}

// rebuild brings what changed into the functions that are made of it.
func (s *Session) rebuild(ctx context.Context, changed map[string]bool) {
	start := time.Now()
	var build []*Function
	for _, f := range s.funcs {
		if s.broken[f] || touches(changed, f.Package.Inputs) {
			build = append(build, f)
		}
	}
	if len(build) == 0 {
		return
	}
	if slices.ContainsFunc(build, func(f *Function) bool { return f.layer || f.alias }) {
		if err := s.Up(ctx); err != nil && ctx.Err() == nil { // only a deployment makes versions
			s.Report.Failed(err)
		}
		return
	}
	for _, f := range build {
		s.broken[f] = true
	}
	err := Build(ctx, build, nil)
	if err == nil {
		for _, f := range build {
			delete(s.broken, f)
		}
		err = s.push(ctx, build, func(name string) { s.Report.Updated(name, time.Since(start)) })
	}
	if err != nil && ctx.Err() == nil {
		s.Report.Failed(err)
	}
}

// touches tells whether one of the changed files is, or lies in, one of inputs.
func touches(changed map[string]bool, inputs []string) bool {
	for _, in := range inputs {
		if changed[in] {
			return true
		}
		for c := range changed {
			if filepath.Dir(c) == in || strings.HasPrefix(c, in+string(filepath.Separator)) {
				return true
			}
		}
	}
	return false
}

// follow adds to w what the session reads now.
func (s *Session) follow(w *fsnotify.Watcher) {
	addTree(w, s.App.Dir)
	for _, in := range s.inputs {
		addInput(w, in)
	}
	for _, f := range s.funcs {
		for _, in := range f.Package.Inputs {
			addInput(w, in)
		}
	}
}

// addInput watches a directory, or the directory of a file: editors replace files.
func addInput(w *fsnotify.Watcher, path string) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		addTree(w, path)
	} else {
		w.Add(filepath.Dir(path))
	}
}

func addTree(w *fsnotify.Watcher, dir string) {
	filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return nil
		}
		if path != dir && ignored(path) {
			return fs.SkipDir
		}
		w.Add(path)
		return nil
	})
}

// ignored tells of paths whose changes mean nothing: dependencies, repositories, editors' own files.
func ignored(path string) bool {
	base := filepath.Base(path)
	switch base {
	case "node_modules", "__pycache__", "cdk.out", "4913": // the last is vim asking whether it may write
		return true
	}
	return strings.HasPrefix(base, ".") || strings.HasSuffix(base, "~") || strings.HasSuffix(base, ".swp") || strings.HasPrefix(base, "#")
}

// inputs lists what the stacks themselves are made from.
func (a *App) inputs(ctx context.Context) []string {
	if a.Template != "" {
		return append([]string{a.Template}, a.reads...)
	}
	if a.Kind.assembled() {
		return nil // any file of theirs may be read
	}
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f",
		`{{if and (not .Standard) .Module}}{{if .Module.Main}}{{$d := .Dir}}{{range .GoFiles}}{{$d}}/{{.}}{{"\n"}}{{end}}{{end}}{{end}}`, ".")
	cmd.Dir = a.Dir
	out, err := cmd.Output()
	var files []string
	if err == nil {
		files = strings.Fields(string(out))
	}
	mods, _ := filepath.Glob(filepath.Join(a.Dir, "*.go"))
	return append(files, mods...)
}

// LogGroups returns the log groups of the session's functions by logical id.
func (s *Session) LogGroups(ctx context.Context) map[string]string {
	out := map[string]string{}
	for _, st := range s.stacks {
		names, err := s.Deployer.of(st).Physical(ctx, st.Name)
		if err != nil {
			continue
		}
		for _, f := range s.funcs {
			if f.Stack == st && names[f.Logical] != "" {
				out[f.Logical] = "/aws/lambda/" + names[f.Logical]
			}
		}
	}
	return out
}

// Routes returns the paths of the GET routes that the session's templates give their HTTP APIs, in
// their order: what a person would open first.
func (s *Session) Routes() []string {
	var out []string
	s.eachRoute(func(path string, guarded bool) { out = append(out, path) })
	return out
}

// GuardedRoute returns the path of the first GET route that has an authorizer, "/" if none has.
func (s *Session) GuardedRoute() string {
	found := ""
	s.eachRoute(func(path string, guarded bool) {
		if guarded && found == "" {
			found = path
		}
	})
	if found == "" {
		return "/"
	}
	return found
}

func (s *Session) eachRoute(f func(path string, guarded bool)) {
	for _, st := range s.stacks {
		resources := child(st.Template, "Resources")
		for _, id := range keys(resources) {
			res := child(resources, id)
			typ, props := child(res, "Type"), child(res, "Properties")
			if typ != nil && typ.Value == serverlessFunction {
				st.eventRoutes(props, f)
				continue
			}
			if typ == nil || typ.Value != "AWS::ApiGatewayV2::Route" {
				continue
			}
			key := child(props, "RouteKey")
			if key == nil {
				continue
			}
			if path, ok := strings.CutPrefix(key.Value, "GET "); ok {
				auth := child(props, "AuthorizationType")
				f(path, auth != nil && auth.Value != "NONE")
			}
		}
	}
}
