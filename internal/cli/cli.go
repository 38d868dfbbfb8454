// Package cli is the gatehouse command: one file a subcommand. Commands talk to a server over the
// wire, as any AWS client does; only start, and dev where no server runs yet, hold one themselves.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse"
	"github.com/gatehouse-dev/gatehouse/internal/client"
)

// program is what the subcommands share.
type program struct {
	in       io.Reader
	out, err *term
	dir      string // data directory
	endpoint string // of a server elsewhere
	region   string
}

// Main runs the command line args and returns the exit status: 0, 1 for a failure, 2 for a command
// line that makes no sense.
func Main(args []string, in io.Reader, out, errw io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	p := &program{in: in, out: newTerm(out), err: newTerm(errw)}
	root := p.root()
	root.SetArgs(args)
	root.SetIn(in)
	root.SetOut(out)
	root.SetErr(errw)
	err := root.ExecuteContext(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return 130 // interrupted
	}
	var exit exitError
	if errors.As(err, &exit) {
		p.printError(exit.error)
		return exit.status
	}
	p.printError(err)
	var use usageError
	if errors.As(err, &use) {
		return 2
	}
	return 1
}

// usageError is the fault of the command line.
type usageError struct{ error }

// exitError is a failure with an exit status of its own.
type exitError struct {
	error
	status int
}

func (p *program) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "gatehouse",
		Short: "Serverless APIs with sign-in, on your machine",
		Long: `Gatehouse runs serverless APIs with sign-in: user pools, HTTP APIs with authorizers,
functions, and the stacks that define them. It speaks the AWS APIs, so the AWS CLI, the
SDKs and the code of functions work unmodified, without an AWS account.`,
		Example: `  gatehouse dev examples/jwt-api       # run an app, reload it on every change
  gatehouse run -- aws cognito-idp list-user-pools --max-results 10
  gatehouse why JKJaXmPLvHcESHA=       # why a request was refused`,
		// Printed in the form that cobra has without a template: text/template, once reachable, keeps
		// every exported method of every type in the binary.
		Version:       gatehouse.Version,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w\nSee '%s --help'", err, cmd.CommandPath())}
	})
	f := root.PersistentFlags()
	f.StringVar(&p.dir, "data", envOr("GATEHOUSE_DATA", ".gatehouse"), "`DIR` that holds the server's data")
	f.StringVar(&p.endpoint, "endpoint", os.Getenv("GATEHOUSE_ENDPOINT"), "`URL` of the server, if not the one of the data directory")
	f.StringVar(&p.region, "region", envOr("AWS_REGION", os.Getenv("AWS_DEFAULT_REGION")), "`NAME` of the AWS region (default us-east-1)")
	root.AddCommand(p.startCmd(), p.devCmd(), p.deployCmd(), p.removeCmd(), p.runCmd(), p.envCmd(), p.whyCmd(), p.mailCmd(), p.logsCmd())
	wrapArgs(root)
	return root
}

// wrapArgs makes wrong arguments usage errors that name the command's help.
func wrapArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{fmt.Errorf("%w\nUsage: %s", err, strings.TrimSpace(cmd.UseLine()))}
			}
			return nil
		}
	}
	for _, c := range cmd.Commands() {
		wrapArgs(c)
	}
}

// self is the command as its user would type it again: by `go run` while it is run so.
func self() string {
	if exe, err := os.Executable(); err == nil && filepath.Base(exe) == "gatehouse" && strings.Contains(filepath.ToSlash(exe), "/go-build") {
		return "go run ./cmd/gatehouse"
	}
	return "gatehouse"
}

func envOr(name, fallback string) string {
	if v := os.Getenv(name); v != "" {
		return v
	}
	return fallback
}

// profile reads how to reach the server, and as whom.
func (p *program) profile() (*client.Profile, error) {
	prof, err := client.LoadProfile(p.dir)
	if err != nil {
		if !errors.Is(err, client.ErrNoProfile) {
			return nil, err
		}
		if p.endpoint == "" {
			return nil, fmt.Errorf("%w\nStart one with '%s start', or name another directory with --data", err, self())
		}
		// A server elsewhere: the keys are the surroundings'.
		prof = &client.Profile{Account: os.Getenv("AWS_ACCOUNT_ID"), AccessKey: os.Getenv("AWS_ACCESS_KEY_ID"), Region: "us-east-1"}
		prof.Secret = secretFromEnv()
	}
	if p.endpoint != "" {
		prof.Endpoint = p.endpoint
	}
	if p.region != "" {
		prof.Region = p.region
	}
	return prof, nil
}

// connect returns a client of a server that answers.
func (p *program) connect(ctx context.Context) (*client.Client, error) {
	c, err := p.reach(ctx)
	if err != nil {
		return nil, err
	}
	return c, identify(ctx, c)
}

// reach returns a client of a server that answers, whoever its keys are.
func (p *program) reach(ctx context.Context) (*client.Client, error) {
	prof, err := p.profile()
	if err != nil {
		return nil, err
	}
	c := &client.Client{Profile: *prof}
	if !c.Live(ctx) {
		return nil, fmt.Errorf("no server answers at %s\nStart it with '%s start%s'", c.Endpoint, self(), dataFlag(p))
	}
	return c, nil
}

// identify asks a server that has no profile here whose account the keys are of.
func identify(ctx context.Context, c *client.Client) error {
	if c.Account != "" {
		return nil
	}
	var who struct {
		Account string `xml:"Account"`
	}
	err := c.Query(ctx, "sts", "2011-06-15", "GetCallerIdentity", nil, &who)
	c.Account = who.Account
	return err
}
