package httpapis

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"strconv"
	"time"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Objects opens what was uploaded: BodyS3Location of AWS::ApiGatewayV2::Api.
type Objects interface {
	OpenObject(ctx context.Context, bucket, key, versionID string) (io.ReadCloser, int64, error)
}

// Options make a Service.
type Options struct {
	DB      *store.DB
	Account string           // 12 digits
	Domains *domains.Service // nil: domains of its own
	Objects Objects          // nil: BodyS3Location is refused
	// Ask asks the policies of the caller of ctx's call for what an OpenAPI document brings, by action and resource; passedTo is of
	// iam:PassRole the service that gets the role. What other operations bring was asked before they came. Nil: not asked.
	Ask       func(ctx context.Context, action, resource, passedTo string) error
	PublicURL func() string    // of this server, without a slash at its end: "http://127.0.0.1:4566"
	Logger    *slog.Logger     // nil: discard
	Now       func() time.Time // nil: time.Now
}

// Service implements the operations of apigatewayv2 that HTTP APIs need. It is safe for concurrent use.
type Service struct {
	v2.Unimplemented

	db        *store.DB
	account   string
	publicURL func() string
	log       *slog.Logger
	now       func() time.Time
	cache     snapshots
	domains   *domains.Service
	objects   Objects
	ask       func(ctx context.Context, action, resource, passedTo string) error
}

var _ v2.Handler = (*Service)(nil)

// New makes a service of o.
func New(o Options) *Service {
	s := &Service{db: o.DB, account: o.Account, objects: o.Objects, ask: o.Ask, publicURL: o.PublicURL, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.cache.apis = map[string]*served{}
	for _, kind := range []string{apis.Name, routes.Name, integrations.Name, authorizers.Name, stages.Name, resets.Name} {
		s.db.OnChange(kind, s.cache.drop)
	}
	if s.domains = o.Domains; s.domains == nil {
		s.domains = domains.New(domains.Options{DB: o.DB, Account: o.Account, Logger: o.Logger, Now: o.Now})
	}
	s.domains.Serve(s)
	return s
}

// Endpoint returns the URL of an API that any client can open: what follows it is treated as the path on
// the host ID.execute-api.REGION.amazonaws.com.
func (s *Service) Endpoint(apiID string) string {
	return s.publicURL() + "/_aws/execute-api/" + apiID
}

// The documents, all but the first with the id of their API as parent.
var (
	apis         = store.Kind[api]{Name: "httpapis.api"}
	routes       = store.Kind[route]{Name: "httpapis.route"} // named by route key
	integrations = store.Kind[integration]{Name: "httpapis.integration"}
	authorizers  = store.Kind[authorizer]{Name: "httpapis.authorizer"}
	stages       = store.Kind[stage]{Name: "httpapis.stage"}
	deployments  = store.Kind[deployment]{Name: "httpapis.deployment"}
	deployed     = store.Kind[config]{Name: "httpapis.deployed"} // the configuration of a deployment
)

type (
	api struct {
		Region string
		v2.GetApiResponse
	}
	route       = v2.GetRouteResult
	integration = v2.GetIntegrationResult
	authorizer  = v2.GetAuthorizerResponse
	stage       = v2.GetStageResponse
	deployment  = v2.Deployment
)

// config is what a deployment keeps of an API.
type config struct {
	CORS         *v2.Cors `json:",omitzero"`
	Routes       []*route
	Integrations []*integration
	Authorizers  []*authorizer
}

func partKey(apiID, id, name string) store.Key {
	return store.Key{ID: apiID + "/" + id, Parent: apiID, Name: name}
}

// api returns an API of the caller's region.
func (s *Service) api(ctx context.Context, tx *store.Tx, id string) (*api, error) {
	a, err := apis.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.Region != wire.CallFrom(ctx).Region {
		return nil, s.noAPI(id)
	}
	return a, err
}

// update runs f in a transaction if the caller's region has the API.
func (s *Service) update(ctx context.Context, id string, f func(tx *store.Tx, a *api) error) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		a, err := s.api(ctx, tx, id)
		if err != nil {
			return err
		}
		return f(tx, a)
	})
}

// part reads one document of an API.
func part[T any](ctx context.Context, s *Service, k store.Kind[T], kind, apiID, id string) (v *T, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if _, err := s.api(ctx, tx, apiID); err != nil {
			return err
		}
		v, err = k.Get(tx, apiID+"/"+id)
		return missing(err, kind)
	})
	return v, err
}

// page reads a page of documents. Tokens are ids; AWS's default page holds 25, but with no limit given it
// is safer to answer with everything than with what a careless client takes for everything.
func page[T any](ctx context.Context, s *Service, k store.Kind[T], parent string, max, token *string) (list []*T, next *string, err error) {
	limit := 0
	if max != nil {
		if limit, err = strconv.Atoi(*max); err != nil || limit < 1 {
			return nil, nil, bad("Invalid value for maxResults: %s", *max)
		}
	}
	err = s.db.View(ctx, func(tx *store.Tx) error {
		if k.Name != apis.Name {
			if _, err := s.api(ctx, tx, parent); err != nil {
				return err
			}
		}
		var n string
		list, n, err = k.List(tx, parent, shape.Val(token), limit)
		next = opt(n)
		return err
	})
	return list, next, err
}

// opt returns nil for "".
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// set puts a given value in place of the one that was.
func set[T any](to **T, from *T) {
	if from != nil {
		*to = from
	}
}

// merge applies an update of a map as AWS does: an empty value removes the key.
func merge(to *map[string]string, from map[string]string) {
	if from == nil {
		return
	}
	out := maps.Clone(*to)
	if out == nil {
		out = map[string]string{}
	}
	for k, v := range from {
		if v == "" {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	*to = out
}
