// Package dev turns an app's source into running stacks: it finds out what kind of app a directory
// holds, has it synthesised to CloudFormation templates, builds and uploads the functions, deploys
// through the CloudFormation API as any tool would, and, in live development, watches the sources and
// brings each change into the next request.
//
// Go apps and plain templates end in the same form: templates in which the Code of a function is a local
// path, as `aws cloudformation package` takes them. CDK and SST apps end in a cloud assembly (package
// assembly), which their own tools make: it is deployed as it is, its assets where its templates expect
// them. There is one deployer for all.
//
// What an app's own tool bundled from sources is bundled again in process when the sources change, with
// the options that the tool was seen to use ([record]); where that is not certain, the app is synthesised
// again.
package dev

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// A Kind says how an app becomes stacks.
type Kind int

const (
	KindGo       Kind = iota // a program that uses package app
	KindTemplate             // a CloudFormation template
	KindCDK                  // cdk.json: the command that it names writes a cloud assembly
	KindSST                  // sst.json or sst.config.ts: the app's own SST makes a cloud assembly
	KindAssembly             // a cloud assembly that is there
)

// App is an app found in a directory.
type App struct {
	Dir      string // absolute; paths in its templates are relative to it
	Name     string // of a template app; a Go app says its own
	Template string // path of the template; empty for others
	Kind     Kind

	reads []string // files beside the template that the last synthesis read

	// StageGiven tells that the user named the stage. A CDK app knows of none: only then is it told.
	StageGiven bool
	// Live has the synthesis recorded, so that functions can be built again from their sources.
	Live bool
	// Env is the environment of the app's own tools, which leads them to the server; nil: this process's.
	Env []string
}

// Stack is a stack of an app, synthesised for one stage.
type Stack struct {
	Name     string
	Template *yaml.Node // the document's root mapping
	Outputs  []string   // names in the order in which the app declared them
	Params   map[string]string

	cloud   *cloudStack // of a cloud assembly; nil for others
	ignored []string    // what samconfig.toml says that means nothing here
}

// templateNames are the names under which a directory's template is looked for.
var templateNames = []string{"template.yaml", "template.yml", "template.json"}

// toolFiles are the files that tell apps that are built by a tool of their own, in the order in which they
// are looked for.
var toolFiles = []struct {
	name string
	kind Kind
}{{"sst.config.ts", KindSST}, {"sst.json", KindSST}, {"cdk.json", KindCDK}, {"manifest.json", KindAssembly}}

// Find tells what app path holds: a directory with a CDK or SST app, a cloud assembly, a CloudFormation
// template or a Go program; or the template itself.
func Find(path string) (*App, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	st, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("no app at %s: %w", path, errors.Unwrap(err))
	}
	if !st.IsDir() {
		return &App{Dir: filepath.Dir(abs), Name: nameOf(filepath.Dir(abs)), Template: abs, Kind: KindTemplate}, nil
	}
	for _, f := range toolFiles {
		if exists(filepath.Join(abs, f.name)) {
			return &App{Dir: abs, Name: nameOf(abs), Kind: f.kind}, nil
		}
	}
	for _, name := range templateNames {
		if f := filepath.Join(abs, name); exists(f) {
			return &App{Dir: abs, Name: nameOf(abs), Template: f, Kind: KindTemplate}, nil
		}
	}
	if exists(filepath.Join(abs, "samconfig.toml")) {
		return nil, fmt.Errorf("%s holds samconfig.toml but no template (%s): name the template that it is about", path, strings.Join(templateNames, ", "))
	}
	if goFiles, _ := filepath.Glob(filepath.Join(abs, "*.go")); len(goFiles) > 0 {
		return &App{Dir: abs, Name: nameOf(abs)}, nil
	}
	return nil, fmt.Errorf("%s holds no app: no cdk.json, sst.json or sst.config.ts, no CloudFormation template (%s), no cloud assembly and no Go files", path, strings.Join(templateNames, ", "))
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil || !errors.Is(err, fs.ErrNotExist)
}

var notInNames = regexp.MustCompile(`[^a-zA-Z0-9-]+`)

// nameOf makes the name of a stack's app from its directory's.
func nameOf(dir string) string {
	name := strings.Trim(notInNames.ReplaceAllString(filepath.Base(dir), "-"), "-")
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "app-" + name
	}
	return name
}

