package engine

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam/sts"
	"github.com/gatehouse-dev/gatehouse/internal/proxy"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/surroundings"
)

// newProxy makes the server's proxy. An open server wants no password: it trusts every program of the
// machine, and listens to no other.
func (e *Engine) newProxy() *proxy.Proxy {
	return proxy.New(proxy.Options{
		Takes: surroundings.Takes, Serve: func(c net.Conn) { e.dual.serve(c) }, Front: http.HandlerFunc(e.front),
		User: surroundings.ProxyUser, Password: e.proxyPassword(), Upstream: e.upstream, Logger: e.cfg.Logger,
	})
}

func (e *Engine) proxyPassword() seal.Secret {
	if e.cfg.AuthOpen {
		return ""
	}
	return surroundings.ProxyPassword(e.profile.Secret)
}

// upstream is the proxy that the server's own environment names for a request.
func (e *Engine) upstream(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	return e.elsewhere(u), err
}

// elsewhere leaves out a proxy that is a Gatehouse, and most likely this one: it may have been started
// from a shell that has its settings.
func (e *Engine) elsewhere(u *url.URL) *url.URL {
	if u == nil || u.User.Username() == surroundings.ProxyUser || strings.EqualFold(u.Host, strings.TrimPrefix(e.URL(), "http://")) {
		return nil
	}
	return u
}

// surroundFunctions returns the variables by which functions reach the server, whatever SDK they have, and
// makes the files for that. It is called when the first function runs.
func (e *Engine) surroundFunctions(dir string) (node, others []string, err error) {
	files, err := surroundings.Write(dir, e.ca.PEM(), e.URL())
	if err != nil {
		return nil, nil, err
	}
	list := func(vars []surroundings.Var) (env []string) {
		for _, v := range vars {
			env = append(env, v.Name+"="+v.Value)
		}
		return env
	}
	nothing := func(string) string { return "" }
	return list(surroundings.Node(e.URL(), files)), list(surroundings.Network(e.URL(), e.proxyPassword(), files, nothing)), nil
}

// functionCredentials returns how the environments of functions come by credentials of their role. What the
// caller is not told of a role that cannot be assumed goes to the log.
func functionCredentials(tokens *sts.Service, logger *slog.Logger) func(context.Context, *runtime.Spec) (map[string]string, error) {
	return func(ctx context.Context, f *runtime.Spec) (map[string]string, error) {
		c, err := tokens.FunctionCredentials(ctx, f.Role, f.Name)
		if no := (iam.ErrNotAssumable{}); errors.As(err, &no) {
			logger.Warn("a function cannot run as its role", "function", f.Name, "err", err)
			return nil, &runtime.Error{Code: "AccessDeniedException", Message: "The role defined for the function cannot be assumed by Lambda."}
		}
		if err != nil {
			return nil, err
		}
		return map[string]string{"AWS_ACCESS_KEY_ID": c.AccessKey, "AWS_SECRET_ACCESS_KEY": c.Secret.Reveal(), "AWS_SESSION_TOKEN": c.Token}, nil
	}
}
