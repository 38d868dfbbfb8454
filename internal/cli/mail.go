package cli

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/admin"
)

func (p *program) mailCmd() *cobra.Command {
	var asJSON bool
	var to string
	var limit int
	cmd := &cobra.Command{
		Use:   "mail",
		Short: "Show what was sent: verification codes, temporary passwords",
		Long: `Prints the messages that user pools have sent, by mail and SMS, the newest last. Each is kept
whether or not it was also delivered through an SMTP server.`,
		Example: `  gatehouse mail
  gatehouse mail --to admin@example.com --limit 1
  gatehouse mail --json | jq -r '.[0].body'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := p.connect(cmd.Context())
			if err != nil {
				return err
			}
			q := url.Values{"limit": {strconv.Itoa(limit)}}
			if to != "" {
				q.Set("to", to)
			}
			var msgs []admin.Message // newest first
			if err := c.JSON(cmd.Context(), "gatehouse", http.MethodGet, "/_gatehouse/messages?"+q.Encode(), nil, &msgs); err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(p.out)
				enc.SetIndent("", "  ")
				return enc.Encode(msgs)
			}
			if len(msgs) == 0 {
				p.err.printf("%s\n", p.err.dim("Nothing was sent."))
			}
			for i := len(msgs) - 1; i >= 0; i-- {
				m := msgs[i]
				p.out.printf("%s  %s to %s", p.out.dim(m.Time.Local().Format("2006-01-02 15:04:05")), m.Channel, p.out.bold(visible(m.To)))
				if m.State != "" {
					p.out.printf("  %s", p.out.dim(m.State))
				}
				p.out.printf("\n")
				if m.Subject != "" {
					p.out.printf("    %s\n", p.out.bold(visible(m.Subject)))
				}
				p.out.printf("%s\n\n", indent("    ", visible(m.Body)))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON, the newest first")
	cmd.Flags().StringVar(&to, "to", "", "only messages to this address or number")
	cmd.Flags().IntVar(&limit, "limit", 20, "how many messages at the most")
	return cmd
}
