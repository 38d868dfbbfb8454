package domains

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Mapping is a path of a domain and where it leads.
type Mapping struct {
	ID         string
	DomainName string
	Key        string // "orders/v1", without slashes at its ends; "": everything that no other takes
	APIID      string
	Stage      string `json:",omitzero"` // "": the first segment of the rest of the path names it
	Step       string `json:",omitzero"` // of the stack that made it
}

// What can be wrong with a mapping. Each API has its own words for it.
var (
	ErrMapped    = errors.New("domains: the path is mapped already")
	ErrNoMapping = errors.New("domains: no such mapping")
	ErrNoAPI     = errors.New("domains: no such API")
	ErrNoStage   = errors.New("domains: no such stage")
)

// APIs is a kind of APIs that domains may lead to.
type APIs interface {
	// MappedAPI tells whether the region has the API, and whether the API has the stage.
	MappedAPI(tx *store.Tx, region, apiID, stage string) (api, hasStage bool, err error)
}

// Serve adds a kind of APIs. It is called before requests come.
func (s *Service) Serve(a APIs) { s.apis = append(s.apis, a) }

func mappingID(domain, key string) string { return domain + "/" + key }

func putMapping(tx *store.Tx, m *Mapping) error {
	if err := mappings.Put(tx, store.Key{ID: mappingID(m.DomainName, m.Key), Parent: m.DomainName, Name: m.ID}, m); err != nil {
		return err
	}
	return reverse.Put(tx, store.Key{ID: m.APIID + "/" + mappingID(m.DomainName, m.Key), Parent: m.APIID}, m)
}

func dropMapping(tx *store.Tx, m *Mapping) error {
	err := reverse.Delete(tx, m.APIID+"/"+mappingID(m.DomainName, m.Key))
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return mappings.Delete(tx, mappingID(m.DomainName, m.Key))
}

// target checks that a mapping leads somewhere. only, if not nil, is the one kind of APIs that it may lead to.
func (s *Service) target(tx *store.Tx, d *Domain, m *Mapping, only APIs) error {
	for _, a := range s.apis {
		if only != nil && a != only {
			continue
		}
		api, stage, err := a.MappedAPI(tx, d.Region, m.APIID, m.Stage)
		switch {
		case err != nil:
			return err
		case !api:
		case !stage && m.Stage != "":
			return ErrNoStage
		default:
			return nil
		}
	}
	return ErrNoAPI
}

// Find names a mapping of a domain: by its key, or by its id.
type Find func(tx *store.Tx, domain string) (*Mapping, error)

// ByKey finds a mapping by its path.
func ByKey(key string) Find {
	return func(tx *store.Tx, domain string) (*Mapping, error) { return mappings.Get(tx, mappingID(domain, key)) }
}

// ByID finds a mapping by its id.
func ByID(id string) Find {
	return func(tx *store.Tx, domain string) (*Mapping, error) { return mappings.ByName(tx, domain, id) }
}

func find(tx *store.Tx, d *Domain, f Find) (*Mapping, error) {
	m, err := f(tx, d.Name)
	if errors.Is(err, store.ErrNotFound) {
		err = ErrNoMapping
	}
	return m, err
}

// Map adds a mapping to a domain. only is as in [Service.Remap].
func (s *Service) Map(ctx context.Context, region string, m *Mapping, only APIs) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := s.get(tx, region, m.DomainName)
		if err != nil {
			return err
		}
		m.DomainName = d.Name
		if err := s.target(tx, d, m, only); err != nil {
			return err
		}
		if _, err := find(tx, d, ByKey(m.Key)); err == nil {
			return ErrMapped
		} else if !errors.Is(err, ErrNoMapping) {
			return err
		}
		return putMapping(tx, m)
	})
}

// Mapping returns a mapping of a domain.
func (s *Service) Mapping(ctx context.Context, region, domain string, f Find) (m *Mapping, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		d, err := s.get(tx, region, domain)
		if err != nil {
			return err
		}
		m, err = find(tx, d, f)
		return err
	})
	return m, err
}

// Mappings returns up to limit mappings of a domain, all if limit is 0, after the one of the token.
func (s *Service) Mappings(ctx context.Context, region, domain, after string, limit int) (list []*Mapping, next string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		d, err := s.get(tx, region, domain)
		if err != nil {
			return err
		}
		list, next, err = mappings.List(tx, d.Name, after, limit)
		return err
	})
	return list, next, err
}

// Remap changes a mapping. What it leads to must be there, and of the kind only, unless that is nil.
func (s *Service) Remap(ctx context.Context, region, domain string, f Find, only APIs, change func(*Mapping) error) (m *Mapping, err error) {
	err = s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := s.get(tx, region, domain)
		if err != nil {
			return err
		}
		if m, err = find(tx, d, f); err != nil {
			return err
		}
		if err := dropMapping(tx, m); err != nil {
			return err
		}
		if err := change(m); err != nil {
			return err
		}
		if err := s.target(tx, d, m, only); err != nil {
			return err
		}
		if _, err := find(tx, d, ByKey(m.Key)); err == nil {
			return ErrMapped
		} else if !errors.Is(err, ErrNoMapping) {
			return err
		}
		return putMapping(tx, m)
	})
	return m, err
}

// Unmap deletes a mapping.
func (s *Service) Unmap(ctx context.Context, region, domain string, f Find) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := s.get(tx, region, domain)
		if err != nil {
			return err
		}
		m, err := find(tx, d, f)
		if err != nil {
			return err
		}
		return dropMapping(tx, m)
	})
}

// Uses returns the paths, as DOMAIN/KEY, that lead to an API, or to its stage if one is named.
func Uses(tx *store.Tx, apiID, stage string) (paths []string, err error) {
	list, _, err := reverse.List(tx, apiID, "", 0)
	for _, m := range list {
		if stage == "" || m.Stage == stage {
			paths = append(paths, strings.TrimSuffix(mappingID(m.DomainName, m.Key), "/"))
		}
	}
	return paths, err
}

// HasMapping returns nil if a path of a domain is mapped, and [store.ErrNotFound] otherwise.
func HasMapping(tx *store.Tx, domain, key string) error {
	_, err := mappings.Get(tx, mappingID(strings.ToLower(domain), key))
	return err
}
