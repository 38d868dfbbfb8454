package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/surroundings"
)

// settings are how run and env surround programs.
type settings struct {
	noCredentials bool

	files surroundings.Files // as they were written; empty for a server elsewhere
}

func (s *settings) add(fs *pflag.FlagSet) {
	fs.BoolVar(&s.noCredentials, "no-credentials", false, "leave credentials and region to the program: its environment, or what aws configure wrote")
}

func (p *program) runCmd() *cobra.Command {
	var s settings
	cmd := &cobra.Command{
		Use:   "run [flags] [--] COMMAND [ARGUMENT…]",
		Short: "Run a program that calls AWS against this server",
		Long: `Runs any AWS tool or program, unmodified, so that its calls of AWS reach this server: the AWS
CLI of any age, SDKs, CDK, SST, Terraform, curl, a shell. It sets credentials (the account's
root), region, endpoint, an HTTPS proxy, CA certificates and, for Node.js, a module that is
loaded first. Only names of services that Gatehouse serves are taken over; all other
connections pass. docs/run.md says what happens with each kind of program.

The command takes the place of gatehouse: its exit status, its signals and its terminal are its
own. A command that is not found gives 127, one that cannot be run 126.

Against a server elsewhere (--endpoint) that is not on this machine, only programs that know
AWS_ENDPOINT_URL reach it.`,
		Example: `  gatehouse run -- aws s3 ls
  gatehouse run -- npx cdk deploy
  gatehouse run -- curl https://hhgku5pr43.execute-api.us-east-1.amazonaws.com/public
  gatehouse run -- bash                          # a shell in which all of it holds
  gatehouse run --no-credentials -- aws sts get-caller-identity   # as the user of aws configure`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("run takes a command")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			vars, err := p.settings(cmd.Context(), &s)
			if err != nil {
				return err
			}
			if _, err := p.reach(cmd.Context()); err != nil {
				return err
			}
			if p.endpoint == "" { // for gatehouse itself, wherever the program goes
				if dir, err := filepath.Abs(p.dir); err == nil {
					vars = append(vars, surroundings.Var{Name: "GATEHOUSE_DATA", Value: dir})
				}
			}
			if s.files.Bundle != "" && !s.files.Roots {
				p.err.printf("This system has no CA certificates (package ca-certificates): the program can call no other host over TLS.\n")
			}
			return become(args, environment(os.Environ(), vars))
		},
	}
	cmd.Flags().SetInterspersed(false)
	s.add(cmd.Flags())
	return cmd
}

// become runs a program in the place of this one. It returns only if that fails.
func become(args, env []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil && !errors.Is(err, exec.ErrDot) {
		if errors.Is(err, exec.ErrNotFound) || errors.Is(err, fs.ErrNotExist) {
			return exitError{fmt.Errorf("%s: command not found", args[0]), 127}
		}
		return exitError{err, 126}
	}
	if err := syscall.Exec(path, args, env); err != nil {
		return exitError{fmt.Errorf("%s: %w", args[0], err), 126}
	}
	return nil
}

// environment is an environment with variables set and taken away.
func environment(old []string, vars []surroundings.Var) []string {
	env := slices.DeleteFunc(slices.Clone(old), func(kv string) bool {
		name, _, _ := strings.Cut(kv, "=")
		return slices.ContainsFunc(vars, func(v surroundings.Var) bool { return v.Name == name })
	})
	for _, v := range vars {
		if !v.Unset {
			env = append(env, v.Name+"="+v.Value)
		}
	}
	return env
}

// settings returns what surrounds a program that is to reach the server, and writes the files.
func (p *program) settings(ctx context.Context, s *settings) ([]surroundings.Var, error) {
	prof, err := p.profile()
	if err != nil {
		return nil, err
	}
	saved, err := client.LoadProfile(p.dir)
	ours := err == nil // the keys are the root's, from the data directory
	return p.surround(ctx, s, prof, ours, ours && saved.Endpoint == prof.Endpoint)
}

// surround is settings for a server whose keys are ours or not, and whose data directory is here or not.
func (p *program) surround(ctx context.Context, s *settings, prof *client.Profile, ours, here bool) ([]surroundings.Var, error) {
	vars := []surroundings.Var{{Name: "AWS_ENDPOINT_URL", Value: prof.Endpoint}}
	if here || loopbackURL(prof.Endpoint) {
		dir, ca, err := authority(ctx, prof, here)
		if err != nil {
			return nil, err
		}
		if s.files, err = surroundings.Write(dir, ca, prof.Endpoint, surroundings.Own(dir, os.Getenv)...); err != nil {
			return nil, fmt.Errorf("writing what programs need into %s: %w", dir, err)
		}
		password := surroundings.ProxyPassword(prof.Secret)
		if !ours { // only an open server leads elsewhere without one
			password = ""
		}
		vars = surroundings.Network(prof.Endpoint, password, s.files, os.Getenv)
	}
	if !s.noCredentials && ours {
		vars = append(vars, surroundings.Credentials(prof.AccessKey, prof.Secret)...)
	}
	if !s.noCredentials || p.region != "" {
		vars = append(vars, surroundings.Region(prof.Region)...)
	}
	var names []string
	for _, kv := range os.Environ() {
		name, _, _ := strings.Cut(kv, "=")
		names = append(names, name)
	}
	return append(vars, surroundings.Strangers(names)...), nil
}

// loopbackURL tells whether a URL leads to this machine, by plain HTTP.
func loopbackURL(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// authority returns the certificate of a server's local authority, and the directory for the files that
// go with it. A server that has no data directory here, as one that keeps all in memory, is asked.
func authority(ctx context.Context, prof *client.Profile, here bool) (dir string, ca []byte, err error) {
	if here && prof.CAFile != "" {
		ca, err := os.ReadFile(prof.CAFile)
		return filepath.Dir(prof.CAFile), ca, err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", strings.TrimSuffix(prof.Endpoint, "/")+"/_gatehouse/ca.pem", nil)
	if err != nil {
		return "", nil, err
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return "", nil, fmt.Errorf("no server answers at %s", prof.Endpoint)
	}
	defer resp.Body.Close()
	if ca, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil || resp.StatusCode != 200 {
		return "", nil, fmt.Errorf("the server at %s is no Gatehouse: it gave no certificate (%s)", prof.Endpoint, resp.Status)
	}
	if dir, err = os.UserCacheDir(); err != nil {
		return "", nil, err
	}
	sum := sha256.Sum256([]byte(prof.Endpoint))
	dir = filepath.Join(dir, "gatehouse", hex.EncodeToString(sum[:6]))
	return dir, ca, os.MkdirAll(dir, 0o700)
}
