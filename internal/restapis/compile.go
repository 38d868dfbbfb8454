package restapis

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/openapi/schema"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// compile reads an API and compiles all of its stages.
func (s *Service) compile(ctx context.Context, apiID string) (*served, error) {
	out := &served{snaps: map[string]*Snapshot{}}
	err := s.db.View(ctx, func(tx *store.Tx) error {
		a, err := apis.Get(tx, apiID)
		if errors.Is(err, store.ErrNotFound) {
			return ErrNoAPI
		} else if err != nil {
			return err
		}
		all, err := every(tx, stages, apiID)
		if err != nil {
			return err
		}
		configs := map[string]*config{} // by deployment
		get := func(id string) (*config, error) {
			if configs[id] == nil {
				if configs[id], err = deployed.Get(tx, apiID+"/"+id); err != nil {
					return nil, fmt.Errorf("deployment %s of API %s: %w", id, apiID, err)
				}
			}
			return configs[id], nil
		}
		for _, st := range all {
			c, err := get(shape.Val(st.DeploymentId))
			if err != nil {
				return err
			}
			snap := s.snapshot(a, c, st, st.Variables)
			if err := s.clientCertificate(tx, snap, st); err != nil {
				return err
			}
			if k := st.CanarySettings; k != nil && k.DeploymentId != nil {
				if c, err = get(*k.DeploymentId); err != nil {
					return err
				}
				vars := maps.Clone(st.Variables)
				if vars == nil {
					vars = map[string]string{}
				}
				maps.Copy(vars, k.StageVariableOverrides)
				sub := s.snapshot(a, c, st, vars)
				sub.DeploymentID, sub.IsCanary, sub.Certificate = *k.DeploymentId, true, snap.Certificate
				snap.Canary = &Canary{Percent: shape.Val(k.PercentTraffic), Snapshot: sub}
			}
			out.snaps[*st.StageName] = snap
		}
		return nil
	})
	return out, err
}

// live reads the configuration that an API has now.
func live(tx *store.Tx, a *api) (*config, error) {
	c := &config{API: a.RestApi}
	var e [5]error
	c.Resources, e[0] = every(tx, resources, *a.Id)
	c.Models, e[1] = every(tx, models, *a.Id)
	c.Validators, e[2] = every(tx, validators, *a.Id)
	c.Authorizers, e[3] = every(tx, authorizers, *a.Id)
	c.Responses, e[4] = every(tx, responses, *a.Id)
	return c, errors.Join(e[:]...)
}

// testStage is the stage that TestInvokeMethod runs in.
const testStage = "test-invoke-stage"

// Live compiles what an API is now, as the stage test-invoke-stage: for tests of methods and authorizers.
func (s *Service) live(tx *store.Tx, a *api, variables map[string]string) (*Snapshot, error) {
	c, err := live(tx, a)
	if err != nil {
		return nil, err
	}
	return s.snapshot(a, c, &v1.Stage{StageName: shape.Ptr(testStage)}, variables), nil
}

// snapshot compiles a configuration for a stage.
func (s *Service) snapshot(a *api, c *config, st *v1.Stage, variables map[string]string) *Snapshot {
	out := &Snapshot{APIID: *a.Id, APIName: shape.Val(a.Name), Region: a.Region, Account: s.account, Stage: *st.StageName, DeploymentID: shape.Val(st.DeploymentId),
		Disabled: shape.Val(c.API.DisableExecuteApiEndpoint), Variables: variables, MinCompression: -1, KeySource: v1.ApiKeySourceTypeHeader,
		Tracing: shape.Val(st.TracingEnabled), byID: map[string]*Resource{}, authById: map[string]*Authorizer{}}
	if e := c.API.EndpointConfiguration; e != nil && len(e.Types) > 0 {
		out.Endpoint = e.Types[0]
	}
	if c.API.MinimumCompressionSize != nil {
		out.MinCompression = *c.API.MinimumCompressionSize
	}
	if c.API.ApiKeySource != nil {
		out.KeySource = *c.API.ApiKeySource
	}
	if p := shape.Val(c.API.Policy); p != "" {
		// It was checked when it was set; if it should not compile all the same, it lets nobody in.
		var err error
		if out.Policy, err = policy.Compile(policy.Resource, "resource policy of API "+*a.Id, expandPolicy(p, a, s.account)); err != nil {
			out.Policy, _ = policy.Compile(policy.Resource, "unreadable resource policy", denyAll)
		}
	}
	if l := st.AccessLogSettings; l != nil && l.DestinationArn != nil {
		out.AccessLog = &AccessLog{Destination: *l.DestinationArn, Format: shape.Val(l.Format)}
	}
	for _, b := range c.API.BinaryMediaTypes {
		out.binary = append(out.binary, strings.ToLower(b))
	}
	out.responses = compileResponses(c.Responses)

	k := compiler{snap: out, variables: variables, settings: settingsOf(st), models: map[string]*Model{}, validators: map[string]*v1.RequestValidator{}}
	k.compileModels(c.Models)
	for _, v := range c.Validators {
		k.validators[*v.Id] = v
	}
	for _, z := range c.Authorizers {
		out.authById[*z.Id] = k.authorizer(z)
	}
	sorted := slices.Clone(c.Resources)
	slices.SortFunc(sorted, func(a, b *v1.Resource) int { return strings.Compare(*a.Path, *b.Path) })
	for _, r := range sorted {
		k.resource(r)
	}
	return out
}

