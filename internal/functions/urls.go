package functions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// ErrNoURL is returned for the id of a URL that no function has.
var ErrNoURL = errors.New("functions: no such function URL")

// URL is the URL of a function or of one of its aliases. It is shared, and must not be modified.
// https://docs.aws.amazon.com/lambda/latest/dg/urls-configuration.html
type URL struct {
	ID                string // 32 characters, the first label of its host
	Region            string
	FunctionARN       string       // with the alias, if it is an alias's
	AuthType          string       // "NONE", "AWS_IAM"
	CORS              *lambda.Cors `json:",omitempty"`
	Created, Modified int64        // epoch milliseconds
	Token             string       `json:",omitempty"` // of the step of a stack that made it

	once sync.Once
	memo any
}

// Memo returns what build made of the URL, once for each state of it: what the data plane needs.
func (u *URL) Memo(build func(*URL) any) any {
	u.once.Do(func() { u.memo = build(u) })
	return u.memo
}

// Host returns the name that the URL has on AWS.
func (u *URL) Host() string { return u.ID + ".lambda-url." + u.Region + ".on.aws" }

// urlOwner says whose a URL is: it is found by its id.
type urlOwner struct{ Function, Qualifier string }

var urlOwners = store.Kind[urlOwner]{Name: "functions.url"} // below the function's id

// FunctionURL returns the URL with an id, in constant time. The error is ErrNoURL if there is none.
func (s *Service) FunctionURL(ctx context.Context, id string) (*URL, error) {
	o, err := urlOwners.Cached(ctx, s.DB, id)
	if err == nil {
		var f *function
		if f, err = functions.Cached(ctx, s.DB, o.Function); err == nil {
			if u := f.URLs[o.Qualifier]; u != nil && u.ID == id {
				return u, nil
			}
			return nil, ErrNoURL
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoURL
	}
	return nil, err
}

// urlName reads what a call about a URL names: a function, or one of its aliases.
func (s *Service) urlName(ctx context.Context, ref string, qualifier *string) (name, error) {
	n, err := s.named(wire.CallFrom(ctx), ref, qualifier)
	if n.qualifier == latest {
		n.qualifier = ""
	}
	if err == nil && isVersion(n.qualifier) {
		return n, invalid("Function URLs are for the function or for an alias, not for a version: %s", n.arn())
	}
	return n, err
}

func noURL() error {
	return user(lambda.ResourceNotFoundException("The resource you requested does not exist."))
}

// checkURL refuses what is not supported or cannot be.
func checkURL(cors *lambda.Cors, mode *string) error {
	if shape.Val(mode) == lambda.InvokeModeResponseStream {
		return unsupported("response streaming (InvokeMode RESPONSE_STREAM)")
	}
	if cors == nil {
		return nil
	}
	for _, m := range cors.AllowMethods {
		if m != "*" && !slices.Contains([]string{"GET", "PUT", "HEAD", "POST", "PATCH", "DELETE", "OPTIONS"}, m) {
			return invalid("Invalid value for CORS allowMethods: %s", m)
		}
	}
	for _, o := range cors.AllowOrigins {
		if o != "*" && !strings.Contains(o, "://") {
			return invalid("Invalid value for CORS allowOrigins: %s. An origin is * or begins with a scheme.", o)
		}
	}
	return nil
}

// shown is a URL as the API shows it.
func (u *URL) shown() lambda.FunctionUrlConfig {
	at := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000000Z") }
	return lambda.FunctionUrlConfig{FunctionUrl: "https://" + u.Host() + "/", FunctionArn: u.FunctionARN, AuthType: u.AuthType, Cors: u.CORS,
		CreationTime: at(u.Created), LastModifiedTime: at(u.Modified), InvokeMode: shape.Ptr(lambda.InvokeModeBuffered)}
}

func (s *Service) CreateFunctionUrlConfig(ctx context.Context, in *lambda.CreateFunctionUrlConfigRequest) (*lambda.CreateFunctionUrlConfigResponse, error) {
	u, err := s.createURL(ctx, in, "")
	if err != nil {
		return nil, err
	}
	c := u.shown()
	return &lambda.CreateFunctionUrlConfigResponse{FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors, CreationTime: c.CreationTime, InvokeMode: c.InvokeMode}, nil
}

// createURL makes a URL. token is that of a stack's step, which may be run again.
func (s *Service) createURL(ctx context.Context, in *lambda.CreateFunctionUrlConfigRequest, token string) (*URL, error) {
	n, err := s.urlName(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	if err := checkURL(in.Cors, in.InvokeMode); err != nil {
		return nil, err
	}
	now := s.Now().UnixMilli()
	u := &URL{ID: ident.Random(ident.LowerNum, 32), Region: n.region, FunctionARN: n.arn(), AuthType: in.AuthType, CORS: in.Cors, Created: now, Modified: now, Token: token}
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if n.qualifier != "" && f.Aliases[n.qualifier] == nil {
			return noAlias(n, n.qualifier)
		}
		if old := f.URLs[n.qualifier]; old != nil {
			if token == "" || old.Token != token {
				return conflict("FunctionUrlConfig exists for this Lambda function")
			}
			u.ID, u.Created = old.ID, old.Created
		}
		if f.URLs == nil {
			f.URLs = map[string]*URL{}
		}
		f.URLs[n.qualifier] = u
		return urlOwners.Put(tx, store.Key{ID: u.ID, Parent: n.id()}, &urlOwner{Function: n.id(), Qualifier: n.qualifier})
	})
	return u, err
}

