package dev

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"
	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-dev/gatehouse/internal/bundle"
	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/dev/assembly"
)

// cloudStack is what a stack of a cloud assembly has besides its template: it is deployed as its tool wrote
// it, its assets where the template expects them.
type cloudStack struct {
	*assembly.Stack
	packed  *packages
	seen    *record           // of its synthesis; nil unless in live development
	origins map[string]string // of its assets, as [origins] finds them
}

// packages are the assets of an assembly that were packed, by path: several stacks share some.
type packages struct {
	mu   sync.Mutex
	zips map[string]*bundle.Package
}

// synthAssembly has the app's tool make a cloud assembly, and makes stacks of it.
func (a *App) synthAssembly(ctx context.Context, stage string, d *Deployer, account, region string) ([]*Stack, error) {
	tool := *a
	record := ""
	if a.Live && a.Kind != KindAssembly {
		var err error
		if record, tool.Env, err = recording(a.environ()); err != nil {
			return nil, err
		}
		defer os.RemoveAll(record)
	}
	asm, err := tool.assemble(ctx, stage, d, account, region)
	if err != nil {
		return nil, err
	}
	stacks, err := stacksOf(asm, account)
	if err != nil || record == "" {
		return stacks, err
	}
	var assets []*assembly.Asset
	for _, s := range asm.Stacks {
		assets = append(assets, s.Assets...)
	}
	seen, copies := readRecord(record, a.Dir), origins(a.Dir, assets)
	seen.program = seen.programFiles(ctx, assets)
	for _, s := range stacks {
		s.cloud.seen, s.cloud.origins = seen, copies
	}
	return stacks, nil
}

func (a *App) assemble(ctx context.Context, stage string, d *Deployer, account, region string) (*assembly.Assembly, error) {
	switch a.Kind {
	case KindCDK:
		return a.synthCDK(ctx, stage, d)
	case KindSST:
		return a.synthSST(ctx, stage, d)
	}
	asm, err := assembly.Read(a.Dir, account, region)
	if err == nil && len(asm.Missing) > 0 {
		err = fmt.Errorf("the assembly is not complete: the app asks for a lookup of kind %s (%s); synthesise it where that can be answered", asm.Missing[0].Provider, asm.Missing[0].Key)
	}
	return asm, err
}

// stacksOf makes the stacks of an assembly.
func stacksOf(asm *assembly.Assembly, account string) ([]*Stack, error) {
	if len(asm.Errors) > 0 {
		return nil, fmt.Errorf("the app says of itself:\n  %s", strings.Join(asm.Errors, "\n  "))
	}
	if len(asm.Stacks) == 0 {
		return nil, errors.New("the app has no stacks")
	}
	packed := &packages{zips: map[string]*bundle.Package{}}
	var list []*Stack
	for _, s := range asm.Stacks {
		if s.Account != account {
			return nil, fmt.Errorf("stack %s belongs to account %s, and this server's account is %s: leave the account open in the app (env: { account: process.env.CDK_DEFAULT_ACCOUNT }), or use a server that was set up with `gatehouse start --account %s`", s.Name, s.Account, account, s.Account)
		}
		list = append(list, &Stack{Name: s.Name, Template: s.Template, Outputs: keys(child(s.Template, "Outputs")), Params: s.Parameters, cloud: &cloudStack{Stack: s, packed: packed}})
	}
	return list, nil
}

// in returns a deployer for another region.
func (d *Deployer) in(region string) *Deployer {
	if region == "" || region == d.Client.Region {
		return d
	}
	c := *d.Client
	c.Region = region
	return &Deployer{Client: &c, Progress: d.Progress}
}

// of returns the deployer for the region of a stack.
func (d *Deployer) of(s *Stack) *Deployer {
	if s.cloud == nil {
		return d
	}
	return d.in(s.cloud.Region)
}

