package httpapis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// ErrNoAPI is returned for an API that does not exist, ErrNoStage for a stage.
var (
	ErrNoAPI   = errors.New("httpapis: no such API")
	ErrNoStage = errors.New("httpapis: no such stage")
)

// Snapshot is what a stage serves, compiled. It is shared between requests and never changes.
type Snapshot struct {
	APIID, Region, Account, Stage string

	Disabled   bool     // the execute-api endpoint is switched off
	Deployed   bool     // the stage serves a deployment or the live configuration; otherwise it has no routes
	CORS       *v2.Cors // nil: not configured
	Variables  map[string]string
	AccessLog  *AccessLog // nil: none
	Generation string     // of results of authorizers: those of another one do not count
	Routes     []*Route   // Routes[i].Index == i
	root       node
	fallback   *Route // $default
	memo       any
	memoFilled sync.Once
}

// AccessLog says where the stage's access log goes, and in what format.
type AccessLog struct{ LogGroup, Format string }

// Route is one route of a snapshot.
type Route struct {
	Index       int
	ID, Key     string
	Method      string // "GET", "ANY"; "" for $default
	Path        string // "/pets/{id}"; "$default" for $default
	Scopes      []string
	IAM         bool         // the request must be signed, and policies must allow it
	Authorizer  *Authorizer  // nil, and not IAM: open to everybody
	Integration *Integration // nil: the route has no target
	Throttle    *Throttle    // nil: not limited

	segments  []string
	variables bool
}

// Authorizer is an authorizer of a route: JWT, or REQUEST, which asks a function.
type Authorizer struct {
	ID, Name        string
	IdentitySources []IdentitySource

	Issuer   string // of JWT, as Audience
	Audience []string

	FunctionARN string // of REQUEST, as what follows
	Credentials string // ARN of the role that invokes the function; "": its resource policy decides
	Version     string // of the payload format: "1.0", "2.0"
	Simple      bool   // the function says isAuthorized; otherwise it returns a policy
	TTL         time.Duration
	Fault       string // why the function cannot be called, if so: a stage variable is missing
}

// IdentitySource is a place in a request where what says who the caller is may be: one of them.
type IdentitySource struct {
	Header, Query string
	Context       string // a context variable, of REQUEST only
	Variable      string // a stage variable, of REQUEST only
}

// Integration is what a route leads to.
type Integration struct {
	ID          string
	FunctionARN string // of an AWS_PROXY integration
	URI, Method string // of an HTTP_PROXY integration; Method "ANY" is the request's own
	Version     string // of the payload format: "1.0", "2.0"
	Timeout     time.Duration
	Credentials string // ARN of the role that invokes the function, or CallerCredentials; "": its resource policy decides
	Fault       string // why it cannot be called, if so: a stage variable is missing

	Request  []Mapping            // of the request's parameters
	Response map[string][]Mapping // of the answer's, by its status
}

// Throttle bounds the requests to a route: Rate a second, after Burst at once.
type Throttle struct {
	Rate  float64
	Burst int
}

// Memo returns what build made of the snapshot, once, on the first call. The data plane keeps its
// compiled routes here, so that they live as long as the snapshot.
func (s *Snapshot) Memo(build func(*Snapshot) any) any {
	s.memoFilled.Do(func() { s.memo = build(s) })
	return s.memo
}

// snapshots caches what is served, by API.
type snapshots struct {
	mu      sync.RWMutex
	apis    map[string]*served
	changes uint64 // of any API, so that nothing that was read before a change is kept after it
}

type served struct {
	stages map[string]bool
	snaps  map[string]*Snapshot
}

// drop forgets the API of a document that has changed, all if id is "".
func (c *snapshots) drop(id string) {
	apiID, _, _ := strings.Cut(id, "/")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.changes++
	if apiID == "" {
		clear(c.apis)
	}
	delete(c.apis, apiID)
}

// HasStage tells whether the API has a stage of that name. The error is ErrNoAPI if there is no such API.
func (s *Service) HasStage(ctx context.Context, apiID, name string) (bool, error) {
	a, err := s.served(ctx, apiID)
	if err != nil {
		return false, err
	}
	return a.stages[name], nil
}

// Stages returns the names of an API's stages. The error is ErrNoAPI if there is no such API.
func (s *Service) Stages(ctx context.Context, apiID string) ([]string, error) {
	a, err := s.served(ctx, apiID)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(a.stages)), nil
}

