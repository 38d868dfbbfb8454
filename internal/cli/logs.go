package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/admin"
	"github.com/gatehouse-dev/gatehouse/internal/client"
)

func (p *program) logsCmd() *cobra.Command {
	var follow, asJSON bool
	var since time.Duration
	cmd := &cobra.Command{
		Use:   "logs FUNCTION",
		Short: "Show the logs of a function",
		Long: `Prints what a function has logged. FUNCTION is its name, or the name of a log group, which
begins with a slash.`,
		Example: `  gatehouse logs dev-jwt-api-Private-4X2K8M1QZ7LD
  gatehouse logs dev-jwt-api-Private-4X2K8M1QZ7LD --follow --since 10m`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := p.connect(cmd.Context())
			if err != nil {
				return err
			}
			group := args[0]
			if !strings.HasPrefix(group, "/") {
				group = "/aws/lambda/" + group
			}
			q := url.Values{"group": {group}, "since": {time.Now().Add(-since).Format(time.RFC3339Nano)}}
			if follow {
				q.Set("follow", "1")
			}
			return streamLines(cmd.Context(), c, "/_gatehouse/logs?"+q.Encode(), func(e *admin.LogEvent) {
				if asJSON {
					json.NewEncoder(p.out).Encode(e)
					return
				}
				p.out.printf("%s %s\n", p.out.dim(e.Time.Local().Format("15:04:05.000")), strings.TrimRight(e.Message, "\n"))
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is logged from now on")
	cmd.Flags().DurationVar(&since, "since", time.Hour, "how far back to begin")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object for each line")
	return cmd
}

// streamLines reads a stream of JSON lines until it ends; a stream that the user ends is no error.
func streamLines[T any](ctx context.Context, c *client.Client, path string, f func(*T)) error {
	resp, err := c.Do(ctx, client.Request{Service: "gatehouse", Method: "GET", Path: path})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	dec := json.NewDecoder(resp.Body)
	for {
		v := new(T)
		if err := dec.Decode(v); err != nil {
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return err
		}
		f(v)
	}
}
