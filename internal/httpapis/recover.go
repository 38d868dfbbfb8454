package httpapis

import (
	"context"
	"crypto/sha256"
	"errors"
	"maps"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// A stack whose server was stopped while it made an API or a part of one asks, when it goes on, whether
// that was made. So what a stack makes has an id that follows from the token of the step that makes it.

type tokenKey struct{}

// withToken makes [newID] derive ids from a resource request's token.
func withToken(ctx context.Context, r *resource.Request) context.Context {
	return context.WithValue(ctx, tokenKey{}, r.Token)
}

// newID returns a new id: a random one, or for a stack's resource the one of its step.
func newID(ctx context.Context, random func() string) string {
	id := random()
	if token, _ := ctx.Value(tokenKey{}).(string); token != "" {
		return derive(token, len(id))
	}
	return id
}

// derive returns the id of n characters, at most 32, that follows from a token. It begins with a letter,
// as an API's must.
func derive(token string, n int) string {
	sum := sha256.Sum256([]byte(token))
	id := make([]byte, n)
	for i := range id {
		alphabet := ident.LowerNum
		if i == 0 {
			alphabet = ident.Lower
		}
		id[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(id)
}

// made tells whether a document that a step was to make is there.
func made[T any](ctx context.Context, s *Service, kind store.Kind[T], id string) (*T, bool, error) {
	v, err := kind.Cached(ctx, s.db, id)
	if errors.Is(err, store.ErrNotFound) {
		return nil, false, nil
	}
	return v, err == nil, err
}

func (h apiResource) Recover(ctx context.Context, r *resource.Request) (resource.Result, bool, error) {
	id := derive(r.Token, len(ident.APIID()))
	_, ok, err := made(ctx, h.s, apis, id)
	return h.result(ctx, id), ok, err
}

// recoverPart is Recover for a part of an API whose id has n characters.
func recoverPart[T any](ctx context.Context, s *Service, kind store.Kind[T], r *resource.Request, attr string, n int) (resource.Result, bool, error) {
	id := derive(r.Token, n)
	_, ok, err := made(ctx, s, kind, partKey(text(r.Props, "ApiId"), id, "").ID)
	return part1(attr, id), ok, err
}

func (h routeResource) Recover(ctx context.Context, r *resource.Request) (resource.Result, bool, error) {
	return recoverPart(ctx, h.s, routes, r, "RouteId", len(ident.ShortID()))
}

func (h integrationResource) Recover(ctx context.Context, r *resource.Request) (resource.Result, bool, error) {
	return recoverPart(ctx, h.s, integrations, r, "IntegrationId", len(ident.ShortID()))
}

func (h authorizerResource) Recover(ctx context.Context, r *resource.Request) (resource.Result, bool, error) {
	return recoverPart(ctx, h.s, authorizers, r, "AuthorizerId", len(ident.AuthorizerID()))
}

func (h deploymentResource) Recover(ctx context.Context, r *resource.Request) (resource.Result, bool, error) {
	return recoverPart(ctx, h.s, deployments, r, "DeploymentId", len(ident.AuthorizerID()))
}

// Recover of a stage, which has its name for an id, knows it by the tags of the stack and resource.
func (h stageResource) Recover(ctx context.Context, r *resource.Request) (resource.Result, bool, error) {
	want, err := tags(r)
	if err != nil {
		return resource.Result{}, false, err
	}
	name := text(r.Props, "StageName")
	st, ok, err := made(ctx, h.s, stages, partKey(text(r.Props, "ApiId"), name, name).ID)
	return resource.Result{PhysicalID: name}, ok && maps.Equal(st.Tags, want), err
}
