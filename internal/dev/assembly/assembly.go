// Package assembly reads cloud assemblies: the directories that CDK and SST synthesise an app into
// (cdk.out), with a manifest, templates, and the files that the templates need.
//
// Of the manifest it takes what deploying needs: the stacks in the order of their dependencies, those
// of nested assemblies (stages) in their places, with names, environments, parameters, tags and
// termination protection; the file assets of each; what context the app still misses; and what its
// constructs complained of. Container images, and assets that a command makes, are refused by name.
//
// The form is that of aws-cdk-lib/cloud-assembly-schema, whose versions only ever added to what is read
// here: https://docs.aws.amazon.com/cdk/v2/guide/deploy.html#deploy-how-synth.
package assembly

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxFile bounds the JSON files of an assembly, in bytes.
const maxFile = 256 << 20

// maxDepth bounds how deep assemblies nest.
const maxDepth = 16

// Assembly is what an app was synthesised into.
type Assembly struct {
	Dir      string   // absolute
	Stacks   []*Stack // each after those that it depends on
	Missing  []Missing
	Errors   []string // what constructs say is wrong: nothing may be deployed
	Warnings []string
}

// Stack is a stack of an assembly.
type Stack struct {
	Name       string // of the stack
	ID         string // of its artifact, in its manifest
	Account    string // "" where the app leaves it open
	Region     string // "" where the app leaves it open
	File       string // the template's, absolute
	Body       []byte // the template as the tool wrote it
	Template   *yaml.Node
	Parameters map[string]string
	Tags       map[string]string
	Protected  bool // against deletion
	Notify     []string
	Assets     []*Asset

	depends []string
}

// Asset is a file, or a directory to be packed, that a template expects in a bucket.
type Asset struct {
	Bucket, Key string // where the template expects it
	Region      string // of the bucket; "": the stack's
	Path        string // absolute
	Zip         bool   // a directory that is packed
}

// Missing is a value that the app asks the one who synthesises it to look up in the account.
type Missing struct {
	Key      string
	Provider string
	Props    map[string]any
}

// ErrNoAssembly is returned for a directory without a manifest.
var ErrNoAssembly = errors.New("no cloud assembly: there is no manifest.json")

type manifest struct {
	Version   string              `json:"version"`
	Artifacts map[string]artifact `json:"artifacts"`
	Missing   []struct {
		Key      string         `json:"key"`
		Provider string         `json:"provider"`
		Props    map[string]any `json:"props"`
	} `json:"missing"`
}

type artifact struct {
	Type         string              `json:"type"`
	Environment  string              `json:"environment"`
	Dependencies []string            `json:"dependencies"`
	Metadata     map[string][]remark `json:"metadata"`
	MetadataFile string              `json:"additionalMetadataFile"`
	Properties   struct {
		TemplateFile          string            `json:"templateFile"`
		StackName             string            `json:"stackName"`
		Parameters            map[string]string `json:"parameters"`
		Tags                  map[string]string `json:"tags"`
		TerminationProtection bool              `json:"terminationProtection"`
		NotificationArns      []string          `json:"notificationArns"`
		DirectoryName         string            `json:"directoryName"`
		File                  string            `json:"file"`
	} `json:"properties"`
}

type remark struct {
	Type string          `json:"type"`
	Data json.RawMessage `json:"data"`
}

type assetFile struct {
	Files map[string]struct {
		Source struct {
			Path       string   `json:"path"`
			Packaging  string   `json:"packaging"`
			Executable []string `json:"executable"`
		} `json:"source"`
		Destinations map[string]struct {
			Bucket string `json:"bucketName"`
			Key    string `json:"objectKey"`
			Region string `json:"region"`
		} `json:"destinations"`
	} `json:"files"`
	Images map[string]struct {
		DisplayName string `json:"displayName"`
		Source      struct {
			Directory  string   `json:"directory"`
			Executable []string `json:"executable"`
		} `json:"source"`
	} `json:"dockerImages"`
}

// Is tells whether dir holds a cloud assembly.
func Is(dir string) bool {
	st, err := os.Stat(filepath.Join(dir, "manifest.json"))
	return err == nil && st.Mode().IsRegular()
}

// Read reads the assembly in dir. Where it leaves account and region open, it means these.
func Read(dir, account, region string) (*Assembly, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	a := &Assembly{Dir: abs}
	r := &reader{a: a, account: account, region: region}
	if a.Stacks, err = r.read(abs, 0); err != nil {
		return nil, err
	}
	seen := map[string]*Stack{}
	for _, s := range a.Stacks {
		where := s.Name + " in " + s.Region
		if other := seen[where]; other != nil {
			return nil, fmt.Errorf("the app has two stacks of the name %s: %s and %s", s.Name, other.ID, s.ID)
		}
		seen[where] = s
	}
	return a, nil
}

