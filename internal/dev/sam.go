package dev

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
)

const (
	serverlessFunction = "AWS::Serverless::Function"
	serverlessLayer    = "AWS::Serverless::LayerVersion"
)

// serverless tells whether a template is one of SAM.
func (s *Stack) serverless() bool {
	t := child(s.Template, "Transform")
	names := []*yaml.Node{t}
	if t != nil && t.Kind == yaml.SequenceNode {
		names = t.Content
	}
	return slices.ContainsFunc(names, func(n *yaml.Node) bool { return n != nil && n.Value == "AWS::Serverless-2016-10-31" })
}

func yamlText(v string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: v}
}

// setChild sets the value of a mapping's key.
func setChild(n *yaml.Node, key string, v *yaml.Node) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content[i+1] = v
			return
		}
	}
	n.Content = append(n.Content, yamlText(key), v)
}

func deleteChild(n *yaml.Node, key string) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			n.Content = slices.Delete(n.Content, i, i+2)
			return
		}
	}
}

// localPath tells whether a node names a file or directory of the app, as `sam package` takes it.
func localPath(n *yaml.Node) bool {
	return n != nil && n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" && !strings.Contains(n.Value, "://") && n.Value != ""
}

// localize takes into a serverless template what it names by a path, but for code: definitions of APIs,
// and parts that AWS::Include reads. Code that is named for all functions is named by each, so that each
// can have its own package.
func (s *Stack) localize(a *App) error {
	resources := child(s.Template, "Resources")
	global := child(child(s.Template, "Globals"), "Function")
	inherited := child(global, "CodeUri")
	for _, id := range keys(resources) {
		res := child(resources, id)
		typ := child(res, "Type")
		if typ == nil {
			continue
		}
		props := child(res, "Properties")
		switch typ.Value {
		case serverlessFunction:
			if props == nil || props.Kind != yaml.MappingNode {
				props = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
				setChild(res, "Properties", props)
			}
			if localPath(inherited) && child(props, "CodeUri") == nil && child(props, "InlineCode") == nil {
				setChild(props, "CodeUri", yamlText(inherited.Value))
			}
		case "AWS::Serverless::Api", "AWS::Serverless::HttpApi":
			uri := child(props, "DefinitionUri")
			if !localPath(uri) {
				continue
			}
			body, err := a.readYAML(uri.Value)
			if err != nil {
				return fmt.Errorf("%s: DefinitionUri: %w", id, err)
			}
			deleteChild(props, "DefinitionUri")
			setChild(props, "DefinitionBody", body)
		case "AWS::Serverless::Application":
			if localPath(child(props, "Location")) {
				return fmt.Errorf("%s: a nested application of the local template %s is not supported: deploy it as an app of its own, or name a template's URL", id, child(props, "Location").Value)
			}
		}
	}
	if localPath(inherited) {
		deleteChild(global, "CodeUri")
	}
	return a.includeLocal(s.Template)
}

// readYAML reads a file of the app, which is watched from now on.
func (a *App) readYAML(name string) (*yaml.Node, error) {
	file := name
	if !filepath.IsAbs(file) {
		file = filepath.Join(a.Dir, filepath.FromSlash(name))
	}
	a.reads = append(a.reads, file)
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil, fmt.Errorf("%s is empty", name)
	}
	unflow(doc.Content[0])
	return doc.Content[0], nil
}

// includeLocal puts the content of local files in place of AWS::Include.
func (a *App) includeLocal(n *yaml.Node) error {
	if call := child(n, "Fn::Transform"); call != nil {
		where := child(child(call, "Parameters"), "Location")
		if name := child(call, "Name"); name != nil && name.Value == "AWS::Include" && localPath(where) {
			v, err := a.readYAML(where.Value)
			if err != nil {
				return fmt.Errorf("AWS::Include: %w", err)
			}
			deleteChild(n, "Fn::Transform")
			if len(n.Content) == 0 {
				*n = *v
			} else if v.Kind != yaml.MappingNode {
				return fmt.Errorf("AWS::Include: %s stands beside other keys, so it must be a map", where.Value)
			} else {
				n.Content = append(n.Content, v.Content...)
			}
		}
	}
	for _, c := range n.Content {
		if err := a.includeLocal(c); err != nil {
			return err
		}
	}
	return nil
}

// inheritedProperty returns a property of a serverless function, its own or that of all functions.
func (s *Stack) inheritedProperty(props *yaml.Node, name string) *yaml.Node {
	if v := child(props, name); v != nil {
		return v
	}
	return child(child(child(s.Template, "Globals"), "Function"), name)
}

