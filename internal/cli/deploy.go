package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/dev"
)

// parseParams reads KEY=VALUE parameters of templates.
func parseParams(list []string) (map[string]string, error) {
	m := map[string]string{}
	for _, kv := range list {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return nil, usageError{fmt.Errorf("--parameter %q: it is KEY=VALUE", kv)}
		}
		m[k] = v
	}
	return m, nil
}

func (p *program) deployCmd() *cobra.Command {
	var stage string
	var params []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "deploy [APP]",
		Short: "Deploy an app to a stage of a running server",
		Long: `Builds the app and brings its stacks to the server that runs with the data directory. APP is the current directory if left out, or
a directory with a CDK app (cdk.json), an SST app of the 0.x, 1.x or 2.x lines (sst.json,
sst.config.ts), a CloudFormation or SAM template (template.yaml, .yml or .json), a cloud assembly
(cdk.out) or a Go program that uses package app; or a template itself.

CDK and SST apps are built by their own tools, as installed in the app. Stacks are named STAGE-APP;
an SST app names its own for the stage. A CDK app knows no stages: its stacks have the names that it
gives them, and --stage is its context value "stage", set only where the flag is given.
--parameter STACK:KEY=VALUE is for one stack of a CDK or SST app.`,
		Example: `  gatehouse deploy examples/jwt-api --stage prod
  gatehouse deploy template.yaml --stage test --parameter LogLevel=debug
  gatehouse deploy my-cdk-app --json`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.session(cmd, args, stage, params)
			if err != nil {
				return err
			}
			r := &reporter{p: p, quiet: asJSON}
			s.Report, s.Deployer.Progress = r, r.event
			if err := s.Up(cmd.Context()); err != nil {
				return err
			}
			if asJSON {
				m := map[string]string{}
				for _, o := range r.outputs {
					m[o.Key] = o.Value
				}
				return json.NewEncoder(p.out).Encode(m)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&stage, "stage", "dev", "`STAGE` to deploy to")
	cmd.Flags().StringArrayVar(&params, "parameter", nil, "`KEY=VALUE` of a template's parameter (repeatable)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the outputs as a JSON object and nothing else")
	return cmd
}

// session makes a session for the app that args name on the running server.
func (p *program) session(cmd *cobra.Command, args []string, stage string, params []string) (*dev.Session, error) {
	path := "."
	if len(args) > 0 {
		path = args[0]
	}
	app, err := dev.Find(path)
	if err != nil {
		return nil, err
	}
	m, err := parseParams(params)
	if err != nil {
		return nil, err
	}
	c, err := p.connect(cmd.Context())
	if err != nil {
		return nil, err
	}
	if err := p.surroundApp(cmd, app, c); err != nil {
		return nil, err
	}
	return &dev.Session{App: app, Stage: stage, Params: m, Deployer: &dev.Deployer{Client: c}}, nil
}

// surroundApp gives the tools of an app the surroundings that `gatehouse run` gives programs.
func (p *program) surroundApp(cmd *cobra.Command, app *dev.App, c *client.Client) error {
	app.StageGiven = cmd.Flags().Changed("stage")
	if app.Kind != dev.KindCDK && app.Kind != dev.KindSST {
		return nil
	}
	vars, err := p.surround(cmd.Context(), &settings{}, &c.Profile, c.AccessKey != "", c.CAFile != "")
	if err != nil {
		return err
	}
	app.Env = environment(os.Environ(), vars)
	return nil
}

func (p *program) removeCmd() *cobra.Command {
	var stage string
	cmd := &cobra.Command{
		Use:   "remove [APP]",
		Short: "Take a stage of an app away again",
		Long: `Deletes the stacks that deploy or dev made for a stage of an app, with everything in them and
what was uploaded for them. What a template asks to retain is kept, as on AWS.`,
		Example: `  gatehouse remove examples/jwt-api --stage prod`,
		Args:    cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := p.session(cmd, args, stage, nil)
			if err != nil {
				return err
			}
			begun := time.Now()
			r := &reporter{p: p}
			s.Deployer.Progress = r.event
			removed, err := s.Down(cmd.Context())
			if errors.Is(err, dev.ErrNoStack) {
				return fmt.Errorf("stage %s of %s is not deployed here", stage, s.App.Name)
			}
			if err != nil {
				return err
			}
			p.out.printf("%s removed %s  %s\n", p.out.green("✓"), strings.Join(removed, ", "), p.out.dim(took(time.Since(begun))))
			return nil
		},
	}
	cmd.Flags().StringVar(&stage, "stage", "dev", "`STAGE` to remove")
	return cmd
}

func took(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}