const denyAll = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`

// expandPolicy completes the short form of resources, execute-api:/STAGE/METHOD/PATH, which AWS takes in the
// policy of an API.
func expandPolicy(text string, a *api, account string) string {
	return strings.ReplaceAll(text, `"execute-api:/`, `"arn:aws:execute-api:`+a.Region+":"+account+":"+*a.Id+"/")
}

type compiler struct {
	snap       *Snapshot
	variables  map[string]string
	settings   settings
	models     map[string]*Model
	validators map[string]*v1.RequestValidator
}

func (k *compiler) compileModels(list []*v1.ModelType) {
	set := schema.NewSet()
	for _, m := range list {
		if shape.Val(m.Schema) != "" {
			set.Add(*m.Name, []byte(*m.Schema))
		}
	}
	for _, m := range list {
		out := &Model{Name: *m.Name, ContentType: shape.Val(m.ContentType)}
		if shape.Val(m.Schema) != "" && strings.Contains(out.ContentType, "json") {
			out.Schema, _ = set.Compile(*m.Name) // checked when it was stored
		}
		k.models[*m.Name] = out
	}
}

func (k *compiler) authorizer(z *v1.Authorizer) *Authorizer {
	out := &Authorizer{ID: *z.Id, Name: shape.Val(z.Name), Type: shape.Val(z.Type), Providers: z.ProviderARNs, Credentials: shape.Val(z.AuthorizerCredentials),
		TTL: time.Duration(shape.Val(z.AuthorizerResultTtlInSeconds)) * time.Second, Sources: parseSources(shape.Val(z.IdentitySource))}
	if x := shape.Val(z.IdentityValidationExpression); x != "" {
		out.Validation, _ = regexp.Compile(`^(?:` + x + `)$`) // checked when it was stored
	}
	if out.Type == v1.AuthorizerTypeCognitoUserPools {
		return out
	}
	uri, fault := expand(shape.Val(z.AuthorizerUri), k.variables)
	var ok bool
	if out.FunctionARN, ok = functionARN(uri); fault == "" && !ok {
		fault = "the authorizer's URI, with its stage variables, is not that of a function: " + uri
	}
	out.Fault = fault
	return out
}

func (k *compiler) resource(r *v1.Resource) {
	if len(r.ResourceMethods) == 0 {
		return
	}
	out := &Resource{ID: *r.Id, ParentID: shape.Val(r.ParentId), Path: *r.Path, Methods: map[string]*Method{}}
	if *r.Path != "/" {
		out.Segments = strings.Split((*r.Path)[1:], "/")
	}
	for _, name := range slices.Sorted(maps.Keys(r.ResourceMethods)) {
		src := r.ResourceMethods[name]
		m := k.method(out, name, &src)
		m.Index = len(k.snap.Methods)
		k.snap.Methods = append(k.snap.Methods, m)
		out.Methods[name] = m
		if name == "ANY" {
			out.any = m
		}
	}
	k.snap.Resources = append(k.snap.Resources, out)
	k.snap.byID[out.ID] = out
	k.snap.root.add(out)
}

func (k *compiler) method(r *Resource, name string, src *v1.Method) *Method {
	m := &Method{Resource: r, HTTP: name, Operation: shape.Val(src.OperationName), AuthorizationType: shape.Val(src.AuthorizationType),
		Scopes: src.AuthorizationScopes, KeyRequired: shape.Val(src.ApiKeyRequired), Models: map[string]*Model{}, Responses: map[string]*MethodResponse{},
		Settings: k.settings.of(r.Path, name)}
	if src.AuthorizerId != nil {
		m.Authorizer = k.snap.authById[*src.AuthorizerId]
	}
	for _, p := range slices.Sorted(maps.Keys(src.RequestParameters)) {
		in, n := parameter(p)
		m.Parameters = append(m.Parameters, Parameter{In: in, Name: n, Required: src.RequestParameters[p]})
	}
	if v := k.validators[shape.Val(src.RequestValidatorId)]; v != nil {
		m.ValidateBody, m.ValidateParams = shape.Val(v.ValidateRequestBody), shape.Val(v.ValidateRequestParameters)
	}
	for ct, n := range src.RequestModels {
		if model := k.models[n]; model != nil {
			m.Models[ct] = model
		}
	}
	for status, resp := range src.MethodResponses {
		m.Responses[status] = &MethodResponse{Status: status, Parameters: resp.ResponseParameters, Models: resp.ResponseModels}
	}
	if src.MethodIntegration != nil {
		m.Integration = k.integration(src.MethodIntegration)
	}
	return m
}

// parameter splits "method.request.querystring.page" into "querystring" and "page"; multi-valued ones
// (multivaluequerystring, multivalueheader) are taken for the single ones.
func parameter(p string) (in, name string) {
	parts := strings.SplitN(p, ".", 4)
	if len(parts) < 4 {
		return "", ""
	}
	return strings.TrimPrefix(parts[2], "multivalue"), parts[3]
}

func (k *compiler) integration(i *v1.Integration) *Integration {
	out := &Integration{Type: shape.Val(i.Type), Method: shape.Val(i.HttpMethod), Passthrough: shape.Val(i.PassthroughBehavior), Content: shape.Val(i.ContentHandling),
		Timeout: time.Duration(shape.Val(i.TimeoutInMillis)) * time.Millisecond, Templates: i.RequestTemplates, Parameters: paramMappings(i.RequestParameters),
		Insecure: i.TlsConfig != nil && shape.Val(i.TlsConfig.InsecureSkipVerification), CacheNamespace: shape.Val(i.CacheNamespace), CacheKeys: i.CacheKeyParameters}
	out.Credentials, out.Fault = expand(shape.Val(i.Credentials), k.variables)
	for _, status := range slices.Sorted(maps.Keys(i.IntegrationResponses)) {
		r := i.IntegrationResponses[status]
		code, _ := strconv.Atoi(status)
		resp := &IntegrationResponse{Status: status, Code: code, Parameters: paramMappings(r.ResponseParameters), Templates: r.ResponseTemplates, Content: shape.Val(r.ContentHandling)}
		if p := shape.Val(r.SelectionPattern); p != "" {
			resp.Pattern, _ = regexp.Compile(`^(?:` + p + `)$`) // checked when it was stored
		}
		out.Responses = append(out.Responses, resp)
	}
	slices.SortStableFunc(out.Responses, func(a, b *IntegrationResponse) int {
		switch {
		case a.Pattern != nil && b.Pattern == nil:
			return -1
		case a.Pattern == nil && b.Pattern != nil:
			return 1
		}
		return 0
	})
	if out.Type == v1.IntegrationTypeMock || out.Fault != "" {
		return out
	}
	if out.URI, out.Fault = expand(shape.Val(i.Uri), k.variables); out.Fault != "" {
		return out
	}
	switch out.Type {
	case v1.IntegrationTypeAws, v1.IntegrationTypeAwsProxy:
		var ok bool
		if out.FunctionARN, ok = functionARN(out.URI); !ok {
			if out.Action, ok = awsAction(out.URI); !ok {
				out.Fault = "the integration's URI, with its stage variables, is not that of an action: " + out.URI
			}
		}
	default:
		if u, err := url.Parse(out.URI); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
			out.Fault = "the integration's URI, with its stage variables, is not an HTTP endpoint: " + out.URI
		}
	}
	return out
}

// paramMappings compiles a map of parameters, in the order of its keys.
func paramMappings(params map[string]string) []Mapping {
	var out []Mapping
	for _, to := range slices.Sorted(maps.Keys(params)) {
		m := Mapping{Target: to, Source: params[to]}
		parts := strings.SplitN(to, ".", 4)
		switch {
		case len(parts) == 4: // integration.request.header.X, method.response.header.X
			m.In, m.Name = parts[2], parts[3]
		case len(parts) == 3: // gatewayresponse.header.X
			m.In, m.Name = parts[1], parts[2]
		}
		if parts[0] == "gatewayresponse" && len(parts) == 4 { // a header's name with a dot
			m.In, m.Name = parts[1], parts[2]+"."+parts[3]
		}
		out = append(out, m)
	}
	return out
}

func parseSources(s string) []Source {
	var out []Source
	for p := range strings.SplitSeq(s, ",") {
		p = strings.TrimSpace(p)
		if rest, ok := strings.CutPrefix(p, "method.request."); ok {
			in, name, _ := strings.Cut(rest, ".")
			out = append(out, Source{In: in, Name: name})
		} else if in, name, ok := strings.Cut(p, "."); ok { // stageVariables.X, context.X
			out = append(out, Source{In: in, Name: name})
		}
	}
	return out
}

const stageVariable = "${stageVariables."

// expand puts in the values of ${stageVariables.NAME}.
func expand(uri string, variables map[string]string) (expanded, fault string) {
	if !strings.Contains(uri, stageVariable) {
		return uri, ""
	}
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
			return "", "it names a stage variable that the stage does not have: " + name
		}
		b.WriteString(value)
		uri = rest
	}
}

// functionARN takes the function's ARN out of the URI of its invocation:
// arn:aws:apigateway:REGION:lambda:path/2015-03-31/functions/ARN/invocations.
func functionARN(uri string) (string, bool) {
	_, after, ok := strings.Cut(uri, ":lambda:path/2015-03-31/functions/")
	if !ok || !strings.HasPrefix(uri, "arn:") {
		return "", false
	}
	name, ok := strings.CutSuffix(after, "/invocations")
	if !ok {
		return "", false
	}
	a, err := arn.Parse(name)
	return name, err == nil && a.Service == "lambda" && strings.HasPrefix(a.Resource, "function:")
}

// awsAction reads the URI of an AWS integration: arn:aws:apigateway:REGION:[SUBDOMAIN.]SERVICE:path|action/….
func awsAction(uri string) (*AWSAction, bool) {
	parts := strings.SplitN(uri, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" || parts[2] != "apigateway" || parts[3] == "" || parts[4] == "" {
		return nil, false
	}
	out := &AWSAction{Region: parts[3], Service: parts[4]}
	if sub, service, ok := strings.Cut(parts[4], "."); ok {
		out.Subdomain, out.Service = sub, service
	}
	kind, what, ok := strings.Cut(parts[5], "/")
	switch {
	case !ok:
		return nil, false
	case kind == "action":
		out.Action = what
	case kind == "path":
		out.Path = "/" + what
	default:
		return nil, false
	}
	return out, true
}

// compileResponses resolves all gateway responses: own, else the customised default of the class, else AWS's.
func compileResponses(own []*v1.GatewayResponse) map[string]*GatewayResponse {
	custom := map[string]*v1.GatewayResponse{}
	for _, r := range own {
		custom[*r.ResponseType] = r
	}
	out := map[string]*GatewayResponse{}
	for typ, status := range defaultStatus {
		g := &GatewayResponse{Type: typ, Templates: map[string]string{"application/json": defaultTemplate}, Default: true}
		src := custom[typ]
		if src == nil {
			class := v1.GatewayResponseTypeDefault4xx
			if strings.HasPrefix(status, "5") {
				class = v1.GatewayResponseTypeDefault5xx
			}
			src = custom[class]
		}
		if src != nil {
			g.Default, g.Parameters, g.Templates = false, paramMappings(src.ResponseParameters), src.ResponseTemplates
			if s := shape.Val(src.StatusCode); s != "" {
				status = s
			}
		}
		g.Status, _ = strconv.Atoi(status)
		out[typ] = g
	}
	return out
}
