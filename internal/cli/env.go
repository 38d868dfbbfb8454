package cli

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

func (p *program) envCmd() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the settings that point AWS tools here",
		Long: `Prints the environment variables with which the AWS CLI and the SDKs talk to this
server instead of AWS: endpoint, region, and the access key of the account's root. The
key is a real one: treat what is printed as a secret.`,
		Example: `  eval "$(gatehouse env)"
  aws cognito-idp list-user-pools --max-results 10   # newer CLIs read AWS_ENDPOINT_URL
  aws --endpoint-url "$AWS_ENDPOINT_URL" cognito-idp list-user-pools --max-results 10`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			prof, err := p.profile()
			if err != nil {
				return err
			}
			vars := [][2]string{
				{"AWS_ENDPOINT_URL", prof.Endpoint},
				{"AWS_REGION", prof.Region},
				{"AWS_DEFAULT_REGION", prof.Region},
				{"AWS_ACCESS_KEY_ID", prof.AccessKey},
				{"AWS_SECRET_ACCESS_KEY", prof.Secret.Reveal()},
			}
			if asJSON {
				m := map[string]string{}
				for _, v := range vars {
					m[v[0]] = v[1]
				}
				return json.NewEncoder(p.out).Encode(m)
			}
			for _, v := range vars {
				p.out.printf("export %s=%s\n", v[0], shellQuote(v[1]))
			}
			// A token of another account in the shell would be sent along.
			p.out.printf("unset AWS_SESSION_TOKEN AWS_PROFILE\n")
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object")
	return cmd
}

// shellQuote makes s one word of a POSIX shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-") == "" {
		return s
	}
	return fmt.Sprintf("'%s'", strings.ReplaceAll(s, "'", `'\''`))
}
