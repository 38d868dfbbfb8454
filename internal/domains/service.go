package domains

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// Objects opens what was uploaded: truststores.
type Objects interface {
	OpenObject(ctx context.Context, bucket, key, versionID string) (io.ReadCloser, int64, error)
}

// Options make a Service.
type Options struct {
	DB           *store.DB
	Seal         *seal.Key // of private keys
	Account      string    // 12 digits
	Objects      Objects   // nil: mutual TLS is refused
	Certificates *Certificates
	Own          func(name string) bool // tells whether a name is the server's own, and so no custom domain; nil: none is
	Logger       *slog.Logger           // nil: discard
	Now          func() time.Time       // nil: time.Now
}

// Service keeps custom domains. It is safe for concurrent use.
type Service struct {
	db      *store.DB
	box     *seal.Key
	account string
	objects Objects
	files   *Certificates
	own     func(string) bool
	log     *slog.Logger
	now     func() time.Time
	ask     func(ctx context.Context, action, resource, passedTo string) error
	apis    []APIs
	index   index
}

// New makes a service of o.
func New(o Options) *Service {
	s := &Service{db: o.DB, box: o.Seal, account: o.Account, objects: o.Objects, files: o.Certificates, own: o.Own, log: o.Logger, now: o.Now}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.now == nil {
		s.now = time.Now
	}
	for _, kind := range []string{documents.Name, mappings.Name} {
		s.db.OnChange(kind, s.index.drop)
	}
	return s
}

// Join gives the service what asks the policies of the caller of ctx's call for an action on a resource: for the
// object that a truststore is read from. It is called once, before requests come; without it nothing is asked.
func (s *Service) Join(ask func(ctx context.Context, action, resource, passedTo string) error) {
	s.ask = ask
}

// get returns a domain of a region.
func (s *Service) get(tx *store.Tx, region, name string) (*Domain, error) {
	d, err := documents.Get(tx, strings.ToLower(name))
	if errors.Is(err, store.ErrNotFound) || err == nil && d.Region != region {
		return nil, noDomain()
	}
	return d, err
}

// Exists returns nil if there is a domain of that name, and [store.ErrNotFound] otherwise.
func Exists(tx *store.Tx, name string) error {
	_, err := documents.Get(tx, strings.ToLower(name))
	return err
}

// Create adds a domain, and completes d.
func (s *Service) Create(ctx context.Context, d *Domain) error {
	d.Name = strings.ToLower(d.Name)
	if err := s.checkName(d.Name); err != nil {
		return err
	}
	if err := s.check(d); err != nil {
		return err
	}
	if err := s.readTruststore(ctx, d.MutualTLS); err != nil {
		return err
	}
	return s.db.Update(ctx, func(tx *store.Tx) error {
		err := documents.Insert(tx, store.Key{ID: d.Name}, d)
		if errors.Is(err, store.ErrExists) {
			return bad("The domain name you provided already exists.")
		}
		return err
	})
}

// Get returns a domain of a region.
func (s *Service) Get(ctx context.Context, region, name string) (d *Domain, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		d, err = s.get(tx, region, name)
		return err
	})
	return d, err
}

// Cached returns a domain from memory, of whatever region. It must not be changed.
func (s *Service) Cached(ctx context.Context, name string) (*Domain, error) {
	return documents.Cached(ctx, s.db, strings.ToLower(name))
}

// List returns up to limit domains of a region, all if limit is 0, by name, after the one of the token.
func (s *Service) List(ctx context.Context, region, after string, limit int) (list []*Domain, next string, err error) {
	err = s.db.View(ctx, func(tx *store.Tx) error {
		list, next = nil, ""
		all, _, err := documents.List(tx, "", after, 0)
		for _, d := range all {
			if d.Region != region {
				continue
			}
			if limit > 0 && len(list) == limit {
				next = list[limit-1].Name
				break
			}
			list = append(list, d)
		}
		return err
	})
	return list, next, err
}

// Change applies f to a domain, checks and stores it. f may run more than once.
func (s *Service) Change(ctx context.Context, region, name string, f func(*Domain) error) (d *Domain, err error) {
	var fetched *MutualTLS // read outside of the transaction
	for {
		if d, err = s.Get(ctx, region, name); err != nil {
			return nil, err
		}
		if err := f(d); err != nil {
			return nil, err
		}
		if m := d.MutualTLS; m != nil && m.Truststore == "" {
			if err := s.readTruststore(ctx, m); err != nil {
				return nil, err
			}
			fetched = m
		}
		again := false
		err = s.db.Update(ctx, func(tx *store.Tx) error {
			if d, err = s.get(tx, region, name); err != nil {
				return err
			}
			if err := f(d); err != nil {
				return err
			}
			again = false
			if m := d.MutualTLS; m != nil && m.Truststore == "" {
				if again = fetched == nil || fetched.URI != m.URI || fetched.Version != m.Version; again {
					return errChanged
				}
				d.MutualTLS = fetched
			}
			if err := s.check(d); err != nil {
				return err
			}
			return documents.Put(tx, store.Key{ID: d.Name}, d)
		})
		if again && errors.Is(err, errChanged) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return d, nil
	}
}

var errChanged = errors.New("domains: the domain was changed meanwhile")

// Trust sets the truststore of a domain from what a caller asks for; "" for both takes it away. It is read
// when the domain is stored, whenever one is named.
func (d *Domain) Trust(uri, version *string) error {
	if uri == nil && version == nil {
		return nil
	}
	m := MutualTLS{}
	if d.MutualTLS != nil {
		m.URI, m.Version = d.MutualTLS.URI, d.MutualTLS.Version
	}
	if uri != nil {
		m.URI = *uri
		if version == nil {
			m.Version = ""
		}
	}
	if version != nil {
		m.Version = *version
	}
	switch {
	case m.URI != "":
		d.MutualTLS = &m
	case uri != nil: // the empty one
		d.MutualTLS = nil
	default:
		return bad("A truststore version needs a truststore URI")
	}
	return nil
}

// Tag applies f to the tags of a domain.
func Tag(tx *store.Tx, region, name string, f func(*map[string]string) error) error {
	d, err := documents.Get(tx, strings.ToLower(name))
	if errors.Is(err, store.ErrNotFound) || err == nil && d.Region != region {
		return noDomain()
	} else if err != nil {
		return err
	}
	if err := f(&d.Tags); err != nil {
		return err
	}
	return documents.Put(tx, store.Key{ID: d.Name}, d)
}

// Delete deletes a domain with its mappings.
func (s *Service) Delete(ctx context.Context, region, name string) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		d, err := s.get(tx, region, name)
		if err != nil {
			return err
		}
		list, _, err := mappings.List(tx, d.Name, "", 0)
		if err != nil {
			return err
		}
		for _, m := range list {
			if err := dropMapping(tx, m); err != nil {
				return err
			}
		}
		return documents.Delete(tx, d.Name)
	})
}
