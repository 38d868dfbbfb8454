// Package engine assembles a server: it opens the state, makes the services, joins them where they
// meet, and serves them all on one port. It is the only package that knows every service.
package engine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/admin"
	"github.com/gatehouse-dev/gatehouse/internal/buckets"
	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/functions"
	"github.com/gatehouse-dev/gatehouse/internal/gateway"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/identitypools"
	"github.com/gatehouse-dev/gatehouse/internal/keys"
	"github.com/gatehouse-dev/gatehouse/internal/localca"
	"github.com/gatehouse-dev/gatehouse/internal/logs"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/parameters"
	"github.com/gatehouse-dev/gatehouse/internal/proxy"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/signin"
	"github.com/gatehouse-dev/gatehouse/internal/stacks"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/userpools"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Time-outs and bounds of the listener. A function may run for 15 minutes, so an answer may take as
// long.
const (
	headerTimeout  = 10 * time.Second
	requestTimeout = 20 * time.Minute
	idleTimeout    = 2 * time.Minute
	maxHeader      = 64 << 10
)

// Engine is a running server.
type Engine struct {
	cfg      Config
	addr     string // that it listens on
	temp     string // directory that ends with the server; "" if none
	db       *store.DB
	ca       *localca.CA
	keys     *keys.Set
	outbox   *message.Outbox
	recorder *trace.Recorder
	runtime  *runtime.Manager

	iam       *iam.Service
	logs      *logs.Service
	pools     *userpools.Service
	functions *functions.Service
	apis      *httpapis.Service
	rest      *restapis.Service
	hosts     *domains.Service // custom domains, of both kinds of APIs
	buckets   *buckets.Service
	params    *parameters.Service
	stacks    *stacks.Service

	identities *identitypools.Service

	services []wire.Service     // the AWS APIs that are served
	registry *resource.Registry // the resource types of stacks
	control  *wire.Server
	gateway  *gateway.Gateway
	signin   *signin.Handler
	admin    *admin.Handler
	proxy    *proxy.Proxy
	dual     *dualListener

	bootstraps sync.Mutex // held while the stack of cdk bootstrap is made

	profile client.Profile
	http    *http.Server
	served  chan struct{} // closed when the listener is done
	closed  sync.Once
	closing chan struct{}                 // closed first: streams end
	closers []func(context.Context) error // in the order in which they were opened
}

// Start opens a server's state and serves it.
func Start(ctx context.Context, cfg Config) (_ *Engine, err error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	e := &Engine{cfg: cfg, recorder: trace.NewRecorder(0), served: make(chan struct{}), closing: make(chan struct{})}
	defer func() {
		if err != nil {
			e.closeState(context.Background())
		}
	}()
	listener, err := net.Listen("tcp", cfg.Addr)
	if err != nil {
		if errors.Is(err, syscall.EADDRINUSE) {
			return nil, fmt.Errorf("%s is taken by another program, perhaps another Gatehouse: choose another address with --listen", cfg.Addr)
		}
		return nil, err
	}
	e.addr = listener.Addr().String()
	if err := e.open(ctx); err != nil {
		listener.Close()
		return nil, err
	}
	e.serve(listener)
	go debug.FreeOSMemory() // what starting took and nothing holds any more: a third of an idle server's own memory
	return e, nil
}

// onClose has f called when the server closes, before what was opened earlier is closed.
func (e *Engine) onClose(f func(context.Context) error) { e.closers = append(e.closers, f) }

