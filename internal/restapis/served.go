package restapis

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// snapshots caches what is served, by API.
type snapshots struct {
	mu        sync.RWMutex
	apis      map[string]*served
	compiling map[string]*sync.Mutex // an API is compiled once, however many requests wait for it
	changes   uint64                 // of any API, so that nothing that was read before a change is kept after it
}

type served struct {
	snaps map[string]*Snapshot // of all stages
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

// HasAPI tells whether there is a REST API of that id.
func (s *Service) HasAPI(ctx context.Context, apiID string) bool {
	_, err := apis.Cached(ctx, s.db, apiID)
	return err == nil
}

// Stages returns the names of an API's stages. The error is ErrNoAPI if there is no such API.
func (s *Service) Stages(ctx context.Context, apiID string) ([]string, error) {
	a, err := s.served(ctx, apiID)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(a.snaps)), nil
}

// Snapshot returns what a stage serves now. The error is ErrNoAPI or ErrNoStage, or the store's.
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
	a := s.cache.apis[apiID]
	s.cache.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	// Requests for what is not there must not cost a query each.
	if _, err := apis.Cached(ctx, s.db, apiID); errors.Is(err, store.ErrNotFound) {
		return nil, ErrNoAPI
	} else if err != nil {
		return nil, err
	}
	s.cache.mu.Lock()
	one := s.cache.compiling[apiID]
	if one == nil {
		one = new(sync.Mutex)
		s.cache.compiling[apiID] = one
	}
	s.cache.mu.Unlock()
	one.Lock()
	defer one.Unlock()
	s.cache.mu.RLock()
	a, changes := s.cache.apis[apiID], s.cache.changes
	s.cache.mu.RUnlock()
	if a != nil {
		return a, nil
	}
	a, err := s.compile(ctx, apiID)
	s.cache.mu.Lock()
	defer s.cache.mu.Unlock()
	if err != nil {
		if errors.Is(err, ErrNoAPI) {
			delete(s.cache.compiling, apiID)
		}
		return nil, err
	}
	if s.cache.changes == changes {
		s.cache.apis[apiID] = a
	}
	return a, nil
}
