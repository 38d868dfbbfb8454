package identitypools

import (
	"context"
	"errors"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// plan is what verified logins, and the identity that they came with, mean: whose they are, and what has to
// be written for it.
type plan struct {
	target *identity // nil: a new one
	link   []*login  // that lead nowhere yet
	retire *identity // a guest whose place the target takes
}

func (pl *plan) writes() bool { return pl.target == nil || len(pl.link) > 0 || pl.retire != nil }

// makePlan finds out whose the logins are; at least one is given. given is the identity that the caller named,
// or nil.
func makePlan(tx *store.Tx, p *Pool, given *identity, logins []*login) (*plan, error) {
	pl := new(plan)
	var owners []uid
	known := func(id uid) bool {
		for _, o := range owners {
			if o == id {
				return true
			}
		}
		return false
	}
	for _, l := range logins {
		id, ok := l.identity, true
		if l.kind != own {
			var err error
			if id, ok, err = owner(tx, p.uid(), l.link()); err != nil {
				return nil, err
			}
		}
		switch {
		case !ok:
			pl.link = append(pl.link, l)
			continue
		case l.kind == developer && given != nil && given.id != id:
			return nil, cognitoidentity.DeveloperUserAlreadyRegisteredException("The provided developer user identifier is already registered with Cognito under a different identity ID.")
		case !known(id):
			owners = append(owners, id)
		}
	}
	switch {
	case len(owners) > 1:
		if given != nil && given.state == authenticated && !known(given.id) {
			return nil, errLoginsDontMatch()
		}
		return nil, errLinkedElsewhere()
	case given == nil && len(owners) == 0:
		return pl, nil
	case given == nil:
	case given.state == guest && len(owners) == 0:
		pl.target = given
	case given.state == guest:
		pl.retire = given
	case given.state == disabled && len(owners) == 1 && given.merged == owners[0]:
		// The client still holds the identity from before it was merged.
	case len(owners) == 0 || !known(given.id):
		return nil, errLoginsDontMatch()
	}
	if given != nil && given.state == authenticated {
		pl.target = given
	}
	if pl.target == nil {
		var err error
		if pl.target, err = identityByID(tx, owners[0]); errors.Is(err, store.ErrNotFound) {
			return nil, errLoginsDontMatch() // a token of an identity that was deleted
		} else if err != nil {
			return nil, err
		}
		if pl.target.pool != p.uid() || pl.target.state != authenticated {
			return nil, errLoginsDontMatch()
		}
	}
	if len(pl.link) == 0 {
		return pl, nil
	}
	return pl, checkLinks(tx, p, pl)
}

// checkLinks tells whether the target can have the new logins: an identity has one of each public provider.
func checkLinks(tx *store.Tx, p *Pool, pl *plan) error {
	have, err := links(tx, pl.target.id)
	if err != nil {
		return err
	}
	if len(have)+len(pl.link) > maxLogins {
		return errTooManyLogins()
	}
	for _, l := range pl.link {
		for _, h := range have {
			if h.provider == l.provider && l.provider != p.developer() {
				return errLoginsDontMatch()
			}
		}
	}
	return nil
}

// errRaced makes resolve begin anew: a login has got its identity meanwhile.
var errRaced = errors.New("identitypools: raced")

// apply writes a plan and returns the identity.
func (pl *plan) apply(tx *store.Tx, p *Pool, fresh uid) (*identity, error) {
	n := pl.target
	switch {
	case n == nil:
		n = &identity{id: fresh, pool: p.uid(), state: authenticated}
		if err := insertIdentity(tx, n); err != nil {
			return nil, err
		}
	case len(pl.link) > 0:
		n.state = authenticated
		if err := setState(tx, n); err != nil {
			return nil, err
		}
	}
	for _, l := range pl.link {
		if ok, err := insertLink(tx, n, l.link()); err != nil {
			return nil, err
		} else if !ok {
			return nil, errRaced
		}
	}
	if g := pl.retire; g != nil {
		g.state, g.merged = disabled, n.id
		if err := setState(tx, g); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// resolve returns the identity that the logins lead to. What is known costs reads only; a login that is
// new is linked, in one transaction with whatever else that means.
func (s *Service) resolve(ctx context.Context, p *Pool, given *identity, logins []*login) (*identity, error) {
	var pl *plan
	find := func(tx *store.Tx) (err error) {
		var g *identity
		if given != nil {
			if g, err = identityByID(tx, given.id); errors.Is(err, store.ErrNotFound) {
				return errIdentityNotFound(p.identityID(given.id))
			} else if err != nil {
				return err
			}
		}
		pl, err = makePlan(tx, p, g, logins)
		return err
	}
	n, err := (*identity)(nil), s.db.View(ctx, find)
	if err == nil {
		if n = pl.target; pl.writes() {
			fresh, _ := parseUID(ident.UUID())
			for range 8 {
				err = s.update(ctx, func(tx *store.Tx) error {
					if _, err := pools.Get(tx, p.id()); errors.Is(err, store.ErrNotFound) {
						return errPoolNotFound(p.id())
					} else if err != nil {
						return err
					}
					if err := find(tx); err != nil {
						return err
					}
					n, err = pl.apply(tx, p, fresh)
					return err
				})
				if !errors.Is(err, errRaced) {
					break
				}
			}
		}
	}
	tr := trace.From(ctx)
	if e := (*shape.Error)(nil); errors.As(err, &e) {
		tr.Fail("identity", e.Message, loginNames(logins), "logins of one identity")
		return nil, err
	}
	if err != nil {
		return nil, err
	}
	switch {
	case pl.retire != nil:
		tr.Pass("identity", p.identityID(n.id)+" is the logins'; it takes the place of the guest "+p.identityID(pl.retire.id))
	case given != nil && given.state == guest:
		tr.Pass("identity", "the guest "+p.identityID(n.id)+" has logged in")
	default:
		tr.Pass("identity", p.identityID(n.id))
	}
	return n, nil
}

func loginNames(logins []*login) string {
	var b strings.Builder
	for i, l := range logins {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(l.provider)
	}
	return b.String()
}

// GetId returns the identity of the logins, or a new guest.
func (s *Service) GetId(ctx context.Context, in *cognitoidentity.GetIdInput) (*cognitoidentity.GetIdResponse, error) {
	p, err := s.pool(ctx, in.IdentityPoolId)
	if err != nil {
		return nil, err
	}
	var n *identity
	if len(in.Logins) == 0 {
		n, err = s.newGuest(ctx, p)
	} else {
		var logins []*login
		if logins, err = s.verify(ctx, p, in.Logins, false); err == nil {
			n, err = s.resolve(ctx, p, nil, logins)
		}
	}
	if err != nil {
		return nil, err
	}
	return &cognitoidentity.GetIdResponse{IdentityId: shape.Ptr(p.identityID(n.id))}, nil
}

func (s *Service) newGuest(ctx context.Context, p *Pool) (*identity, error) {
	if !p.Config.AllowUnauthenticatedIdentities {
		trace.From(ctx).Fail("identity", "there are no logins, and the pool has no guests", "AllowUnauthenticatedIdentities false", "a login, or AllowUnauthenticatedIdentities true")
		return nil, errGuests()
	}
	n := &identity{pool: p.uid(), state: guest}
	n.id, _ = parseUID(ident.UUID())
	err := s.update(ctx, func(tx *store.Tx) error {
		if _, err := pools.Get(tx, p.id()); errors.Is(err, store.ErrNotFound) {
			return errPoolNotFound(p.id())
		} else if err != nil {
			return err
		}
		return insertIdentity(tx, n)
	})
	if err == nil {
		trace.From(ctx).Pass("identity", "a new guest, "+p.identityID(n.id))
	}
	return n, err
}

// caller is somebody whose identity is established.
type caller struct {
	pool   *Pool
	id     *identity
	logins []*login // none: a guest
}

// authenticate establishes who calls an operation that takes an identity and its logins. The identity may be
// another than the one that was named: see resolve.
func (s *Service) authenticate(ctx context.Context, id string, logins map[string]string) (*caller, error) {
	n, p, err := s.identity(ctx, id)
	if err != nil {
		return nil, err
	}
	c := &caller{pool: p, id: n}
	if len(logins) == 0 {
		switch {
		case n.state != guest:
			trace.From(ctx).Fail("identity", "the identity is no guest's", "no logins", "one of its logins")
			return nil, errForbidden(id)
		case !p.Config.AllowUnauthenticatedIdentities:
			trace.From(ctx).Fail("identity", "there are no logins, and the pool has no guests", "AllowUnauthenticatedIdentities false", "a login, or AllowUnauthenticatedIdentities true")
			return nil, errGuests()
		}
		trace.From(ctx).Pass("identity", "the guest "+id)
		return c, nil
	}
	if c.logins, err = s.verify(ctx, p, logins, false); err != nil {
		return nil, err
	}
	for _, l := range c.logins {
		if l.kind == own && l.identity != n.id && l.identity != n.merged {
			trace.From(ctx).Fail("login", "the token is another identity's", l.subject, id)
			return nil, errLoginsDontMatch()
		}
	}
	c.id, err = s.resolve(ctx, p, n, c.logins)
	return c, err
}

// amr is the caller's claim of that name: how it has logged in.
func (c *caller) amr() []string {
	if len(c.logins) == 0 {
		return []string{amrUnauthenticated}
	}
	list := []string{amrAuthenticated}
	for _, l := range c.logins {
		list = append(list, l.methods(c.pool.id())...)
	}
	return list
}

// sessionTags are the tags that the caller's session has.
func (c *caller) sessionTags() map[string]string {
	tags := map[string]string{}
	for _, l := range c.logins {
		from := l.tags
		if l.kind != own {
			from = c.pool.tagsOf(l)
		}
		for key, value := range from {
			tags[key] = value
		}
	}
	return tags
}
