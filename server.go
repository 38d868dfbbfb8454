package gatehouse

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/client"
	"github.com/gatehouse-dev/gatehouse/internal/engine"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
)

// Version is the release of this module.
const Version = engine.Version

// DefaultAddr is where a server listens unless told otherwise.
const DefaultAddr = engine.DefaultAddr

// Server is a Gatehouse server. Set its fields, then [Server.Start] it; the zero value keeps its data in
// ./.gatehouse and listens on [DefaultAddr].
type Server struct {
	// Dir is the data directory: database, seal key, local certificate authority, code of functions.
	// Empty: ".gatehouse". An ephemeral server leaves it alone.
	Dir string
	// Addr is HOST:PORT, or a port of 127.0.0.1; port 0 takes a free one. Empty: [DefaultAddr].
	Addr string
	// Database is a postgres:// URL. Empty: SQLite in Dir.
	Database string
	// Ephemeral keeps everything in memory.
	Ephemeral bool
	// Account is the account's id, 12 digits. Empty: 000000000000.
	Account string
	// Region is that of calls which name none. Empty: us-east-1.
	Region string
	// AuthOpen takes any access key as the account's root, without looking at signatures, and allows
	// [Server.Reset]. It is refused for an address that is not a loopback one.
	AuthOpen bool
	// Issuer is the base URL of the tokens' issuer, before "/POOL". Empty: AWS's own,
	// https://cognito-idp.REGION.amazonaws.com.
	Issuer string
	// PublicURL is the URL under which clients reach the server. Empty: the address that it listens on.
	PublicURL string
	// Certificates is a directory with certificates of custom domains of APIs: NAME.crt and NAME.key, or NAME.pem with
	// both, are arn:aws:acm:REGION:ACCOUNT:certificate/NAME. Empty: the local certificate authority vouches for them.
	Certificates string
	// SMTP is smtp://USER:PASSWORD@HOST:PORT to send mail through. Empty: mail is only kept.
	SMTP string
	// MailFrom is the sender of mail where a pool names none.
	MailFrom string
	// SealKey seals secrets in the database: 32 bytes in base64. Empty: the key in Dir, which is made on
	// first run. Servers that share a database must share the key.
	SealKey string
	// Logger takes the server's log. Nil: nothing is logged.
	Logger *slog.Logger
	// Now is the clock. Nil: time.Now.
	Now func() time.Time

	engine *engine.Engine
}

// Start opens the state and begins to serve. It returns once the server answers, or with the reason
// why it does not.
func (s *Server) Start(ctx context.Context) error {
	if s.engine != nil {
		return errors.New("gatehouse: the server was started already")
	}
	var key *seal.Key
	if s.SealKey != "" {
		var err error
		if key, err = seal.Parse(s.SealKey); err != nil {
			return fmt.Errorf("the key that seals secrets (SealKey, GATEHOUSE_SEAL_KEY): %w", err)
		}
	}
	e, err := engine.Start(ctx, engine.Config{
		Dir: s.Dir, Addr: s.Addr, Database: s.Database, Ephemeral: s.Ephemeral, Account: s.Account, Region: s.Region,
		AuthOpen: s.AuthOpen, Issuer: s.Issuer, PublicURL: s.PublicURL, Certificates: s.Certificates, SMTP: s.SMTP, MailFrom: s.MailFrom,
		SealKey: key, Logger: s.Logger, Now: s.Now,
	})
	if err != nil {
		return err
	}
	s.engine = e
	return nil
}

// URL returns where the server answers: "http://127.0.0.1:4566".
func (s *Server) URL() string { return s.engine.URL() }

// Credentials returns the access key of the account's root.
func (s *Server) Credentials() (accessKeyID, secretAccessKey string) {
	p := s.engine.Profile()
	return p.AccessKey, p.Secret.Reveal()
}

// Profile returns how to reach the server, for the commands of this module.
func (s *Server) Profile() client.Profile { return s.engine.Profile() }

// CertificateAuthority returns the certificate, as PEM, that clients must trust to use TLS here.
func (s *Server) CertificateAuthority() []byte { return s.engine.CA() }

// Message is a mail or an SMS that a user pool sent.
type Message struct {
	Time              time.Time
	Channel           string // "email" or "sms"
	To, Subject, Body string
}

// Messages returns what was sent, newest first, at most limit of them; to, if not empty, is the
// receiver's address or number.
func (s *Server) Messages(ctx context.Context, to string, limit int) ([]Message, error) {
	list, err := s.engine.Messages(ctx, to, limit)
	if err != nil {
		return nil, err
	}
	out := make([]Message, len(list))
	for i, m := range list {
		out[i] = Message{Time: m.Time, Channel: m.Channel, To: m.To, Subject: m.Subject, Body: m.Body}
	}
	return out, nil
}

// Reset deletes everything in the account. The server must be open.
func (s *Server) Reset(ctx context.Context) error { return s.engine.Reset(ctx) }

// Close ends the server: it takes no more requests, lets those under way end until ctx does, stops the
// functions and closes the state.
func (s *Server) Close(ctx context.Context) error {
	if s.engine == nil {
		return nil
	}
	return s.engine.Close(ctx)
}

// TB is the part of testing.TB that [Test] uses.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// Test starts a server for a test, which ends with it: in memory, on a free port, open to any access
// key.
func Test(t TB) *Server {
	t.Helper()
	s := &Server{Addr: "127.0.0.1:0", Ephemeral: true, AuthOpen: true}
	if err := s.Start(context.Background()); err != nil {
		t.Fatalf("gatehouse: %v", err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		s.Close(ctx)
	})
	return s
}