// synthesis is what a Go app writes; package app documents the form.
type synthesis struct {
	Version int
	App     string
	Stacks  []struct {
		Name     string
		Template json.RawMessage
	}
	Outputs []string
}

// StageForm is what a stage's name may look like: it becomes part of a stack's name.
var stageForm = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9-]{0,39}$`)

// Synth makes the stacks of a for a stage of the server that d deploys to.
func (a *App) Synth(ctx context.Context, stage string, d *Deployer) ([]*Stack, error) {
	account, region := d.Client.Account, d.Client.Region
	if !stageForm.MatchString(stage) {
		return nil, fmt.Errorf("stage %q: a stage's name begins with a letter and has up to 40 letters, digits and hyphens", stage)
	}
	if a.Template != "" {
		text, err := os.ReadFile(a.Template)
		if err != nil {
			return nil, err
		}
		s, err := newStack(stage+"-"+a.Name, text, a.Template)
		if err != nil {
			return nil, err
		}
		s.Outputs = keys(child(s.Template, "Outputs"))
		if child(child(s.Template, "Parameters"), "Stage") != nil {
			s.Params = map[string]string{"Stage": stage}
		}
		if err := a.serverless(s, stage); err != nil {
			return nil, err
		}
		return []*Stack{s}, nil
	}
	if a.Kind == KindGo {
		return a.synthGo(ctx, stage, region)
	}
	return a.synthAssembly(ctx, stage, d, account, region)
}

// synthGo runs the app's program, which writes its templates into a file.
func (a *App) synthGo(ctx context.Context, stage, region string) ([]*Stack, error) {
	tmp, err := os.MkdirTemp("", "gatehouse-synth-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(tmp)
	file := filepath.Join(tmp, "synth.json")
	cmd := exec.CommandContext(ctx, "go", "run", ".")
	cmd.Dir = a.Dir
	cmd.Env = append(os.Environ(), "GATEHOUSE_SYNTH="+file, "GATEHOUSE_STAGE="+stage, "GATEHOUSE_REGION="+region)
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stderr, &stderr
	if err := cmd.Run(); err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return nil, errors.New("a Go app needs the Go toolchain: `go` is not on the PATH")
		}
		text := strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(stderr.String()), "exit status 1"))
		if text == "" {
			text = err.Error()
		}
		return nil, fmt.Errorf("the app in %s does not build its stacks:\n%s", a.Dir, text)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the program in %s ran but wrote no stacks: does its main call app.Main?", a.Dir)
	}
	var syn synthesis
	if err := json.Unmarshal(data, &syn); err != nil {
		return nil, fmt.Errorf("the stacks that %s wrote: %w", a.Dir, err)
	}
	if syn.Version != 1 {
		return nil, fmt.Errorf("%s uses version %d of the app protocol, this gatehouse knows version 1: bring the module and the binary to the same release", a.Dir, syn.Version)
	}
	var stacks []*Stack
	for _, one := range syn.Stacks {
		s, err := newStack(one.Name, one.Template, one.Name)
		if err != nil {
			return nil, err
		}
		for _, name := range syn.Outputs {
			if child(child(s.Template, "Outputs"), name) != nil {
				s.Outputs = append(s.Outputs, name)
			}
		}
		stacks = append(stacks, s)
	}
	if len(stacks) == 0 {
		return nil, fmt.Errorf("the app in %s has no stacks", a.Dir)
	}
	return stacks, nil
}

// newStack parses a template as far as the packager needs it; the server checks the rest.
func newStack(name string, text []byte, from string) (*Stack, error) {
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", from, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("%s: Template format error: unsupported structure.", from)
	}
	unflow(doc.Content[0])
	return &Stack{Name: name, Template: doc.Content[0]}, nil
}

// unflow has a template written in blocks, whatever it came in: what the packager adds is plain, and
// CloudFormation takes a text that begins with a brace for JSON.
func unflow(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle
	for _, c := range n.Content {
		unflow(c)
	}
}

// child returns the value of a mapping's key, or nil.
func child(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// keys returns a mapping's keys in their order.
func keys(n *yaml.Node) []string {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var out []string
	for i := 0; i+1 < len(n.Content); i += 2 {
		out = append(out, n.Content[i].Value)
	}
	return out
}