// serverlessSource says what a serverless function or layer is built of; ok is false if its code lies
// elsewhere.
func (s *Stack) serverlessSource(id string, res *yaml.Node, root string, live bool) (f *Function, ok bool, err error) {
	props := child(res, "Properties")
	typ := child(res, "Type").Value
	property := "CodeUri"
	if typ == serverlessLayer {
		property = "ContentUri"
	}
	code := child(props, property)
	if !localPath(code) {
		return nil, false, nil
	}
	f = &Function{Stack: s, Logical: id, code: code, serverless: true, layer: typ == serverlessLayer}
	f.Source = bundle.Source{Root: root, Path: code.Value, Dev: live}
	method := ""
	if m := child(child(res, "Metadata"), "BuildMethod"); m != nil {
		method = m.Value
	}
	if f.layer {
		if method != "" {
			return nil, false, fmt.Errorf("layer %s: BuildMethod %s is not supported: put the layer's files into %s as they are to be in /opt", id, method, code.Value)
		}
		return f, true, nil
	}
	if method == "makefile" || strings.HasPrefix(method, "rust") || strings.HasPrefix(method, "dotnet") || strings.HasPrefix(method, "java") || strings.HasPrefix(method, "ruby") {
		return nil, false, fmt.Errorf("function %s: BuildMethod %s is not supported: build it first, and name what came out in CodeUri", id, method)
	}
	for _, p := range []struct {
		name string
		into *string
	}{{"Runtime", &f.Source.Runtime}, {"Handler", &f.Source.Handler}} {
		v := s.inheritedProperty(props, p.name)
		if v == nil {
			continue
		}
		if v.Kind != yaml.ScalarNode || strings.HasPrefix(v.Tag, "!") && !strings.HasPrefix(v.Tag, "!!") {
			return nil, false, fmt.Errorf("function %s: %s must be a plain text where CodeUri is a local path", id, p.name)
		}
		*p.into = v.Value
	}
	if arch := s.inheritedProperty(props, "Architectures"); arch != nil && arch.Kind == yaml.SequenceNode && len(arch.Content) == 1 {
		f.Source.Arch = arch.Content[0].Value
	}
	f.alias = s.inheritedProperty(props, "AutoPublishAlias") != nil
	// The package may need another handler than the source; it is the function's own then.
	if f.handler = child(props, "Handler"); f.handler == nil && f.Source.Handler != "" {
		f.handler = yamlText(f.Source.Handler)
		setChild(props, "Handler", f.handler)
	}
	if method == "esbuild" {
		if err := f.esbuild(id, child(child(res, "Metadata"), "BuildProperties")); err != nil {
			return nil, false, err
		}
	}
	return f, true, nil
}

// esbuild follows the properties of SAM's build with esbuild. The entry point says what is bundled; how
// small the result is and for which engine it is made, the bundler decides by the runtime.
func (f *Function) esbuild(id string, props *yaml.Node) error {
	for _, name := range keys(props) {
		v := child(props, name)
		switch name {
		case "EntryPoints":
			if v.Kind != yaml.SequenceNode || len(v.Content) != 1 {
				return fmt.Errorf("function %s: BuildProperties: one of EntryPoints is supported, the one of the handler", id)
			}
			entry := v.Content[0].Value
			f.Source.Path = path.Join(f.Source.Path, entry)
			// SAM leaves the directories of an entry point out of the package.
			file, export := path.Split(f.Source.Handler)
			_, function, _ := strings.Cut(export, ".")
			base := strings.TrimSuffix(path.Base(entry), path.Ext(entry))
			if base+"."+function != export {
				return fmt.Errorf("function %s: the handler %s%s is not of the entry point %s", id, file, export, entry)
			}
			f.Source.Handler = export
		case "Minify", "Target", "Sourcemap", "SourcesContent", "KeepNames", "TreeShaking":
			// They change how the bundle looks, not what it does.
		case "External":
			for _, item := range v.Content {
				if !strings.HasPrefix(item.Value, "@aws-sdk/") && item.Value != "aws-sdk" {
					return fmt.Errorf("function %s: BuildProperties: External %s is not supported: only the AWS SDK is left out", id, item.Value)
				}
			}
		case "Format":
			if v.Value != "cjs" && v.Value != "esm" {
				return fmt.Errorf("function %s: BuildProperties: Format %s is not supported", id, v.Value)
			}
		case "MainFields":
			// The bundler prefers ES modules where they are, as these lists do.
		default:
			return fmt.Errorf("function %s: BuildProperties: %s is not supported", id, name)
		}
	}
	return nil
}

