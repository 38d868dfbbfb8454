package restapis

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/domains"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Objects opens what was uploaded: BodyS3Location of AWS::ApiGateway::RestApi.
type Objects interface {
	OpenObject(ctx context.Context, bucket, key, versionID string) (io.ReadCloser, int64, error)
}

// Tester runs a method or an authorizer of an API's live configuration as a test: the data plane.
type Tester interface {
	TestMethod(ctx context.Context, snap *Snapshot, m *Method, in *v1.TestInvokeMethodRequest) (*v1.TestInvokeMethodResponse, error)
	TestAuthorizer(ctx context.Context, snap *Snapshot, z *Authorizer, in *v1.TestInvokeAuthorizerRequest) (*v1.TestInvokeAuthorizerResponse, error)
	// FlushAuthorizers forgets what the authorizers of a stage have decided.
	FlushAuthorizers(apiID, stage string)
}

// Options make a Service.
type Options struct {
	DB      *store.DB
	Seal    *seal.Key        // of API keys and of the private keys of certificates
	Account string           // 12 digits
	Objects Objects          // nil: BodyS3Location is refused
	Domains *domains.Service // nil: domains of its own
	// Assumable tells whether API Gateway may act as a role: it exists and trusts apigateway.amazonaws.com. Nil: not asked.
	Assumable func(ctx context.Context, roleARN string) (bool, error)
	// Ask asks the policies of the caller of ctx's call for what an OpenAPI document brings, by action and resource; passedTo is of
	// iam:PassRole the service that gets the role. What operations on single parts bring was asked before they came. Nil: not asked.
	Ask       func(ctx context.Context, action, resource, passedTo string) error
	PublicURL func() string    // of this server, without a slash at its end: "http://127.0.0.1:4566"
	Logger    *slog.Logger     // nil: discard
	Now       func() time.Time // nil: time.Now
}

// Service implements the operations of apigateway. It is safe for concurrent use.
type Service struct {
	v1.Unimplemented

	db        *store.DB
	box       *seal.Key
	account   string
	objects   Objects
	assumable func(ctx context.Context, roleARN string) (bool, error)
	ask       func(ctx context.Context, action, resource, passedTo string) error
	publicURL func() string
	log       *slog.Logger
	now       func() time.Time
	tester    Tester
	cache     snapshots
	domains   *domains.Service
	plans     planCache
}

var _ v1.Handler = (*Service)(nil)