type reader struct {
	a               *Assembly
	account, region string
}

// read returns the stacks of the assembly in dir, in order.
func (r *reader) read(dir string, depth int) ([]*Stack, error) {
	if depth > maxDepth {
		return nil, fmt.Errorf("%s: assemblies nest deeper than %d", dir, maxDepth)
	}
	var m manifest
	if err := readJSON(filepath.Join(dir, "manifest.json"), &m); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", dir, ErrNoAssembly)
	} else if err != nil {
		return nil, err
	}
	if m.Version == "" {
		return nil, fmt.Errorf("%s: the manifest says no version: it is not of a cloud assembly", filepath.Join(dir, "manifest.json"))
	}
	for _, x := range m.Missing {
		r.a.Missing = append(r.a.Missing, Missing(x))
	}
	ids, err := order(m.Artifacts)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var stacks []*Stack
	for _, id := range ids {
		art := m.Artifacts[id]
		switch art.Type {
		case "aws:cloudformation:stack":
			s, err := r.stack(dir, id, art, m.Artifacts)
			if err != nil {
				return nil, err
			}
			stacks = append(stacks, s)
		case "cdk:cloud-assembly":
			nested, err := within(dir, art.Properties.DirectoryName)
			if err != nil {
				return nil, fmt.Errorf("assembly %s: %w", id, err)
			}
			more, err := r.read(nested, depth+1)
			if err != nil {
				return nil, err
			}
			stacks = append(stacks, more...)
		}
		if err := r.remarks(dir, art); err != nil {
			return nil, err
		}
	}
	return stacks, nil
}