// Snapshot returns what a stage serves now.
func (s *Service) Snapshot(ctx context.Context, apiID, stage string) (*Snapshot, error) {
	a, err := s.served(ctx, apiID)
	if err != nil {
		return nil, err
	}
	snap := a.snaps[stage]
	if snap == nil {
		return nil, ErrNoStage
	}
	return snap, nil
}

// served returns the compiled stages of an API, from memory if they are there.
func (s *Service) served(ctx context.Context, apiID string) (*served, error) {
	s.cache.mu.RLock()
	a, changes := s.cache.apis[apiID], s.cache.changes
	s.cache.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	a, err := s.compile(ctx, apiID)
	if err != nil {
		return nil, err
	}
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if s.cache.changes != changes {
		return a, nil
	}
	if first := s.cache.apis[apiID]; first != nil { // others were compiling, too: one snapshot for all, for limits are counted in it
		return first, nil
	}
	s.cache.apis[apiID] = a
	return a, nil
}

// compile reads an API and compiles all of its stages.
func (s *Service) compile(ctx context.Context, apiID string) (*served, error) {
	// Requests for what is not there must not cost a query each.
	if _, err := apis.Cached(ctx, s.db, apiID); errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoAPI
	}
	out := &served{stages: map[string]bool{}, snaps: map[string]*Snapshot{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		a, err := apis.Get(tx, apiID)
		if err != nil {
			if errors.Is(err, store.ErrNotFound) {
				return ErrNoAPI
			}
			return err
		}
		all, _, err := stages.List(tx, apiID, "", 0)
		if err != nil {
			return err
		}
		configs := map[string]*config{} // by deployment, "" is live
		for _, st := range all {
			snap := &Snapshot{APIID: apiID, Region: a.Region, Account: s.account, Stage: *st.StageName,
				Disabled: shape.Val(a.DisableExecuteApiEndpoint), Variables: st.StageVariables}
			out.stages[*st.StageName] = true
			out.snaps[*st.StageName] = snap
			if l := st.AccessLogSettings; l != nil {
				_, group, _ := strings.Cut(*l.DestinationArn, ":log-group:")
				snap.AccessLog = &AccessLog{LogGroup: strings.TrimSuffix(group, ":*"), Format: *l.Format}
			}
			if snap.Generation, err = generation(tx, apiID, *st.StageName); err != nil {
				return err
			}
			id := shape.Val(st.DeploymentId)
			if !shape.Val(st.AutoDeploy) && id == "" {
				continue
			}
			if configs[id] == nil {
				if id == "" {
					configs[id], err = live(tx, a)
				} else {
					configs[id], err = deployed.Get(tx, apiID+"/"+id)
				}
				if err != nil {
					return err
				}
			}
			snap.Deployed = true
			snap.fill(configs[id], st)
		}
		return nil
	})
	return out, err
}

// fill compiles a configuration.
func (s *Snapshot) fill(c *config, st *stage) {
	s.CORS = c.CORS
	auth := map[string]*Authorizer{}
	for _, z := range c.Authorizers {
		auth[*z.AuthorizerId] = compileAuthorizer(z, s.Variables)
	}
	targets := map[string]*Integration{}
	for _, i := range c.Integrations {
		targets["integrations/"+*i.IntegrationId] = compileIntegration(i, s.Variables)
	}
	sorted := slices.Clone(c.Routes)
	slices.SortFunc(sorted, func(a, b *route) int { return strings.Compare(*a.RouteKey, *b.RouteKey) })
	for _, r := range sorted {
		method, segments, err := parseRouteKey(*r.RouteKey)
		if err != nil {
			continue // unreachable: checked before it was stored
		}
		out := &Route{Index: len(s.Routes), ID: *r.RouteId, Key: *r.RouteKey, Method: method, Path: defaultName, Scopes: r.AuthorizationScopes,
			Integration: targets[shape.Val(r.Target)], segments: segments, Throttle: throttle(st, *r.RouteKey)}
		switch shape.Val(r.AuthorizationType) {
		case v2.AuthorizationTypeNone:
		case v2.AuthorizationTypeAwsIam:
			out.IAM = true
		default:
			if out.Authorizer = auth[shape.Val(r.AuthorizerId)]; out.Authorizer == nil {
				out.Authorizer = &Authorizer{} // lets nobody in
			}
		}
		s.Routes = append(s.Routes, out)
		if method == "" {
			s.fallback = out
			continue
		}
		out.Path = "/" + strings.Join(segments, "/")
		out.variables = strings.Contains(out.Path, "{")
		s.root.add(out)
	}
}