// parameter reads a parameter of Systems Manager.
func (d *Deployer) parameter(ctx context.Context, name string) (string, error) {
	body, err := json.Marshal(map[string]string{"Name": name})
	if err != nil {
		return "", err
	}
	resp, err := d.Client.Do(ctx, client.Request{Service: "ssm", Method: "POST", Path: "/", Body: body,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": {"AmazonSSM.GetParameter"}}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var out struct{ Parameter struct{ Value string } }
	return out.Parameter.Value, errors.Join(json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&out))
}

// asset returns the asset that a Code property of the template names, nil if none does.
func (c *cloudStack) asset(code *yaml.Node) *assembly.Asset {
	text := func(n *yaml.Node) string {
		if sub := child(n, "Fn::Sub"); sub != nil {
			n = sub
		}
		if n == nil || n.Kind != yaml.ScalarNode {
			return ""
		}
		return assembly.Fill(n.Value, c.Account, c.Region)
	}
	bucket, key := text(child(code, "S3Bucket")), text(child(code, "S3Key"))
	if bucket == "" || key == "" {
		return nil
	}
	i := slices.IndexFunc(c.Assets, func(a *assembly.Asset) bool { return a.Bucket == bucket && a.Key == key })
	if i < 0 {
		return nil
	}
	return c.Assets[i]
}

// pack returns the bytes of an asset as they are uploaded.
func (c *cloudStack) pack(ctx context.Context, a *assembly.Asset) (*bundle.Package, error) {
	c.packed.mu.Lock()
	p := c.packed.zips[a.Path]
	c.packed.mu.Unlock()
	if p != nil {
		return p, nil
	}
	if !a.Zip {
		data, err := os.ReadFile(a.Path)
		if err != nil {
			return nil, fmt.Errorf("stack %s needs a file that its assembly lacks: %w", c.Name, err)
		}
		sum := sha256.Sum256(data)
		return &bundle.Package{Zip: data, SHA256: base64.StdEncoding.EncodeToString(sum[:])}, nil
	}
	if _, err := os.Stat(a.Path); err != nil {
		return nil, fmt.Errorf("stack %s needs a directory that its assembly lacks: %w", c.Name, err)
	}
	p, err := bundle.Directory(ctx, a.Path)
	if err != nil {
		return nil, fmt.Errorf("stack %s: packing %s: %w", c.Name, a.Path, err)
	}
	c.packed.mu.Lock()
	c.packed.zips[a.Path] = p
	c.packed.mu.Unlock()
	return p, nil
}

// publish brings the assets of a stack into their buckets, unless they are there: their keys are their
// contents' hashes.
func (d *Deployer) publish(ctx context.Context, c *cloudStack) error {
	if len(c.Assets) > 0 {
		// Whoever looks for the stack of cdk bootstrap finds it: the server makes it then, with its bucket.
		if _, err := d.Describe(ctx, "CDKToolkit"); err != nil && !errors.Is(err, ErrNoStack) {
			return err
		}
	}
	var g errgroup.Group
	g.SetLimit(max(2, runtime.NumCPU()))
	for _, a := range c.Assets {
		if a.Path == c.File {
			continue // the template itself: it goes to CloudFormation another way
		}
		g.Go(func() error {
			at := d.in(a.Region)
			has, err := at.has(ctx, a.Bucket, a.Key)
			if err != nil || has {
				return err
			}
			p, err := c.pack(ctx, a)
			if err != nil {
				return err
			}
			if err := at.put(ctx, a.Bucket, a.Key, p.Zip); err != nil {
				return fmt.Errorf("uploading %s to the bucket %s: %w", a.Key, a.Bucket, err)
			}
			return nil
		})
	}
	return g.Wait()
}

// form adds to a CreateStack or UpdateStack what the assembly says of the stack.
func (c *cloudStack) form(form url.Values, create bool) {
	for i, k := range slices.Sorted(maps.Keys(c.Tags)) {
		form.Set(fmt.Sprintf("Tags.member.%d.Key", i+1), k)
		form.Set(fmt.Sprintf("Tags.member.%d.Value", i+1), c.Tags[k])
	}
	for i, arn := range c.Notify {
		form.Set(fmt.Sprintf("NotificationARNs.member.%d", i+1), arn)
	}
	if create && c.Protected {
		form.Set("EnableTerminationProtection", "true")
	}
}

// protect gives a stack the termination protection that the app asks for.
func (d *Deployer) protect(ctx context.Context, s *Stack, info *StackInfo) error {
	if s.cloud == nil || info == nil || info.Protected == s.cloud.Protected {
		return nil
	}
	return d.cfn(ctx, "UpdateTerminationProtection", url.Values{"StackName": {s.Name}, "EnableTerminationProtection": {fmt.Sprint(s.cloud.Protected)}}, nil)
}

// parametersOf returns those of the given parameters that are for s: KEY=VALUE for every stack that
// declares KEY, STACK:KEY=VALUE for one.
func parametersOf(s *Stack, given map[string]string) map[string]string {
	if s.cloud == nil {
		return given
	}
	out := map[string]string{}
	declared := child(s.Template, "Parameters")
	for k, v := range given {
		if child(declared, k) != nil {
			if _, own := given[s.Name+":"+k]; !own {
				out[k] = v
			}
		} else if name, ok := strings.CutPrefix(k, s.Name+":"); ok {
			out[name] = v
		}
	}
	return out
}

// unknownParameters returns an error for given parameters that no stack has.
func unknownParameters(stacks []*Stack, given map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(given)) {
		if !slices.ContainsFunc(stacks, func(s *Stack) bool {
			name, _ := strings.CutPrefix(k, s.Name+":")
			return s.cloud == nil || child(child(s.Template, "Parameters"), name) != nil
		}) {
			return fmt.Errorf("no stack of the app has a parameter %s", k)
		}
	}
	return nil
}
