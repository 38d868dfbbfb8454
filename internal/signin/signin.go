// Package signin is the face that a user pool shows to browsers and to verifiers of its tokens, beside
// the AWS API: what lies below /POOL/. Today that is the pool's keys and its OpenID Connect discovery
// document; hosted sign-in pages and the endpoints of OAuth 2.0 belong here. Identity pools have one issuer
// between them, whose documents lie on a host of its own.
//
// Everything here is public by its nature: no caller is authenticated, and any web page may read it.
package signin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// Pools makes the documents of user pools: package userpools. A *shape.Error says that there is no such
// pool.
type Pools interface {
	JWKS(ctx context.Context, poolID string) ([]byte, error)
	OpenIDConfiguration(ctx context.Context, poolID string) ([]byte, error)
}

// Identities makes the documents of the issuer of identity pools' tokens: package identitypools.
type Identities interface {
	JWKS(ctx context.Context) ([]byte, error)
	OpenIDConfiguration() []byte
}

// Handler answers for all pools.
type Handler struct {
	Pools      Pools
	Identities Identities // nil: there are none
	Logger     *slog.Logger
}

// Target is what a request is for. An empty PoolID is the issuer of identity pools.
type Target struct{ PoolID, Document string }

// Match tells whether r is for a pool: /POOL/.well-known/DOCUMENT, or, on the hosts of identity pools
// (cognito-identity.amazonaws.com, cognito-identity.REGION.amazonaws.com), /.well-known/DOCUMENT.
func Match(r *http.Request) (t Target, ok bool) {
	if doc, ok := strings.CutPrefix(r.URL.Path, "/.well-known/"); ok {
		host, _, _ := strings.Cut(strings.ToLower(r.Host), ":")
		host = strings.TrimSuffix(host, ".")
		return Target{Document: doc}, strings.HasPrefix(host, "cognito-identity.") && strings.HasSuffix(host, ".amazonaws.com")
	}
	t.PoolID, t.Document, ok = strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/.well-known/")
	return t, ok && t.PoolID != "" && !strings.ContainsFunc(t.PoolID, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_') // no pool's id
	})
}

// Serve answers a request for which [Match] found t.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, t Target) {
	head := w.Header()
	head.Set("Access-Control-Allow-Origin", "*")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		head.Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	var body []byte
	var err error
	cache := ""
	switch {
	case t.PoolID == "" && h.Identities != nil && (t.Document == "jwks_uri" || t.Document == "jwks.json"):
		body, err = h.Identities.JWKS(r.Context())
		cache = "public, max-age=86400, must-revalidate"
	case t.PoolID == "" && h.Identities != nil && t.Document == "openid-configuration":
		body = h.Identities.OpenIDConfiguration()
	case t.PoolID == "":
		http.NotFound(w, r)
		return
	case t.Document == "jwks.json":
		body, err = h.Pools.JWKS(r.Context(), t.PoolID)
		cache = "public, max-age=86400, must-revalidate"
	case t.Document == "openid-configuration":
		body, err = h.Pools.OpenIDConfiguration(r.Context(), t.PoolID)
	default:
		http.NotFound(w, r)
		return
	}
	var known *shape.Error
	switch {
	case errors.As(err, &known):
		fail(w, http.StatusNotFound, known.Message)
	case err != nil:
		h.Logger.Error("a pool's document", "pool", t.PoolID, "document", t.Document, "err", err)
		fail(w, http.StatusInternalServerError, "Internal Server Error")
	default:
		head.Set("Content-Type", "application/json")
		if cache != "" {
			head.Set("Cache-Control", cache)
		}
		w.Write(body)
	}
}

func fail(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": message})
}