func (s *Service) GetFunctionUrlConfig(ctx context.Context, in *lambda.GetFunctionUrlConfigRequest) (*lambda.GetFunctionUrlConfigResponse, error) {
	n, err := s.urlName(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return nil, err
	}
	u := f.URLs[n.qualifier]
	if u == nil {
		return nil, noURL()
	}
	c := u.shown()
	return &lambda.GetFunctionUrlConfigResponse{FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors,
		CreationTime: c.CreationTime, LastModifiedTime: c.LastModifiedTime, InvokeMode: c.InvokeMode}, nil
}

func (s *Service) UpdateFunctionUrlConfig(ctx context.Context, in *lambda.UpdateFunctionUrlConfigRequest) (*lambda.UpdateFunctionUrlConfigResponse, error) {
	n, err := s.urlName(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	u, err := s.updateURL(ctx, n, func(u *URL) error {
		set(&u.AuthType, in.AuthType)
		if in.Cors != nil {
			u.CORS = in.Cors
		}
		return checkURL(in.Cors, in.InvokeMode)
	})
	if err != nil {
		return nil, err
	}
	c := u.shown()
	return &lambda.UpdateFunctionUrlConfigResponse{FunctionUrl: c.FunctionUrl, FunctionArn: c.FunctionArn, AuthType: c.AuthType, Cors: c.Cors,
		CreationTime: c.CreationTime, LastModifiedTime: c.LastModifiedTime, InvokeMode: c.InvokeMode}, nil
}

func (s *Service) updateURL(ctx context.Context, n name, edit func(u *URL) error) (u *URL, err error) {
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if u = f.URLs[n.qualifier]; u == nil {
			return noURL()
		}
		u.Modified = s.Now().UnixMilli()
		return edit(u)
	})
	return u, err
}

func (s *Service) DeleteFunctionUrlConfig(ctx context.Context, in *lambda.DeleteFunctionUrlConfigRequest) (*lambda.DeleteFunctionUrlConfigResponse, error) {
	n, err := s.urlName(ctx, in.FunctionName, in.Qualifier)
	if err != nil {
		return nil, err
	}
	err = s.change(ctx, n, func(tx *store.Tx, f *function) error {
		if f.URLs[n.qualifier] == nil {
			return noURL()
		}
		return dropURL(tx, f, n.qualifier)
	})
	if err != nil {
		return nil, err
	}
	return &lambda.DeleteFunctionUrlConfigResponse{}, nil
}

// dropURL takes away the URL of a function or an alias, if it has one. The caller stores f.
func dropURL(tx *store.Tx, f *function, qualifier string) error {
	u := f.URLs[qualifier]
	if u == nil {
		return nil
	}
	delete(f.URLs, qualifier)
	if err := urlOwners.Delete(tx, u.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return nil
}

func (s *Service) ListFunctionUrlConfigs(ctx context.Context, in *lambda.ListFunctionUrlConfigsRequest) (*lambda.ListFunctionUrlConfigsResponse, error) {
	n, err := s.urlName(ctx, in.FunctionName, nil)
	if err != nil {
		return nil, err
	}
	f, err := s.get(ctx, n)
	if err != nil {
		return nil, err
	}
	var list []*URL
	for _, u := range f.URLs {
		if u.FunctionARN > shape.Val(in.Marker) {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b *URL) int { return strings.Compare(a.FunctionARN, b.FunctionARN) })
	out := &lambda.ListFunctionUrlConfigsResponse{FunctionUrlConfigs: []lambda.FunctionUrlConfig{}}
	limit := pageSize(in.MaxItems)
	for i, u := range list {
		if i == limit {
			out.NextMarker = &list[i-1].FunctionARN
			break
		}
		out.FunctionUrlConfigs = append(out.FunctionUrlConfigs, u.shown())
	}
	return out, nil
}