// samConfig is what samconfig.toml says about deploying.
type samConfig struct {
	stack   string
	params  map[string]string
	ignored []string
}

var (
	tomlTable = regexp.MustCompile(`^\s*\[+\s*([A-Za-z0-9_.\-" ]+?)\s*\]+\s*(#.*)?$`)
	tomlPair  = regexp.MustCompile(`^\s*([A-Za-z0-9_\-]+)\s*=\s*(.*?)\s*$`)
	tomlText  = regexp.MustCompile(`^"((?:[^"\\]|\\.)*)"\s*(#.*)?$|^'([^']*)'\s*(#.*)?$`)
	override  = regexp.MustCompile(`([A-Za-z0-9]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)`)
)

// readSAMConfig reads the simple part of samconfig.toml: texts of [default.global.parameters] and
// [default.deploy.parameters]. What is about AWS's side of a deployment is named as ignored.
func readSAMConfig(dir string) (*samConfig, error) {
	text, err := os.ReadFile(filepath.Join(dir, "samconfig.toml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c := &samConfig{params: map[string]string{}}
	table := ""
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if m := tomlTable.FindStringSubmatch(line); m != nil {
			table = strings.ReplaceAll(m[1], `"`, "")
			continue
		}
		m := tomlPair.FindStringSubmatch(line)
		if m == nil || strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		if table != "default.global.parameters" && table != "default.deploy.parameters" {
			continue // of other commands or environments
		}
		value, isText := "", false
		if v := tomlText.FindStringSubmatch(m[2]); v != nil {
			value, isText = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(v[1])+v[3], true
		}
		switch {
		case m[1] == "stack_name" && isText:
			c.stack = value
		case m[1] == "parameter_overrides" && isText:
			for _, p := range override.FindAllStringSubmatch(value, -1) {
				c.params[p[1]] = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(strings.Trim(p[2], `"`))
			}
		case m[1] == "capabilities", m[1] == "resolve_s3", m[1] == "confirm_changeset", m[1] == "fail_on_empty_changeset", m[1] == "s3_bucket", m[1] == "s3_prefix",
			m[1] == "image_repositories", m[1] == "disable_rollback", m[1] == "region", m[1] == "profile":
			// There is nothing of the kind here: the server is one region, and the bucket is its own.
		default:
			c.ignored = append(c.ignored, m[1])
		}
	}
	return c, nil
}

// serverless makes a stack of a SAM app ready: what samconfig.toml says of it, and what it names by paths.
func (a *App) serverless(s *Stack, stage string) error {
	if !s.serverless() {
		return nil
	}
	c, err := readSAMConfig(a.Dir)
	if err != nil {
		return err
	}
	if c != nil {
		if c.stack != "" {
			s.Name = stage + "-" + c.stack
		}
		if s.Params == nil {
			s.Params = map[string]string{}
		}
		for k, v := range c.params {
			// What the stage implies goes before what the file says for all stages.
			if _, implied := s.Params[k]; !implied && child(child(s.Template, "Parameters"), k) != nil {
				s.Params[k] = v
			}
		}
		s.ignored = c.ignored
	}
	a.reads = []string{filepath.Join(a.Dir, "samconfig.toml")}
	return s.localize(a)
}

// eventRoutes calls f for the GET routes that a serverless function's events make on HTTP APIs.
func (s *Stack) eventRoutes(props *yaml.Node, f func(path string, guarded bool)) {
	events := child(props, "Events")
	for _, id := range keys(events) {
		e := child(events, id)
		if typ := child(e, "Type"); typ == nil || typ.Value != "HttpApi" {
			continue
		}
		p := child(e, "Properties")
		route, method := child(p, "Path"), child(p, "Method")
		if route == nil || method == nil || !strings.EqualFold(method.Value, "GET") {
			continue
		}
		authorizer := child(child(p, "Auth"), "Authorizer")
		if authorizer == nil {
			auth := child(child(child(s.Template, "Globals"), "HttpApi"), "Auth")
			if ref := child(p, "ApiId"); ref != nil && ref.Tag == "!Ref" {
				if own := child(child(child(child(s.Template, "Resources"), ref.Value), "Properties"), "Auth"); own != nil {
					auth = own
				}
			}
			authorizer = child(auth, "DefaultAuthorizer")
		}
		f(route.Value, authorizer != nil && authorizer.Value != "NONE")
	}
}
