package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/dev/assembly"
)

// What the CDK toolkit says of itself to apps. A library that is newer than the version refuses to write
// a form that an older toolkit would not know; what is read of that form has never changed.
const (
	cdkCLIVersion      = "2.1148.1"
	cdkAssemblyVersion = "99.0.0"
	// maxContextEnv is how long an environment variable may be, in bytes; Linux allows 128 KiB.
	maxContextEnv = 100 << 10
	// maxLookups is how often an app may ask for more context.
	maxLookups = 10
)

// cdkConfig is what cdk.json says, as far as it is about synthesis.
type cdkConfig struct {
	App     string         `json:"app"`
	Build   string         `json:"build"`
	Output  string         `json:"output"`
	Context map[string]any `json:"context"`
	Debug   bool           `json:"debug"`
}

func readConfig(file string, into any) error {
	data, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%s: %w", file, err)
	}
	return err
}

// synthCDK does what the CDK toolkit does for an app: it runs the command that cdk.json names, with
// the context of cdk.json and cdk.context.json, and reads the assembly that the command writes. What
// the app asks to have looked up is asked of the server where the server has it.
func (a *App) synthCDK(ctx context.Context, stage string, server *Deployer) (*assembly.Assembly, error) {
	var conf cdkConfig
	if err := readConfig(filepath.Join(a.Dir, "cdk.json"), &conf); err != nil {
		return nil, err
	}
	if conf.App == "" {
		return nil, fmt.Errorf("%s has no \"app\": it is the command that synthesises the app, as \"npx tsx bin/app.ts\"", filepath.Join(a.Dir, "cdk.json"))
	}
	account, region := server.Client.Account, server.Client.Region
	if dir := filepath.Join(a.Dir, conf.App); assembly.Is(dir) { // cdk --app cdk.out
		return assembly.Read(dir, account, region)
	}
	if err := a.ready(); err != nil {
		return nil, err
	}
	out := filepath.Join(a.Dir, "cdk.out")
	if conf.Output != "" {
		if out = conf.Output; !filepath.IsAbs(out) {
			out = filepath.Join(a.Dir, out)
		}
	}
	values := maps.Clone(conf.Context)
	if values == nil {
		values = map[string]any{}
	}
	var found map[string]any // by earlier runs of the toolkit
	if err := readConfig(filepath.Join(a.Dir, "cdk.context.json"), &found); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	maps.Copy(values, found)
	for key, v := range map[string]any{
		"aws:cdk:enable-path-metadata": true, "aws:cdk:enable-asset-metadata": true, "aws:cdk:bundling-stacks": []string{"**"}, "aws:cdk:version-reporting": false,
	} {
		if _, said := values[key]; !said {
			values[key] = v
		}
	}
	if a.StageGiven {
		values["stage"] = stage
	}
	env := a.environ("CDK_OUTDIR="+out, "CDK_DEFAULT_ACCOUNT="+account, "CDK_DEFAULT_REGION="+region,
		"CDK_CLI_VERSION="+cdkCLIVersion, "CDK_CLI_ASM_VERSION="+cdkAssemblyVersion, "GATEHOUSE_STAGE="+stage)
	if conf.Build != "" {
		if text, err := a.runTool(ctx, env, "sh", "-c", conf.Build); err != nil {
			return nil, toolError("the build command of cdk.json, "+conf.Build+", failed", text, err)
		}
	}
	asked := map[string]bool{}
	for range maxLookups {
		text, err := a.runCDK(ctx, conf.App, env, values)
		if err != nil {
			return nil, toolError("the app does not synthesise: "+conf.App+" failed", text, err)
		}
		asm, err := assembly.Read(out, account, region)
		if errors.Is(err, assembly.ErrNoAssembly) {
			return nil, fmt.Errorf("%s ran but wrote no cloud assembly into %s: does the app call app.synth()?", conf.App, out)
		}
		if err != nil || len(asm.Missing) == 0 {
			return asm, err
		}
		for _, m := range asm.Missing {
			if asked[m.Key] {
				return nil, fmt.Errorf("the app asks for the context value %s again and again", m.Key)
			}
			asked[m.Key] = true
			if values[m.Key], err = server.lookup(ctx, m); err != nil {
				return nil, err
			}
		}
	}
	return nil, fmt.Errorf("the app has asked for more context %d times", maxLookups)
}

// runCDK runs the app's command with context values.
func (a *App) runCDK(ctx context.Context, command string, env []string, values map[string]any) (string, error) {
	text, err := json.Marshal(values)
	if err != nil {
		return "", err
	}
	if len(text) > maxContextEnv {
		f, err := os.CreateTemp("", "gatehouse-context-*.json")
		if err != nil {
			return "", err
		}
		defer os.Remove(f.Name())
		_, err = f.Write(text)
		if cerr := f.Close(); err == nil {
			err = cerr
		}
		if err != nil {
			return "", err
		}
		env = append(env[:len(env):len(env)], "CONTEXT_OVERFLOW_LOCATION_ENV="+f.Name(), "CDK_CONTEXT_JSON={}")
	} else {
		env = append(env[:len(env):len(env)], "CDK_CONTEXT_JSON="+string(text))
	}
	// As the toolkit does: a file that is no program is run by Node.js.
	if st, err := os.Stat(filepath.Join(a.Dir, command)); err == nil && st.Mode().IsRegular() {
		if st.Mode()&0o111 == 0 || strings.HasSuffix(command, ".js") {
			node, err := exec.LookPath("node")
			if err != nil {
				return "", err
			}
			return a.runTool(ctx, env, node, filepath.Join(a.Dir, command))
		}
		return a.runTool(ctx, env, filepath.Join(a.Dir, command))
	}
	return a.runTool(ctx, env, "sh", "-c", command)
}

// lookup finds a context value for which the CDK toolkit asks an account.
func (d *Deployer) lookup(ctx context.Context, m assembly.Missing) (any, error) {
	region, _ := m.Props["region"].(string)
	if region == "" {
		region = d.Client.Region
	}
	switch m.Provider {
	case "availability-zones":
		return []string{region + "a", region + "b", region + "c"}, nil
	case "ssm":
		name, _ := m.Props["parameterName"].(string)
		v, err := d.in(region).parameter(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("the app reads the parameter %s while it is synthesised: %w", name, err)
		}
		return v, nil
	}
	known := make([]string, 0, len(m.Props))
	for k, v := range m.Props {
		if k != "account" && k != "region" && k != "lookupRoleArn" {
			known = append(known, fmt.Sprintf("%s=%v", k, v))
		}
	}
	slices.Sort(known)
	return nil, fmt.Errorf("the app asks for a lookup of kind %s (%s), and Gatehouse has nothing of that kind: give the value in cdk.context.json, under the key %q, or pass it to the construct instead of looking it up", m.Provider, strings.Join(known, ", "), m.Key)
}