func compileAuthorizer(z *authorizer, variables map[string]string) *Authorizer {
	out := &Authorizer{ID: *z.AuthorizerId, Name: *z.Name}
	for _, s := range z.IdentitySource {
		m := requestSource.FindStringSubmatch(s)
		var src IdentitySource
		switch m[1] {
		case "request.header":
			src.Header = m[2]
		case "request.querystring":
			src.Query = m[2]
		case "context":
			src.Context = m[2]
		default:
			src.Variable = m[2]
		}
		out.IdentitySources = append(out.IdentitySources, src)
	}
	if c := z.JwtConfiguration; c != nil {
		out.Issuer, out.Audience = *c.Issuer, c.Audience
		return out
	}
	out.Credentials, out.Version, out.Simple = shape.Val(z.AuthorizerCredentialsArn), *z.AuthorizerPayloadFormatVersion, *z.EnableSimpleResponses
	out.TTL = time.Duration(*z.AuthorizerResultTtlInSeconds) * time.Second
	uri, fault := expand(*z.AuthorizerUri, variables)
	if fault != "" {
		out.Fault = "the URI " + fault
	} else {
		var ok bool
		if out.FunctionARN, ok = functionARN(uri); !ok {
			out.Fault = "the authorizer's URI, with its stage variables, does not name a function: " + uri
		}
	}
	return out
}

func compileIntegration(i *integration, variables map[string]string) *Integration {
	out := &Integration{ID: *i.IntegrationId, Method: *i.IntegrationMethod, Version: *i.PayloadFormatVersion,
		Timeout: time.Duration(*i.TimeoutInMillis) * time.Millisecond, Credentials: shape.Val(i.CredentialsArn)}
	out.Request, _ = parseMappings("request", i.RequestParameters, variables) // checked before they were stored
	for status, params := range i.ResponseParameters {
		if out.Response == nil {
			out.Response = map[string][]Mapping{}
		}
		out.Response[status], _ = parseMappings("response", params, variables)
	}
	uri, fault := expand(shape.Val(i.IntegrationUri), variables)
	if fault != "" {
		out.Fault = "the URI " + fault
		return out
	}
	if strings.Contains(out.Credentials, stageVariable) {
		if out.Credentials, fault = expand(out.Credentials, variables); fault != "" {
			out.Fault = "the ARN of the credentials " + fault
			return out
		}
		if !isRole(out.Credentials) {
			out.Fault = "the integration's credentials, with their stage variables, are not the ARN of a role: " + out.Credentials
			return out
		}
	}
	if *i.IntegrationType == v2.IntegrationTypeAwsProxy {
		var ok bool
		if out.FunctionARN, ok = functionARN(uri); !ok {
			out.Fault = "the integration's URI, with its stage variables, is not the ARN of a function: " + uri
		}
		return out
	}
	out.URI = uri
	if _, err := endpoint(uri); err != nil {
		out.Fault = "the integration's URI, with its stage variables, is not an HTTP endpoint: " + uri
	}
	return out
}

// expand puts in the values of ${stageVariables.NAME}.
func expand(uri string, variables map[string]string) (expanded, fault string) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(uri, stageVariable)
		b.WriteString(before)
		if !found {
			return b.String(), ""
		}
		name, rest, closed := strings.Cut(after, "}")
		value, ok := variables[name]
		if !closed || !ok {
			return "", "names a stage variable that the stage does not have: " + name
		}
		b.WriteString(value)
		uri = rest
	}
}

// throttle returns the limits of a route: its own settings, else the stage's. A limit that is not given is
// AWS's default for an account.
func throttle(st *stage, key string) *Throttle {
	var r v2.RouteSettings
	if st.DefaultRouteSettings != nil {
		r = *st.DefaultRouteSettings
	}
	if own, ok := st.RouteSettings[key]; ok {
		mergeSettings(&r, &own)
	}
	if r.ThrottlingBurstLimit == nil && r.ThrottlingRateLimit == nil {
		return nil
	}
	t := &Throttle{Rate: 10000, Burst: 5000}
	if r.ThrottlingRateLimit != nil {
		t.Rate = *r.ThrottlingRateLimit
	}
	if r.ThrottlingBurstLimit != nil {
		t.Burst = int(*r.ThrottlingBurstLimit)
	}
	return t
}
