// Package parameters answers SSM's Parameter Store: strings, lists of strings and sealed strings under
// names that form paths.
//
// A parameter is a document that holds its newest version; the older ones, up to a hundred, are
// documents of their own. Values of type SecureString are sealed with the server's key, which is not in
// the store; what stands on AWS as KMS ciphertext is that sealed form here.
//
// Labels, policies (expiration, notification), keys of KMS and the rest of SSM are refused by name.
package parameters

import (
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Options are what a [Service] needs.
type Options struct {
	DB      *store.DB
	Seal    *seal.Key // nil: no SecureString
	Account string    // 12 digits
	Logger  *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Service implements the part of the SSM API that is the Parameter Store.
type Service struct {
	ssm.Unimplemented
	Options
}

var _ ssm.Handler = (*Service)(nil)

// New returns a service.
func New(o Options) *Service {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Service{Options: o}
}

// version is one version of a parameter.
type version struct {
	Number      int64
	Type, Value string // the value of a SecureString is sealed, in base64
	Modified    int64  // epoch milliseconds
	User        string // ARN of who wrote it
	Description string `json:",omitempty"`
	Pattern     string `json:",omitempty"`
	Tier        string
}

// parameter is a parameter with its newest version.
type parameter struct {
	Region, Name string
	version
	Tags  map[string]string `json:",omitempty"`
	Token string            `json:",omitempty"` // of the step of a stack that made it
}

var (
	parameters = store.Kind[parameter]{Name: "parameters.parameter"}
	history    = store.Kind[version]{Name: "parameters.version"}
)

func id(region, name string) string { return region + ":" + name }

// Value returns the newest value of a parameter, or of the version that the name names after a colon.
// The value of a SecureString is not given away. Errors are SSM's: ParameterNotFound.
func (s *Service) Value(ctx context.Context, name string) (string, error) {
	out, err := s.GetParameter(ctx, &ssm.GetParameterRequest{Name: name})
	if err != nil {
		return "", err
	}
	if *out.Parameter.Type == ssm.ParameterTypeSecureString {
		return "", ssm.UnsupportedParameterType("The parameter %s is a SecureString.", name)
	}
	return *out.Parameter.Value, nil
}

// sealed and open turn the value of a SecureString into what is stored, and back.
func (s *Service) sealed(region, name, value string) (string, error) {
	if s.Seal == nil {
		return "", ssm.UnsupportedParameterType("This server has no key for parameters of type SecureString.")
	}
	return base64.StdEncoding.EncodeToString(s.Seal.Seal([]byte(value), "ssm:"+id(region, name))), nil
}

func (s *Service) open(region, name, value string) (string, error) {
	raw, err := base64.StdEncoding.DecodeString(value)
	if err != nil || s.Seal == nil {
		return "", errors.Join(err, errors.New("parameters: a SecureString cannot be opened without the server's key"))
	}
	plain, err := s.Seal.Open(raw, "ssm:"+id(region, name))
	return string(plain), err
}

func (s *Service) arn(region, name string) string {
	if name[0] != '/' {
		name = "/" + name
	}
	return "arn:aws:ssm:" + region + ":" + s.Account + ":parameter" + name
}

func region(ctx context.Context) string { return wire.CallFrom(ctx).Region }