// open opens the state and has the services made.
func (e *Engine) open(ctx context.Context) (err error) {
	cfg := &e.cfg
	dir, url := cfg.Dir, cfg.Database
	switch {
	case cfg.Ephemeral:
		var err error
		if e.temp, err = os.MkdirTemp("", "gatehouse-"); err != nil {
			return err
		}
		dir, url = e.temp, "memory:"
	default:
		_, missing := os.Stat(dir)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("data directory: %w", err)
		}
		if errors.Is(missing, fs.ErrNotExist) {
			defer func() {
				if err != nil {
					os.Remove(dir) // if nothing is in it
				}
			}()
		}
		if url == "" {
			url = "sqlite:" + filepath.Join(dir, "gatehouse.db")
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	dir = abs
	if e.db, err = store.Open(ctx, store.Options{URL: url, Logger: cfg.Logger, Now: cfg.Now}); err != nil {
		return err
	}
	e.onClose(func(context.Context) error { return e.db.Close() })

	box := cfg.SealKey
	if box == nil {
		if box, err = loadSeal(dir, cfg.Ephemeral); err != nil {
			return err
		}
	}
	caDir := dir
	if cfg.Ephemeral {
		caDir = ""
	}
	if e.ca, err = localca.Load(caDir); err != nil {
		return err
	}

	if err := e.join(dir, box); err != nil {
		return err
	}
	if err := e.credentials(ctx); err != nil {
		return err
	}
	e.proxy = e.newProxy()
	if err := e.stacks.Start(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	e.onClose(e.stacks.Close)
	return nil
}

// loadSeal returns the key that seals secrets: a fresh one for an ephemeral server.
func loadSeal(dir string, ephemeral bool) (*seal.Key, error) {
	if !ephemeral {
		return seal.Load(dir)
	}
	raw := make([]byte, seal.KeySize)
	rand.Read(raw)
	return seal.FromBytes(raw)
}

// credentials reads or makes the root's access key and tells the command line of it.
func (e *Engine) credentials(ctx context.Context) error {
	id, secret, err := e.iam.RootKey(ctx)
	if err != nil {
		return err
	}
	e.profile = client.Profile{Endpoint: e.URL(), Region: e.cfg.Region, Account: e.cfg.Account, AccessKey: id, Secret: secret, PID: os.Getpid()}
	if e.cfg.Ephemeral {
		return nil
	}
	if abs, err := filepath.Abs(filepath.Join(e.cfg.Dir, localca.CertFile)); err == nil {
		e.profile.CAFile = abs
	}
	if err := e.profile.Save(e.cfg.Dir); err != nil {
		return fmt.Errorf("data directory: %w", err)
	}
	return nil
}

// localKeys finds the keys of a local pool by either form of its issuer, and those of identity pools.
func (e *Engine) localKeys(ctx context.Context, issuer string) (token.KeySource, bool) {
	if issuer == identitypools.Issuer {
		return e.identities.KeySource(), true
	}
	pool, ok := e.pools.IssuerPool(ctx, issuer)
	if !ok {
		return nil, false
	}
	return e.keys.Source(pool), true
}

// sameIssuer tells whether two issuers name the same local pool: it has AWS's form and the server's own.
// Pools are read from the cache, so there is nothing that the request's context could cut short.
func (e *Engine) sameIssuer(a, b string) bool {
	pool, ok := e.pools.IssuerPool(context.Background(), a)
	other, ok2 := e.pools.IssuerPool(context.Background(), b)
	return ok && ok2 && pool == other
}

// origins returns which web pages may call the control plane: all, as on AWS, unless it is open.
func (e *Engine) origins() func(*http.Request, string) bool {
	if e.cfg.AuthOpen {
		return allowOrigin
	}
	return nil
}

// serve answers on the listener from now on.
func (e *Engine) serve(l net.Listener) {
	e.http = &http.Server{
		Handler: e, ReadHeaderTimeout: headerTimeout, ReadTimeout: requestTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: slog.NewLogLogger(e.cfg.Logger.Handler(), slog.LevelDebug),
	}
	e.dual = newDualListener(l, e.tlsConfig())
	go func() {
		defer close(e.served)
		if err := e.http.Serve(e.dual); !errors.Is(err, http.ErrServerClosed) {
			e.cfg.Logger.Error("the server stopped listening", "err", err)
		}
	}()
}

// URL returns where the server answers.
func (e *Engine) URL() string {
	host, port, _ := net.SplitHostPort(e.addr)
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// PublicURL returns where clients reach the server.
func (e *Engine) PublicURL() string {
	if e.cfg.PublicURL != "" {
		return e.cfg.PublicURL
	}
	return e.URL()
}

// Profile returns how to reach the server as the account's root.
func (e *Engine) Profile() client.Profile { return e.profile }

// CA returns the certificate of the local authority as PEM.
func (e *Engine) CA() []byte { return e.ca.PEM() }

// Messages returns what was sent, newest first.
func (e *Engine) Messages(ctx context.Context, to string, limit int) ([]admin.Message, error) {
	return e.admin.List(ctx, message.Filter{To: to}, limit)
}

// resetter returns how to empty the server; nil if it is not open.
func (e *Engine) resetter() func(context.Context) error {
	if !e.cfg.AuthOpen {
		return nil
	}
	return e.Reset
}

// Reset deletes everything in the account.
func (e *Engine) Reset(ctx context.Context) error {
	if !e.cfg.AuthOpen {
		return errors.New("only an open server can be reset")
	}
	if err := e.db.Reset(ctx); err != nil {
		return err
	}
	e.recorder.Reset()
	return e.credentials(ctx)
}

// Close ends the server. Requests under way have until ctx ends. Closing again does nothing.
func (e *Engine) Close(ctx context.Context) (err error) {
	e.closed.Do(func() {
		close(e.closing)
		e.proxy.Close(ctx)
		if err = e.http.Shutdown(ctx); err != nil {
			e.http.Close()
		}
		<-e.served
		err = errors.Join(err, e.closeState(ctx))
	})
	return err
}

// closeState closes what open opened, the last first.
func (e *Engine) closeState(ctx context.Context) error {
	var errs []error
	for i := len(e.closers) - 1; i >= 0; i-- {
		errs = append(errs, e.closers[i](ctx))
	}
	e.closers = nil
	if e.temp != "" {
		errs = append(errs, os.RemoveAll(e.temp))
	}
	return errors.Join(errs...)
}
