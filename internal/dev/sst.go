package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/dev/assembly"
)

// sstTools are the packages whose command `sst` builds apps, newest first, and where each leaves the
// assembly.
var sstTools = []struct{ pkg, out string }{
	{"sst", ".sst/dist"},
	{"@serverless-stack/cli", ".build/cdk.out"},
}

// sstTool finds the app's own SST.
func (a *App) sstTool() (bin, version, out string, err error) {
	for _, t := range sstTools {
		dir := a.upwards(filepath.Join("node_modules", filepath.FromSlash(t.pkg)))
		if dir == "" {
			continue
		}
		var pkg struct {
			Version string `json:"version"`
			Bin     json.RawMessage
		}
		if err := readConfig(filepath.Join(dir, "package.json"), &pkg); err != nil {
			return "", "", "", err
		}
		if err := supportedSST(pkg.Version); err != nil {
			return "", "", "", err
		}
		var bins map[string]string
		var one string
		if json.Unmarshal(pkg.Bin, &bins) == nil && bins["sst"] != "" {
			one = bins["sst"]
		} else if json.Unmarshal(pkg.Bin, &one) != nil || one == "" {
			return "", "", "", fmt.Errorf("%s has no command sst", dir)
		}
		return filepath.Join(dir, filepath.FromSlash(one)), pkg.Version, filepath.Join(a.Dir, filepath.FromSlash(t.out)), nil
	}
	return "", "", "", fmt.Errorf("the app in %s has no SST installed: package.json must name sst 2 (or @serverless-stack/cli 0.x or 1.x), then run `npm install`", a.Dir)
}

// supportedSST refuses the versions that are another system.
func supportedSST(version string) error {
	major, _, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(major); err == nil && n >= 3 {
		return fmt.Errorf("the app uses SST %s: SST 3 and later deploy with Pulumi and Terraform providers, not with CloudFormation, and cannot be deployed here; SST 0.x, 1.x and 2.x can", version)
	}
	return nil
}

// namedRegion finds the region that a configuration in TypeScript names as a plain text.
var namedRegion = regexp.MustCompile(`\bregion:\s*["']([a-z]{2}(?:-[a-z]+)+-\d)["']`)

// sstRegion returns the region that the app says it belongs to, "" if it does not say so plainly.
func (a *App) sstRegion() string {
	var conf struct {
		Region string `json:"region"`
	}
	if readConfig(filepath.Join(a.Dir, "sst.json"), &conf) == nil {
		return conf.Region
	}
	if text, err := os.ReadFile(filepath.Join(a.Dir, "sst.config.ts")); err == nil {
		if m := namedRegion.FindSubmatch(text); m != nil {
			return string(m[1])
		}
	}
	return ""
}

// pulumiConfig is what begins the configuration of an SST 3 app.
var pulumiConfig = regexp.MustCompile(`(?m)^\s*export\s+default\s+\$config\s*\(`)

// synthSST has the app's own SST build the app, which leaves a cloud assembly.
func (a *App) synthSST(ctx context.Context, stage string, d *Deployer) (*assembly.Assembly, error) {
	account, region := d.Client.Account, d.Client.Region
	if text, err := os.ReadFile(filepath.Join(a.Dir, "sst.config.ts")); err == nil && pulumiConfig.Match(text) {
		return nil, supportedSST("3")
	}
	if err := a.ready(); err != nil {
		return nil, err
	}
	bin, version, out, err := a.sstTool()
	if err != nil {
		return nil, err
	}
	if own := a.sstRegion(); own != "" {
		region = own
	}
	if err := a.bootstrapSST(ctx, d.in(region)); err != nil {
		return nil, fmt.Errorf("preparing the account for SST: %w", err)
	}
	if err := os.RemoveAll(out); err != nil { // what an earlier stage left
		return nil, err
	}
	// SST 1 refuses to run where a proxy is set, and nothing in it needs one: the module that Node.js loads
	// first leads it here. Its telemetry fails where there is no network, and takes the build with it.
	env := slices.DeleteFunc(a.environ("SST_TELEMETRY_DISABLED=1", "CI=1"), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return strings.EqualFold(name, "https_proxy") || strings.EqualFold(name, "http_proxy")
	})
	text, err := a.runTool(ctx, env, "node", bin, "build", "--stage", stage)
	if err != nil {
		return nil, toolError(fmt.Sprintf("SST %s does not build the app", version), text, err)
	}
	asm, err := assembly.Read(out, account, region)
	if errors.Is(err, assembly.ErrNoAssembly) {
		return nil, fmt.Errorf("SST %s built the app, but left no cloud assembly in %s:\n%s", version, out, text)
	}
	return asm, err
}
