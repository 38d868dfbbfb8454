package cli

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse"
	"github.com/gatehouse-dev/gatehouse/internal/admin"
	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/dev"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

func (p *program) devCmd() *cobra.Command {
	f := serverFlags{quiet: true}
	var stage string
	var params []string
	cmd := &cobra.Command{
		Use:   "dev [APP]",
		Short: "Run an app live: deploy, watch, reload, stream logs",
		Long: `Builds the app, starts a server if none runs with the data directory, deploys to a stage and
stays in the foreground: it streams the functions' logs and each request, and brings every
change of the sources into the next request. A compile error is shown with its place, and the
old code goes on serving.`,
		Example: `  gatehouse dev examples/jwt-api
  gatehouse dev . --stage alice --listen 4600`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			path := "."
			if len(args) > 0 {
				path = args[0]
			}
			app, err := dev.Find(path)
			if err != nil {
				return err
			}
			m, err := parseParams(params)
			if err != nil {
				return err
			}
			c, server, err := p.ensureServer(ctx, &f)
			if err != nil {
				return err
			}
			if server != nil {
				defer closeServer(server)
			}
			if err := p.surroundApp(cmd, app, c); err != nil {
				return err
			}
			s := &dev.Session{App: app, Stage: stage, Params: m, Live: true, Deployer: &dev.Deployer{Client: c}}
			return p.live(ctx, s)
		},
	}
	cmd.Flags().StringVar(&stage, "stage", "dev", "`STAGE` to deploy to")
	cmd.Flags().StringArrayVar(&params, "parameter", nil, "`KEY=VALUE` of a template's parameter (repeatable)")
	f.add(cmd.Flags())
	return cmd
}

// ensureServer returns a client of the server that runs with the data directory, and starts one if
// there is none; then the second result is that server.
func (p *program) ensureServer(ctx context.Context, f *serverFlags) (*client.Client, *gatehouse.Server, error) {
	prof, err := p.profile()
	if err == nil {
		if c := (&client.Client{Profile: *prof}); c.Live(ctx) {
			p.err.printf("%s\n", p.err.dim("using the server at "+c.Endpoint))
			return c, nil, identify(ctx, c)
		}
	}
	if p.endpoint != "" {
		return nil, nil, fmt.Errorf("no server answers at %s", p.endpoint)
	}
	if err := f.resolve(p); err != nil {
		return nil, nil, err
	}
	s := &f.server
	if err := s.Start(ctx); err != nil {
		return nil, nil, err
	}
	p.err.printf("%s listens on %s\n", p.err.bold("Gatehouse "+gatehouse.Version), p.err.cyan(s.URL()))
	c := &client.Client{Profile: s.Profile()}
	if p.region != "" {
		c.Region = p.region
	}
	return c, s, nil
}

// live runs a session: up, then follow sources, logs and requests until ctx ends.
func (p *program) live(ctx context.Context, s *dev.Session) error {
	logs := make(chan string, 1) // the stacks' names, to follow the logs of their functions
	r := &reporter{p: p}
	first := true
	r.up = func() {
		if first {
			first = false
			p.hints(s, r.outputs)
		}
		select {
		case logs <- "":
		default:
		}
	}
	s.Report, s.Deployer.Progress = r, r.event
	if err := s.Up(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		r.Failed(err)
		p.err.printf("%s\n", p.err.dim("Waiting for a change of the sources."))
	}
	go p.followRequests(ctx, s.Deployer.Client)
	go p.followLogs(ctx, s, logs)
	err := s.Watch(ctx)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// followLogs shows what the session's functions log.
func (p *program) followLogs(ctx context.Context, s *dev.Session, deployed <-chan string) {
	following := map[string]bool{}
	for {
		select {
		case <-ctx.Done():
			return
		case <-deployed:
		}
		for logical, group := range s.LogGroups(ctx) {
			if following[group] {
				continue
			}
			following[group] = true
			go func() {
				q := url.Values{"group": {group}, "follow": {"1"}}
				streamLines(ctx, s.Deployer.Client, "/_gatehouse/logs?"+q.Encode(), func(e *admin.LogEvent) {
					if p.platformLine(e.Message) {
						return
					}
					p.out.printf("%s %s %s\n", p.out.dim(e.Time.Local().Format("15:04:05.000")), p.out.cyan(logical), strings.TrimRight(e.Message, "\n"))
				})
			}()
		}
	}
}

// platformLine tells of the lines that Lambda writes around each event; a person at a terminal wants
// the function's own.
func (p *program) platformLine(line string) bool {
	for _, prefix := range []string{"START RequestId: ", "END RequestId: ", "REPORT RequestId: ", "INIT_START "} {
		if strings.HasPrefix(line, prefix) {
			return true
		}
	}
	return false
}

// followRequests shows each request on an API and, for a refusal, how to learn why.
func (p *program) followRequests(ctx context.Context, c *client.Client) {
	streamLines(ctx, c, "/_gatehouse/requests?follow=1", func(t *trace.Trace) {
		status := p.out.green(fmt.Sprint(t.Status))
		if t.Status >= 400 {
			status = p.out.red(fmt.Sprint(t.Status))
		}
		what := visible(t.Method) + " " + visible(t.Path)
		if t.Operation != "" { // a call of an AWS API: worth a line if somebody may not make it
			if !t.Refused() {
				return
			}
			what = visible(t.Operation)
		}
		line := fmt.Sprintf("%s %s %s %s", p.out.dim(t.Time.Local().Format("15:04:05.000")), status, what,
			p.out.dim(fmt.Sprintf("%.1f ms", float64(t.Micros)/1000)))
		if t.Refused() {
			line += p.out.dim("  " + self() + " why " + t.RequestID + dataFlag(p))
		}
		p.out.printf("%s\n", line)
	})
}

// hints prints the commands to try, where the outputs are those of an API with a user pool.
func (p *program) hints(s *dev.Session, outputs []dev.Output) {
	get := func(suffix string) string {
		for _, o := range outputs {
			if strings.HasSuffix(o.Key, suffix) {
				return o.Value
			}
		}
		return ""
	}
	o := p.out
	endpoint, pool, cl := get("ApiEndpoint"), get("UserPoolId"), get("UserPoolClientId")
	aws := "aws --endpoint-url " + s.Deployer.Client.Endpoint + " cognito-idp"
	o.printf("%s\n", o.bold("Try:"))
	o.printf("  eval \"$(%s env%s)\"\n", self(), dataFlag(p))
	if endpoint != "" {
		for _, path := range s.Routes() {
			o.printf("  curl %s%s\n", endpoint, path)
		}
	}
	if pool != "" && cl != "" {
		o.printf("  %s sign-up --client-id %s --username admin@example.com --password 'Passw0rd!'\n", aws, cl)
		o.printf("  %s admin-confirm-sign-up --user-pool-id %s --username admin@example.com\n", aws, pool)
		o.printf("  %s initiate-auth --client-id %s --auth-flow USER_PASSWORD_AUTH --auth-parameters USERNAME=admin@example.com,PASSWORD='Passw0rd!'\n", aws, cl)
		if endpoint != "" {
			o.printf("  TOKEN=…  %s\n", o.dim("# the IdToken that it prints"))
			o.printf("  curl -H \"Authorization: Bearer $TOKEN\" %s%s\n", endpoint, s.GuardedRoute())
		}
	}
	o.printf("\n%s\n", o.dim("Watching the sources; Ctrl-C ends it. What is deployed stays."))
}
