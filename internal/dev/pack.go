package dev

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"

	"go.yaml.in/yaml/v4"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
)

// Function is a function of a stack whose code is in the app's directory.
type Function struct {
	Stack   *Stack
	Logical string
	Source  bundle.Source
	Package *bundle.Package // nil until built
	code    *yaml.Node      // the Code property, which names the source
	handler *yaml.Node
	fresh   bool      // built again, after what a synthesis made of it was old already
	live    *liveCode // of a cloud assembly: how its code is made again; nil for others

	serverless bool // code is a CodeUri or ContentUri, as SAM has it
	layer      bool // no function but a layer
	alias      bool // each change is published as a version, which only a deployment does
}

// make builds the package of f.
func (f *Function) make(ctx context.Context) (*bundle.Package, error) {
	if f.live != nil {
		return f.live.make(ctx)
	}
	return bundle.Build(ctx, f.Source)
}

// Key is the object key under which the package of f is uploaded.
func (f *Function) Key() string {
	sum := sha256.Sum256(f.Package.Zip)
	return f.Stack.Name + "/" + hex.EncodeToString(sum[:]) + ".zip"
}

// functions lists the functions of s whose Code is a local path; live is for live development.
func (s *Stack) functions(root string, live bool) ([]*Function, error) {
	if s.cloud != nil {
		return s.cloud.functions(s), nil
	}
	var out []*Function
	resources := child(s.Template, "Resources")
	for _, id := range keys(resources) {
		res := child(resources, id)
		typ := child(res, "Type")
		if typ != nil && (typ.Value == serverlessFunction || typ.Value == serverlessLayer) {
			f, ok, err := s.serverlessSource(id, res, root, live)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, f)
			}
			continue
		}
		if typ == nil || typ.Value != "AWS::Lambda::Function" {
			continue
		}
		props := child(res, "Properties")
		code := child(props, "Code")
		if code == nil || code.Kind != yaml.ScalarNode {
			continue // S3Bucket, ZipFile: already where it belongs
		}
		f := &Function{Stack: s, Logical: id, code: code, handler: child(props, "Handler")}
		f.Source = bundle.Source{Root: root, Path: code.Value, Dev: live}
		for _, p := range []struct {
			name string
			into *string
		}{{"Runtime", &f.Source.Runtime}, {"Handler", &f.Source.Handler}} {
			if v := child(props, p.name); v != nil {
				if v.Kind != yaml.ScalarNode || strings.HasPrefix(v.Tag, "!") && !strings.HasPrefix(v.Tag, "!!") {
					return nil, fmt.Errorf("function %s: %s must be a plain text where Code is a local path", id, p.name)
				}
				*p.into = v.Value
			}
		}
		if arch := child(props, "Architectures"); arch != nil && arch.Kind == yaml.SequenceNode && len(arch.Content) == 1 {
			f.Source.Arch = arch.Content[0].Value
		}
		out = append(out, f)
	}
	return out, nil
}

// Build builds every function that fs names, as many at a time as there are processors, and returns
// the errors of all that failed.
func Build(ctx context.Context, fs []*Function, done func(*Function)) error {
	var g errgroup.Group
	g.SetLimit(runtime.NumCPU())
	errs := make([]error, len(fs))
	for i, f := range fs {
		g.Go(func() error {
			p, err := f.make(ctx)
			if err != nil {
				errs[i] = fmt.Errorf("function %s (%s): %w", f.Logical, filepath.ToSlash(f.Source.Path), err)
				return nil
			}
			f.Package = p
			if done != nil {
				done(f)
			}
			return nil
		})
	}
	g.Wait()
	return errors.Join(errs...)
}

// body returns the template of s with the code of built functions pointing into bucket.
func (s *Stack) body(fs []*Function, bucket string) ([]byte, error) {
	for _, f := range fs {
		if f.Stack != s {
			continue
		}
		in, at := "S3Bucket", "S3Key"
		if f.serverless {
			in, at = "Bucket", "Key"
		}
		*f.code = yaml.Node{Kind: yaml.MappingNode, Tag: "!!map", Content: []*yaml.Node{
			yamlText(in), yamlText(bucket), yamlText(at), yamlText(f.Key()),
		}}
		if f.handler != nil && f.Package.Handler != "" {
			f.handler.Value = f.Package.Handler
		}
	}
	block(s.Template)
	return yaml.Marshal(s.Template)
}

// block has a template written in YAML's block style. One that was read from JSON would otherwise come
// out in braces with some words unquoted: YAML to a YAML parser, broken JSON to CloudFormation.
func block(n *yaml.Node) {
	n.Style &^= yaml.FlowStyle
	for _, c := range n.Content {
		block(c)
	}
}