// New makes a service of o.
func New(o Options) *Service {
	s := &Service{db: o.DB, box: o.Seal, account: o.Account, objects: o.Objects, assumable: o.Assumable, ask: o.Ask, publicURL: o.PublicURL, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.cache.apis, s.cache.compiling = map[string]*served{}, map[string]*sync.Mutex{}
	for _, kind := range []string{apis.Name, stages.Name} {
		s.db.OnChange(kind, s.cache.drop)
	}
	if s.domains = o.Domains; s.domains == nil {
		s.domains = domains.New(domains.Options{DB: o.DB, Seal: o.Seal, Account: o.Account, Logger: o.Logger, Now: o.Now})
	}
	s.domains.Serve(s)
	return s
}

// Join gives the service the data plane, for TestInvokeMethod and TestInvokeAuthorizer. It is called once,
// before requests come.
func (s *Service) Join(t Tester) { s.tester = t }

// Endpoint returns the URL of an API that any client can open: what follows it is treated as the path on
// the host ID.execute-api.REGION.amazonaws.com, and so begins with the stage.
func (s *Service) Endpoint(apiID string) string {
	return s.publicURL() + "/_aws/execute-api/" + apiID
}

// The documents. Parts of an API have its id as parent, and API/PART as id.
var (
	apis        = store.Kind[api]{Name: "restapis.api"}            // in a region
	resources   = store.Kind[v1.Resource]{Name: "restapis.node"}   // with methods and integrations; named PARENT/PART
	models      = store.Kind[v1.ModelType]{Name: "restapis.model"} // API/NAME
	validators  = store.Kind[v1.RequestValidator]{Name: "restapis.validator"}
	authorizers = store.Kind[v1.Authorizer]{Name: "restapis.authorizer"}    // named
	responses   = store.Kind[v1.GatewayResponse]{Name: "restapis.response"} // API/TYPE
	deployments = store.Kind[v1.Deployment]{Name: "restapis.deployment"}
	deployed    = store.Kind[config]{Name: "restapis.deployed"} // the configuration of a deployment
	stages      = store.Kind[v1.Stage]{Name: "restapis.stage"}  // API/NAME
	docParts    = store.Kind[v1.DocumentationPart]{Name: "restapis.docpart"}
	steps       = store.Kind[stepMark]{Name: "restapis.step"}         // see step.go
	docVersions = store.Kind[docVersion]{Name: "restapis.docversion"} // API/VERSION
)

// api is a REST API and what belongs to it as a whole.
type api struct {
	Region string
	v1.RestApi
}

// config is what a deployment keeps of an API: all that its live configuration says of the data plane.
type config struct {
	API         v1.RestApi
	Resources   []*v1.Resource
	Models      []*v1.ModelType
	Validators  []*v1.RequestValidator
	Authorizers []*v1.Authorizer
	Responses   []*v1.GatewayResponse
}

func partKey(apiID, id, name string) store.Key {
	return store.Key{ID: apiID + "/" + id, Parent: apiID, Name: name}
}

func region(ctx context.Context) string { return wire.CallFrom(ctx).Region }

// api returns an API of the caller's region.
func (s *Service) api(ctx context.Context, tx *store.Tx, id string) (*api, error) {
	a, err := apis.Get(tx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && a.Region != region(ctx) {
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

// view is update for reading.
func (s *Service) view(ctx context.Context, id string, f func(tx *store.Tx, a *api) error) error {
	return s.db.View(ctx, func(tx *store.Tx) error {
		a, err := s.api(ctx, tx, id)
		if err != nil {
			return err
		}
		return f(tx, a)
	})
}

// part reads one document of an API.
func part[T any](ctx context.Context, s *Service, k store.Kind[T], what, apiID, id string) (v *T, err error) {
	err = s.view(ctx, apiID, func(tx *store.Tx, _ *api) error {
		v, err = k.Get(tx, apiID+"/"+id)
		return missing(err, what)
	})
	return v, err
}

// change applies f to one document of an API and stores it. name gives the document's name; nil: none.
func change[T any](ctx context.Context, s *Service, k store.Kind[T], what, apiID, id string, name func(*T) string, f func(tx *store.Tx, v *T) error) (out *T, err error) {
	err = s.update(ctx, apiID, func(tx *store.Tx, _ *api) error {
		v, err := k.Get(tx, apiID+"/"+id)
		if err != nil {
			return missing(err, what)
		}
		if err := f(tx, v); err != nil {
			return err
		}
		out = v
		n := ""
		if name != nil {
			n = name(v)
		}
		return k.Put(tx, partKey(apiID, id, n), v)
	})
	return out, err
}

// remove deletes one document of an API.
func remove[T any](ctx context.Context, s *Service, k store.Kind[T], what, apiID, id string) error {
	return s.update(ctx, apiID, func(tx *store.Tx, _ *api) error {
		return missing(k.Delete(tx, apiID+"/"+id), what)
	})
}

const maxPage = 500

// limitOf checks a page's limit. AWS's default page holds 25 (some lists 100, 500); with no limit given
// this answers with everything, for careless clients take the first page for everything.
func limitOf(limit *int64) (int, error) {
	if limit == nil {
		return 0, nil
	}
	if *limit < 1 || *limit > maxPage {
		return 0, bad("Invalid limit value. Must be a value between 1 and %d", maxPage)
	}
	return int(*limit), nil
}

// pageOf reads a page of documents; a position is the id that it goes on after.
func pageOf[T any](tx *store.Tx, k store.Kind[T], parent string, position *string, limit *int64) (list []T, next *string, err error) {
	n, err := limitOf(limit)
	if err != nil {
		return nil, nil, err
	}
	found, after, err := k.List(tx, parent, shape.Val(position), n)
	list = make([]T, len(found))
	for i, v := range found {
		list[i] = *v
	}
	return list, opt(after), err
}

// partsOf reads a page of an API's documents.
func partsOf[T any](ctx context.Context, s *Service, k store.Kind[T], apiID string, position *string, limit *int64) (list []T, next *string, err error) {
	err = s.view(ctx, apiID, func(tx *store.Tx, _ *api) error {
		list, next, err = pageOf(tx, k, apiID, position, limit)
		return err
	})
	return list, next, err
}

// every returns all documents of a parent.
func every[T any](tx *store.Tx, k store.Kind[T], parent string) ([]*T, error) {
	list, _, err := k.List(tx, parent, "", 0)
	return list, err
}

// opt returns nil for "".
func opt(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// or returns a given value, else the default.
func or[T any](v *T, otherwise T) *T {
	if v != nil {
		return v
	}
	return &otherwise
}

// shortID makes the ids of resources, authorizers and the like: six characters.
func shortID() string { return ident.AuthorizerID() }

// longID makes the ids of API keys and usage plans: ten characters.
func longID() string { return ident.APIID() }
