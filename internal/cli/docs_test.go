package cli

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/cli.md")

// TestDocs: docs/cli.md is what the commands say of themselves.
func TestDocs(t *testing.T) {
	for _, name := range []string{"GATEHOUSE_DATA", "GATEHOUSE_ENDPOINT", "GATEHOUSE_DATABASE", "GATEHOUSE_CERTIFICATES", "GATEHOUSE_SMTP", "GATEHOUSE_MAIL_FROM", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "") // they change the defaults that are shown
	}
	p := &program{in: strings.NewReader(""), out: newTerm(io.Discard), err: newTerm(io.Discard)}
	got := commandDocs(p.root())
	const file = "../../docs/cli.md"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("docs/cli.md is out of date: go test ./internal/cli -run TestDocs -update")
	}
}

func commandDocs(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString("<!-- Written by: go test ./internal/cli -run TestDocs -update -->\n\n# The gatehouse command\n\n")
	fmt.Fprintf(&b, "%s\n\n", root.Long)
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() && c.Name() != "help" {
			fmt.Fprintf(&b, "- [`gatehouse %s`](#gatehouse-%s) %s\n", c.Name(), c.Name(), lower(c.Short))
		}
	}
	b.WriteString("\nFlags that every command takes:\n\n")
	flagTable(&b, root.PersistentFlags())
	b.WriteString(`
The exit status is 0, 1 for a failure, 2 for a command line that makes no sense, and 130 when interrupted.
Colours are left out where the output is no terminal, where ` + "`NO_COLOR`" + ` is set, and on a dumb terminal.
`)
	for _, c := range root.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		long := c.Long
		if long == "" {
			long = c.Short + "."
		}
		fmt.Fprintf(&b, "\n## gatehouse %s\n\n```\n%s\n```\n\n%s\n", c.Name(), c.UseLine(), long)
		if c.Example != "" {
			fmt.Fprintf(&b, "\n```sh\n%s\n```\n", dedent(c.Example))
		}
		if c.LocalNonPersistentFlags().HasAvailableFlags() {
			b.WriteByte('\n')
			flagTable(&b, c.LocalNonPersistentFlags())
		}
	}
	return b.Bytes()
}

func flagTable(b *bytes.Buffer, fs *pflag.FlagSet) {
	b.WriteString("| flag | meaning | default |\n|---|---|---|\n")
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		varname, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		if varname != "" && f.Value.Type() != "bool" {
			name += " " + varname
		}
		def := ""
		switch f.DefValue {
		case "", "false", "[]", "0", "0s":
		default:
			def = "`" + f.DefValue + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, strings.ReplaceAll(usage, "|", "\\|"), def)
	})
}

func dedent(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], "  ")
	}
	return strings.Join(lines, "\n")
}

func lower(s string) string { return strings.ToLower(s[:1]) + s[1:] }
