package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-dev/gatehouse"
)

// serverFlags are the flags of a command that may hold a server.
type serverFlags struct {
	server  gatehouse.Server
	auth    string
	logJSON bool
	verbose bool
	quiet   bool // only what is wrong: the command itself tells the rest
}

func (f *serverFlags) level() slog.Level {
	switch {
	case f.verbose:
		return slog.LevelDebug
	case f.quiet:
		return slog.LevelWarn
	}
	return slog.LevelInfo
}

func (f *serverFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.server.Addr, "listen", gatehouse.DefaultAddr, "`ADDRESS` to listen on: HOST:PORT, or a port of 127.0.0.1")
	fs.StringVar(&f.server.Database, "database", os.Getenv("GATEHOUSE_DATABASE"), "`URL` of a PostgreSQL database that keeps the state, postgres://… (default: SQLite in the data directory)")
	fs.BoolVar(&f.server.Ephemeral, "ephemeral", false, "keep everything in memory; nothing is left when the server ends")
	fs.StringVar(&f.server.Account, "account", "", "`ID` of the account, 12 digits (default 000000000000)")
	fs.StringVar(&f.auth, "auth", "signed", "`MODE` of checking calls of the AWS APIs: signed takes a valid signature, open takes any access key for the account's root (loopback only)")
	fs.StringVar(&f.server.Issuer, "issuer", "", "base `URL` of the issuer of tokens, before /POOL (default: AWS's own, https://cognito-idp.REGION.amazonaws.com)")
	fs.StringVar(&f.server.PublicURL, "public-url", "", "`URL` under which clients reach this server (default: the address that it listens on)")
	fs.StringVar(&f.server.Certificates, "certificates", os.Getenv("GATEHOUSE_CERTIFICATES"), "`DIRECTORY` with certificates of custom domains: NAME.crt and NAME.key, or NAME.pem with both, for the ARN …:certificate/NAME (default: the local CA vouches for them)")
	fs.StringVar(&f.server.SMTP, "smtp", os.Getenv("GATEHOUSE_SMTP"), "`URL` of a server to send mail through, smtp://USER:PASSWORD@HOST:PORT (default: mail is kept for gatehouse mail)")
	fs.StringVar(&f.server.MailFrom, "mail-from", os.Getenv("GATEHOUSE_MAIL_FROM"), "`ADDRESS` of the sender of mail, where a pool names none (default no-reply@verificationemail.com)")
	fs.BoolVar(&f.logJSON, "log-json", false, "write the server's log as JSON lines")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "log every call")
}

// resolve completes the server's settings from the flags.
func (f *serverFlags) resolve(p *program) error {
	switch f.auth {
	case "signed":
	case "open":
		f.server.AuthOpen = true
	default:
		return usageError{fmt.Errorf("--auth %q: it is signed or open", f.auth)}
	}
	f.server.Dir = p.dir
	f.server.Region = p.region
	f.server.SealKey = os.Getenv("GATEHOUSE_SEAL_KEY")
	if f.server.SMTP != "" {
		if u, err := url.Parse(f.server.SMTP); err != nil || u.Host == "" {
			return usageError{errors.New("--smtp takes smtp://USER:PASSWORD@HOST:PORT")}
		}
	}
	f.server.Logger = newLogger(p.err, f.logJSON, f.level())
	return nil
}

func (p *program) startCmd() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the server",
		Long: `Runs the server in the foreground until it is interrupted: the AWS APIs, the APIs that are
deployed on it, and their functions, all on one port, plain and over TLS. Its state is in the
data directory, and nothing of it is lost however the server ends.`,
		Example: `  gatehouse start
  gatehouse start --listen 4600 --data /var/lib/gatehouse
  gatehouse start --ephemeral --auth open                      # for a test suite
  gatehouse start --database postgres://gatehouse@db/gatehouse`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.resolve(p); err != nil {
				return err
			}
			begun := time.Now()
			s := &f.server
			if err := s.Start(cmd.Context()); err != nil {
				return err
			}
			p.err.printf("%s listens on %s  %s\n", p.err.bold("Gatehouse "+gatehouse.Version), p.err.cyan(s.URL()),
				p.err.dim(fmt.Sprintf("ready in %s", time.Since(begun).Round(time.Millisecond/10))))
			switch {
			case s.Ephemeral:
				p.err.printf("%s\n", p.err.dim("Everything is kept in memory and gone when the server ends."))
			case p.err.color:
				p.err.printf("%s\n", p.err.dim(`Point AWS tools here:  eval "$(`+self()+` env`+dataFlag(p)+`)"`))
			}
			if s.AuthOpen {
				p.err.printf("%s\n", p.err.yellow("Open: any access key is taken as the account's root."))
			}
			<-cmd.Context().Done()
			return closeServer(s)
		},
	}
	f.add(cmd.Flags())
	return cmd
}

// closeServer lets the requests under way end.
func closeServer(s *gatehouse.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return s.Close(ctx)
}

// dataFlag is what a hint for another command needs in order to mean the same server.
func dataFlag(p *program) string {
	if p.dir == ".gatehouse" {
		return ""
	}
	return " --data " + shellQuote(p.dir)
}

// newLogger writes the server's log: for people on a terminal, as JSON lines where asked.
func newLogger(t *term, asJSON bool, level slog.Level) *slog.Logger {
	if asJSON {
		return slog.New(slog.NewJSONHandler(t, &slog.HandlerOptions{Level: level}))
	}
	return slog.New(&humanHandler{term: t, level: level})
}
