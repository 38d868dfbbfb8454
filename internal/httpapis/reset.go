package httpapis

import (
	"context"
	"errors"

	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// cacheReset is kept of a stage whose authorizers' results were reset. What is kept of earlier results bears
// another generation, on every node.
type cacheReset struct{ Generation string }

var resets = store.Kind[cacheReset]{Name: "httpapis.reset"} // ids are those of stages

// ResetAuthorizersCache makes the data plane forget what the functions of a stage's authorizers have said.
func (s *Service) ResetAuthorizersCache(ctx context.Context, in *v2.ResetAuthorizersCacheRequest) (*v2.ResetAuthorizersCacheResponse, error) {
	err := s.update(ctx, in.ApiId, func(tx *store.Tx, _ *api) error {
		if _, err := stages.Get(tx, in.ApiId+"/"+in.StageName); err != nil {
			return missing(err, "Stage")
		}
		return resets.Put(tx, partKey(in.ApiId, in.StageName, ""), &cacheReset{Generation: ident.ShortID()})
	})
	if err != nil {
		return nil, err
	}
	return &v2.ResetAuthorizersCacheResponse{}, nil
}

// generation returns which of a stage's authorizers' results count.
func generation(tx *store.Tx, apiID, stageName string) (string, error) {
	r, err := resets.Get(tx, apiID+"/"+stageName)
	if errors.Is(err, store.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return r.Generation, nil
}
