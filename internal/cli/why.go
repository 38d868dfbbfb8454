package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

func (p *program) whyCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "why REQUEST-ID",
		Short: "Tell why a request was let in or refused",
		Long: `Prints the decision trace of a request on an API, or of a call of an AWS API: each check that it
met, what was found, and, for the one that refused it, what would have passed. Of a signature that does
not fit, it shows the server's canonical request beside what the request shows, and what has probably
happened; of policies, the statement that decided or came nearest. The request id is in the answer's
header: Apigw-Requestid of an HTTP API, X-Amzn-Requestid of a REST API, a function's URL or an AWS API,
X-Amz-Request-Id of S3. The newest 10,000 requests are remembered, and apart from them the newest 2,000
calls of AWS APIs that succeeded.`,
		Example: `  curl -i http://127.0.0.1:4566/_aws/execute-api/4foju6nhne/private
  gatehouse why JKJaXmPLvHcESHA=
  gatehouse why --last                # the newest request
  aws s3 ls --debug 2>&1 | grep -i request-id
  gatehouse why --json --last | jq .steps`,
		Args: cobra.MaximumNArgs(1),
	}
	last := cmd.Flags().Bool("last", false, "the newest request instead of a given one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the trace as JSON")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if *last == (len(args) == 1) {
			return usageError{errors.New("why takes a request id, or --last")}
		}
		c, err := p.connect(cmd.Context())
		if err != nil {
			return err
		}
		t, err := fetchTrace(cmd, c, args)
		if err != nil {
			return err
		}
		if asJSON {
			enc := json.NewEncoder(p.out)
			enc.SetIndent("", "  ")
			return enc.Encode(t)
		}
		p.printTrace(t)
		return nil
	}
	return cmd
}

func fetchTrace(cmd *cobra.Command, c *client.Client, args []string) (*trace.Trace, error) {
	if len(args) == 0 {
		var ts []*trace.Trace
		if err := c.JSON(cmd.Context(), "gatehouse", http.MethodGet, "/_gatehouse/requests?limit=1", nil, &ts); err != nil {
			return nil, err
		}
		if len(ts) == 0 {
			return nil, errors.New("no request has been seen since the server started")
		}
		return ts[0], nil
	}
	var t trace.Trace
	err := c.JSON(cmd.Context(), "gatehouse", http.MethodGet, "/_gatehouse/requests/"+url.PathEscape(args[0]), nil, &t)
	var ce *client.Error
	if errors.As(err, &ce) && ce.Status == http.StatusNotFound {
		return nil, fmt.Errorf("request %s is not known: the newest %d since the server started are", args[0], trace.DefaultCapacity)
	}
	return &t, err
}

func (p *program) printTrace(t *trace.Trace) {
	o := p.out
	status := o.green(fmt.Sprint(t.Status))
	if t.Status >= 400 {
		status = o.red(fmt.Sprint(t.Status))
	}
	o.printf("%s %s  →  %s  %s\n", o.bold(visible(t.Method)), o.bold(visible(t.Path)), status,
		o.dim(fmt.Sprintf("%s, %s", t.Time.Local().Format("15:04:05.000"), (time.Duration(t.Micros)*time.Microsecond).String())))
	switch {
	case t.Operation != "":
		o.printf("%s\n", o.bold(visible(t.Operation)))
		line := "by nobody who is known"
		if t.Principal != "" {
			line = "by " + visible(t.Principal)
		}
		line += ", host " + visible(t.Host) + ", from " + t.SourceIP
		if t.Error != "" {
			line += ", answered " + visible(t.Error)
		}
		o.printf("%s\n", o.dim(line))
	case t.API != "":
		o.printf("%s\n", o.dim(fmt.Sprintf("API %s, stage %s, host %s, from %s", visible(t.API), t.Stage, visible(t.Host), t.SourceIP)))
	}
	width := 0
	for _, s := range t.Steps {
		width = max(width, len(s.Name))
	}
	for _, s := range t.Steps {
		mark := o.green("✓")
		if !s.OK {
			mark = o.red("✗")
		}
		o.printf("  %s %-*s  %s\n", mark, width, s.Name, visible(s.Detail))
		if s.OK {
			continue
		}
		if s.Got != "" {
			o.printf("    %*s  %s %s\n", width, "", o.dim("got: "), visible(s.Got))
		}
		if s.Want != "" {
			o.printf("    %*s  %s %s\n", width, "", o.dim("want:"), visible(s.Want))
		}
	}
	p.printSignature(t.Signature)
}

// printSignature sets the server's canonical request beside what the request shows.
func (p *program) printSignature(s *trace.Signature) {
	if s == nil {
		return
	}
	o := p.out
	name, server := len("line"), len("the server's canonical request")
	for _, l := range s.Lines {
		name, server = max(name, len(visible(l.Name))), max(server, min(utf8.RuneCountInString(visible(l.Server)), maxColumn))
	}
	o.printf("\n  %s\n", o.bold(fmt.Sprintf("%-*s  %-*s  %s", name, "", server, "the server's canonical request", "what the request shows")))
	for _, l := range s.Lines {
		mark := " "
		if l.Server != l.Client && !strings.HasPrefix(l.Client, "(") { // what is not there to be seen may be the same
			mark = o.red("≠")
		}
		text := visible(l.Server)
		pad := max(server-utf8.RuneCountInString(text), 0)
		o.printf("%s %-*s  %s%s  %s\n", mark, name, visible(l.Name), text, strings.Repeat(" ", pad), visible(l.Client))
	}
	o.printf("\n  %s\n", o.bold("string to sign"))
	for _, l := range s.StringToSign {
		o.printf("  %s\n", visible(l))
	}
}

// maxColumn is how wide the left column of two may be, in characters. Longer lines push the right one.
const maxColumn = 70
