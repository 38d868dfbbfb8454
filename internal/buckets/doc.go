// Package buckets answers the part of S3 that deployments need: buckets, and objects put whole or in
// parts, copied, read, listed and deleted. Tools upload code and templates here, and stacks and
// functions read them through [Service.OpenObject].
//
// An object's content is a blob of the store, so equal content is kept once, and an object is there
// whole or not at all. What S3 can do and this cannot (versions, access lists, encryption with keys of
// KMS) is refused by name.
//
// A bucket's policy is evaluated with those of whoever asks: see [Service.BucketPolicy]. Templates of tools give
// their buckets settings that change nothing here, and they are taken: private access, blocked public
// access, encryption with S3's own keys, versioning and the expiry of old versions. The API tells how it is: one
// version is kept.
package buckets

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Options are what a [Service] needs.
type Options struct {
	DB      *store.DB
	Account string
	Logger  *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Service implements the S3 API.
type Service struct {
	s3.Unimplemented
	Options
}

var _ s3.Handler = (*Service)(nil)

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

// bucket is a bucket. Names are global, as on AWS.
type bucket struct {
	Name, Region string
	Created      int64 // epoch milliseconds
	Tags         map[string]string
	Token        string `json:",omitempty"` // of the step of a stack that made it
	Policy       string `json:",omitempty"` // as it was given
	PolicyToken  string `json:",omitempty"` // of the step that made the policy

	ready atomic.Pointer[policy.Compiled] // Policy, made when first asked for
}

var bucketKind = store.Kind[bucket]{Name: "buckets.bucket"}

func bucketKey(name string) store.Key { return store.Key{ID: name, Parent: "buckets"} }

// find returns a bucket for reading.
func (s *Service) find(ctx context.Context, name string) (*bucket, error) {
	b, err := bucketKind.Cached(ctx, s.DB, name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, noBucket(name)
	}
	return b, err
}
