package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gatehouse-dev/gatehouse/internal/surroundings"
)

func (p *program) envCmd() *cobra.Command {
	var asJSON, unset bool
	var s settings
	cmd := &cobra.Command{
		Use:   "env",
		Short: "Print the settings that point AWS tools here",
		Long: `Prints what gatehouse run sets, to eval in a shell: endpoint, region, the access key of the
account's root, the server's proxy, CA certificates, and a preload for Node.js. With them the
AWS CLI, the SDKs, CDK and SST talk to this server instead of AWS. What is printed holds a
real key: treat it as a secret. While the server is down, HTTPS from that shell fails, for it
goes through the server's proxy; --unset takes the settings back.`,
		Example: `  eval "$(gatehouse env)"
  aws cognito-idp list-user-pools --max-results 10
  eval "$(gatehouse env --unset)"`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			vars, err := p.settings(cmd.Context(), &s)
			if err != nil {
				return err
			}
			if unset {
				vars = takeBack(vars, s.files.Preload)
			}
			if asJSON {
				m := map[string]any{}
				for _, v := range vars {
					if m[v.Name] = v.Value; v.Unset {
						m[v.Name] = nil
					}
				}
				return json.NewEncoder(p.out).Encode(m)
			}
			var gone []string
			for _, v := range vars {
				if v.Unset {
					gone = append(gone, v.Name)
				} else {
					p.out.printf("export %s=%s\n", v.Name, shellQuote(v.Value))
				}
			}
			if len(gone) > 0 {
				p.out.printf("unset %s\n", strings.Join(gone, " "))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON object; what is to be unset is null")
	cmd.Flags().BoolVar(&unset, "unset", false, "print what takes the settings back")
	s.add(cmd.Flags())
	return cmd
}

// takeBack turns settings into what undoes them in a shell that has them.
func takeBack(vars []surroundings.Var, preload string) []surroundings.Var {
	var undo []surroundings.Var
	for _, v := range vars {
		if v.Unset {
			continue
		}
		rest := ""
		switch v.Name {
		case "NODE_OPTIONS":
			rest = surroundings.WithoutPreload(os.Getenv(v.Name), preload)
		case "NO_PROXY", "no_proxy":
			rest = surroundings.WithoutLocal(os.Getenv(v.Name))
		}
		undo = append(undo, surroundings.Var{Name: v.Name, Value: rest, Unset: rest == ""})
	}
	return undo
}

// shellQuote makes s one word of a POSIX shell.
func shellQuote(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%+=:,./_-") == "" {
		return s
	}
	return fmt.Sprintf("'%s'", strings.ReplaceAll(s, "'", `'\''`))
}