// order sorts the ids of artifacts so that each comes after those that it depends on, and otherwise by
// name.
func order(all map[string]artifact) ([]string, error) {
	ids := make([]string, 0, len(all))
	for id := range all {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var out []string
	state := map[string]int{} // 1: being visited, 2: done
	var visit func(id string) error
	visit = func(id string) error {
		switch state[id] {
		case 1:
			return fmt.Errorf("the artifact %s depends on itself", id)
		case 2:
			return nil
		}
		state[id] = 1
		for _, d := range all[id].Dependencies {
			if _, ok := all[d]; !ok {
				return fmt.Errorf("the artifact %s depends on %s, which is not there", id, d)
			}
			if err := visit(d); err != nil {
				return err
			}
		}
		state[id] = 2
		out = append(out, id)
		return nil
	}
	for _, id := range ids {
		if err := visit(id); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (r *reader) stack(dir, id string, art artifact, all map[string]artifact) (*Stack, error) {
	p := art.Properties
	s := &Stack{Name: p.StackName, ID: id, Parameters: p.Parameters, Tags: p.Tags, Protected: p.TerminationProtection, Notify: p.NotificationArns, depends: art.Dependencies}
	if s.Name == "" {
		s.Name = id
	}
	// aws://ACCOUNT/REGION, either of which may be unknown
	account, region, ok := strings.Cut(strings.TrimPrefix(art.Environment, "aws://"), "/")
	if !ok || !strings.HasPrefix(art.Environment, "aws://") {
		return nil, fmt.Errorf("stack %s: its environment %q is not of the form aws://ACCOUNT/REGION", s.Name, art.Environment)
	}
	if s.Account = account; account == "unknown-account" {
		s.Account = r.account
	}
	if s.Region = region; region == "unknown-region" {
		s.Region = r.region
	}
	var err error
	if s.File, err = within(dir, p.TemplateFile); err != nil {
		return nil, fmt.Errorf("the template of stack %s: %w", s.Name, err)
	}
	if s.Body, err = readFile(s.File); err != nil {
		return nil, fmt.Errorf("the template of stack %s: %w", s.Name, err)
	}
	if s.Template, err = parse(s.Body); err != nil {
		return nil, fmt.Errorf("%s: %w", s.File, err)
	}
	for _, d := range art.Dependencies {
		if dep := all[d]; dep.Type == "cdk:asset-manifest" {
			more, err := r.assets(dir, dep, s)
			if err != nil {
				return nil, err
			}
			s.Assets = append(s.Assets, more...)
		}
	}
	return s, legacy(art, s.Name)
}

// parse reads a template: JSON as the tools write it, or YAML, which an app may include.
func parse(text []byte) (*yaml.Node, error) {
	if t := bytes.TrimLeft(text, " \t\r\n"); len(t) > 0 && t[0] == '{' {
		return jsonTree(text)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(text, &doc); err != nil {
		return nil, err
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 || doc.Content[0].Kind != yaml.MappingNode {
		return nil, errors.New("Template format error: unsupported structure.")
	}
	return doc.Content[0], nil
}

// assets reads an asset manifest.
func (r *reader) assets(dir string, art artifact, s *Stack) ([]*Asset, error) {
	file, err := within(dir, art.Properties.File)
	if err != nil {
		return nil, fmt.Errorf("the asset manifest of stack %s: %w", s.Name, err)
	}
	var m assetFile
	if err := readJSON(file, &m); err != nil {
		return nil, fmt.Errorf("the asset manifest of stack %s: %w", s.Name, err)
	}
	for id, img := range m.Images {
		name := img.DisplayName
		if name == "" {
			name = img.Source.Directory
		}
		if name == "" {
			name = id
		}
		return nil, fmt.Errorf("stack %s needs the container image %s, which Gatehouse does not build or run: functions here are packages of files, so give this one code instead of an image", s.Name, name)
	}
	var list []*Asset
	for id, f := range m.Files {
		if len(f.Source.Executable) > 0 {
			return nil, fmt.Errorf("stack %s: its asset %s is made by a command (%s), which is not supported: let the app make the file and name it", s.Name, id, strings.Join(f.Source.Executable, " "))
		}
		if f.Source.Packaging != "file" && f.Source.Packaging != "zip" && f.Source.Packaging != "" {
			return nil, fmt.Errorf("stack %s: its asset %s is packed as %q, which is neither file nor zip", s.Name, id, f.Source.Packaging)
		}
		p := filepath.FromSlash(f.Source.Path)
		if !filepath.IsAbs(p) {
			p = filepath.Join(filepath.Dir(file), p)
		}
		for _, d := range f.Destinations {
			list = append(list, &Asset{Bucket: r.fill(d.Bucket, s), Key: r.fill(d.Key, s), Region: r.fill(d.Region, s), Path: p, Zip: f.Source.Packaging == "zip"})
		}
	}
	slices.SortFunc(list, func(a, b *Asset) int { return strings.Compare(a.Key+"\x00"+a.Bucket, b.Key+"\x00"+b.Bucket) })
	return list, nil
}

// legacy refuses assets of the form that CDK 1 wrote into the metadata of stacks: their buckets are
// parameters of the template, which nothing but its own tool fills in.
func legacy(art artifact, stack string) error {
	for _, list := range art.Metadata {
		for _, x := range list {
			if x.Type == "aws:cdk:asset" {
				return fmt.Errorf("stack %s is synthesised with CDK's legacy synthesizer, as CDK 1 does: use CDK 2, or its DefaultStackSynthesizer", stack)
			}
		}
	}
	return nil
}

// fill replaces the variables that asset manifests have.
func (r *reader) fill(text string, s *Stack) string {
	return Fill(text, s.Account, s.Region)
}

// Fill replaces the pseudo parameters in a text of an assembly as ${AWS::AccountId}.
func Fill(text, account, region string) string {
	if !strings.Contains(text, "${") {
		return text
	}
	return strings.NewReplacer("${AWS::AccountId}", account, "${AWS::Region}", region, "${AWS::Partition}", Partition(region), "${AWS::URLSuffix}", "amazonaws.com").Replace(text)
}

// Partition returns the partition of a region.
func Partition(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	}
	return "aws"
}

// remarks takes up what constructs say about themselves.
func (r *reader) remarks(dir string, art artifact) error {
	all := art.Metadata
	if art.MetadataFile != "" {
		file, err := within(dir, art.MetadataFile)
		if err != nil {
			return err
		}
		var more map[string][]remark
		if err := readJSON(file, &more); err != nil {
			return err
		}
		if all == nil {
			all = more
		} else {
			for k, v := range more {
				all[k] = append(all[k], v...)
			}
		}
	}
	paths := make([]string, 0, len(all))
	for p := range all {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	for _, p := range paths {
		for _, x := range all[p] {
			var into *[]string
			switch x.Type {
			case "aws:cdk:error":
				into = &r.a.Errors
			case "aws:cdk:warning":
				into = &r.a.Warnings
			default:
				continue
			}
			var text string
			if json.Unmarshal(x.Data, &text) != nil {
				text = string(x.Data)
			}
			*into = append(*into, strings.TrimPrefix(p, "/")+": "+text)
		}
	}
	return nil
}

// within joins a path of a manifest, which stays in its directory.
func within(dir, name string) (string, error) {
	if name == "" || !filepath.IsLocal(filepath.FromSlash(path.Clean(name))) {
		return "", fmt.Errorf("the path %q does not lie in %s", name, dir)
	}
	return filepath.Join(dir, filepath.FromSlash(name)), nil
}

func readFile(file string) ([]byte, error) {
	st, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if st.Size() > maxFile {
		return nil, fmt.Errorf("%s has %d bytes, more than %d", file, st.Size(), maxFile)
	}
	return os.ReadFile(file)
}

func readJSON(file string, into any) error {
	data, err := readFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}
