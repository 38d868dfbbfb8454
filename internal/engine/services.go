package engine

import (
	"context"
	"path/filepath"

	"github.com/gatehouse-dev/gatehouse/internal/admin"
	"github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	logsapi "github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	stsapi "github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/buckets"
	"github.com/gatehouse-dev/gatehouse/internal/functions"
	"github.com/gatehouse-dev/gatehouse/internal/gateway"
	"github.com/gatehouse-dev/gatehouse/internal/httpapis"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam/access"
	"github.com/gatehouse-dev/gatehouse/internal/iam/sts"
	"github.com/gatehouse-dev/gatehouse/internal/identitypools"
	"github.com/gatehouse-dev/gatehouse/internal/keys"
	"github.com/gatehouse-dev/gatehouse/internal/logs"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/parameters"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/restapis"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/signin"
	"github.com/gatehouse-dev/gatehouse/internal/stacks"
	"github.com/gatehouse-dev/gatehouse/internal/token"
	"github.com/gatehouse-dev/gatehouse/internal/userpools"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// join makes the services and joins them where they meet. A service is one line that makes it, and one
// in the list of what is served; its resource types come with it. dir is for files, box seals secrets.
func (e *Engine) join(dir string, box *seal.Key) error {
	cfg := &e.cfg
	e.keys = keys.Open(e.db, box, keys.Options{Logger: cfg.Logger})
	e.onClose(func(context.Context) error { e.keys.Close(); return nil })
	var err error
	if e.outbox, err = message.New(e.db, box, message.Options{SMTP: cfg.SMTP, From: cfg.MailFrom, Logger: cfg.Logger, Now: cfg.Now}); err != nil {
		return err
	}
	e.onClose(func(context.Context) error { return e.outbox.Close() })

	mint := session.NewMint(box, cfg.Now)
	e.iam = iam.New(iam.Options{DB: e.db, Seal: box, Sessions: mint, Account: cfg.Account, Region: cfg.Region, Open: cfg.AuthOpen, Logger: cfg.Logger, Now: cfg.Now})
	e.onClose(e.iam.Close)
	verifier := token.NewVerifier(token.Options{Local: e.localKeys, Now: cfg.Now})
	tokens := sts.New(sts.Options{IAM: e.iam, Verifier: verifier, Logger: cfg.Logger, Now: cfg.Now})
	e.logs = logs.New(logs.Options{DB: e.db, Account: cfg.Account, Logger: cfg.Logger, Now: cfg.Now})
	e.onClose(e.logs.Close)
	e.buckets = buckets.New(buckets.Options{DB: e.db, Account: cfg.Account, Logger: cfg.Logger, Now: cfg.Now})
	e.params = parameters.New(parameters.Options{DB: e.db, Seal: box, Account: cfg.Account, Logger: cfg.Logger, Now: cfg.Now})

	e.runtime = runtime.New(runtime.Options{Dir: filepath.Join(dir, "run"), Logs: e.logs, Logger: cfg.Logger, Now: cfg.Now, Prefork: true,
		Surroundings: func() (node, others []string, err error) { return e.surroundFunctions(dir) }, Credentials: functionCredentials(tokens, cfg.Logger)})
	e.onClose(e.runtime.Close)
	e.functions = functions.New(functions.Options{DB: e.db, Seal: box, Runtime: e.runtime, Objects: e.buckets, CodeDir: filepath.Join(dir, "code"),
		Account: cfg.Account, Assumable: e.lambdaMayBe, Logger: cfg.Logger, Now: cfg.Now})
	e.onClose(e.functions.Close)

	var issuer func(region, pool string) string
	if cfg.Issuer != "" {
		issuer = func(_, pool string) string { return cfg.Issuer + "/" + pool }
	}
	e.pools = userpools.New(userpools.Options{DB: e.db, Seal: box, Keys: e.keys, Outbox: e.outbox, Account: cfg.Account, Issuer: issuer, Logger: cfg.Logger, Now: cfg.Now})
	e.identities = identitypools.New(identitypools.Options{DB: e.db, Seal: box, Keys: e.keys, Verifier: verifier, UserPools: e.pools, STS: tokens,
		OIDCProvider: e.oidcProvider, SAML: e.samlLogin, Account: cfg.Account, Logger: cfg.Logger, Now: cfg.Now})
	if err := e.openDomains(box); err != nil {
		return err
	}
	policies := e.authorizer()
	e.apis = httpapis.New(httpapis.Options{DB: e.db, Domains: e.hosts, Objects: e.buckets, Ask: askOfImports(policies, &apigatewayv2.Model), Account: cfg.Account, PublicURL: e.PublicURL, Logger: cfg.Logger, Now: cfg.Now})
	e.hosts.Join(askOfImports(policies, &apigateway.Model))
	e.rest = restapis.New(restapis.Options{DB: e.db, Seal: box, Domains: e.hosts, Objects: e.buckets, Assumable: e.gatewayMayBe, Ask: askOfImports(policies, &apigateway.Model), Account: cfg.Account, PublicURL: e.PublicURL, Logger: cfg.Logger, Now: cfg.Now})

	e.registry = new(resource.Registry) // filled below
	e.stacks = stacks.New(stacks.Options{DB: e.db, Registry: e.registry, Objects: e.buckets, Parameter: e.parameter, Functions: e.functions, Account: cfg.Account, Outputs: e.reachable, Seal: box,
		Policies: policies, Callers: access.Callers{IAM: e.iam}, Logger: cfg.Logger, Now: cfg.Now})

	e.gateway = gateway.New(gateway.Options{HTTPAPIs: e.apis, RESTAPIs: e.rest, Invoker: e.functions, Permitter: e.functions, IAM: e.iam, URLs: e.functions, Verifier: verifier, SameIssuer: e.sameIssuer,
		Recorder: e.recorder, AccessLog: e.logs, Logger: cfg.Logger, Now: cfg.Now})
	e.rest.Join(e.gateway)
	e.onClose(e.gateway.Close)

	e.services = []wire.Service{
		{Model: &cognitoidp.Model, Handler: e.pools},
		{Model: &cognitoidentity.Model, Handler: e.identities},
		{Model: &apigateway.Model, Handler: e.rest, MaxBody: restapis.MaxBody},
		{Model: &apigatewayv2.Model, Handler: e.apis, MaxBody: httpapis.MaxBody},
		{Model: &lambda.Model, Handler: e.functions, MaxBody: functions.MaxBody},
		{Model: &cloudformation.Model, Handler: e.stacks},
		{Model: &iamapi.Model, Handler: e.iam},
		{Model: &stsapi.Model, Handler: tokens},
		{Model: &s3.Model, Handler: e.buckets},
		{Model: &logsapi.Model, Handler: e.logs},
		{Model: &ssm.Model, Handler: e.params},
	}
	for _, s := range e.services {
		h, ok := s.Handler.(interface{ Resources() []resource.Type })
		if !ok {
			continue
		}
		for _, t := range h.Resources() {
			e.registry.Register(t)
		}
	}
	e.control = wire.NewServer(wire.Options{
		Services: e.services, Auth: e.iam, Policies: bootstrapping{policies, e}, Private: loopback(hostOf(e.addr)) && cfg.PublicURL == "", Account: cfg.Account, DefaultRegion: cfg.Region, Logger: cfg.Logger, Now: cfg.Now,
		AllowOrigin: e.origins(), Observe: e.observe,
	})
	e.signin = &signin.Handler{Pools: e.pools, Identities: e.identities, Logger: cfg.Logger}
	e.admin = admin.New(admin.Options{Version: Version, CA: e.ca.PEM(), Recorder: e.recorder, Outbox: e.outbox, Logs: e.logs, Authorize: e.authorizeAdmin, Reset: e.resetter(), Closing: e.closing, Logger: cfg.Logger})
	return nil
}
