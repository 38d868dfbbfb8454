package iam

import (
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// link says that an entity uses something: it has a policy attached or as its boundary, it is in a group,
// or in an instance profile. Entities know what they use; links are for the way back, which would
// otherwise be a search through all of them.
type link struct {
	Type string // "User", "Group" or "Role"
	Name string
	ID   string // the unique id
}

var links = store.Kind[link]{Name: "iam.link"}

// What links are about.
const (
	attachedTo = "policy "   // and the policy's ARN
	boundaryOf = "boundary " // and the policy's ARN
	memberOf   = "group "    // and the group's name, in lower case
	profileOf  = "role "     // and the role's name, in lower case: the instance profiles that it is in
)

// linkKey is where the link of an entity lies: below to, by type and name.
func linkKey(to, typ, name string) store.Key {
	return store.Key{ID: to + " " + typ + " " + strings.ToLower(name), Parent: to}
}

// bearer is an entity with policies.
type bearer interface {
	self() link
	grants() *Grants
}

func (u *User) self() link       { return link{"User", u.Name, u.ID} }
func (u *User) grants() *Grants  { return &u.Grants }
func (g *Group) self() link      { return link{"Group", g.Name, g.ID} }
func (g *Group) grants() *Grants { return &g.Grants }
func (r *Role) self() link       { return link{"Role", r.Name, r.ID} }
func (r *Role) grants() *Grants  { return &r.Grants }

// linksOf lists what a bearer's links are to.
func linksOf(b bearer) []string {
	g := b.grants()
	var out []string
	for _, a := range g.Attached {
		out = append(out, attachedTo+a)
	}
	if g.Boundary != "" {
		out = append(out, boundaryOf+g.Boundary)
	}
	if u, ok := b.(*User); ok {
		for _, name := range u.Groups {
			out = append(out, memberOf+strings.ToLower(name))
		}
	}
	return out
}

// relink brings an entity's links from what they were to what it now uses. old is what self and linksOf
// said before; a new entity has none.
func relink(tx *store.Tx, old *link, was []string, b bearer) error {
	now, self := linksOf(b), b.self()
	for _, to := range was {
		if old.Name == self.Name && slices.Contains(now, to) {
			continue
		}
		if err := links.Delete(tx, linkKey(to, old.Type, old.Name).ID); err != nil && err != store.ErrNotFound {
			return err
		}
	}
	for _, to := range now {
		if old != nil && old.Name == self.Name && slices.Contains(was, to) {
			continue
		}
		if err := links.Put(tx, linkKey(to, self.Type, self.Name), &self); err != nil {
			return err
		}
	}
	return nil
}

// unlink removes the links of an entity that goes.
func unlink(tx *store.Tx, b bearer) error {
	self := b.self()
	for _, to := range linksOf(b) {
		if err := links.Delete(tx, linkKey(to, self.Type, self.Name).ID); err != nil && err != store.ErrNotFound {
			return err
		}
	}
	return nil
}

// change applies f to an entity and its links.
func change[T any, P interface {
	*T
	bearer
}](tx *store.Tx, kind store.Kind[T], key store.Key, missing error, f func(P) error) error {
	v, err := kind.Get(tx, key.ID)
	if err == store.ErrNotFound {
		return missing
	}
	if err != nil {
		return err
	}
	b := P(v)
	old, was := b.self(), linksOf(b)
	if err := f(b); err != nil {
		return err
	}
	if err := relink(tx, &old, was, b); err != nil {
		return err
	}
	return kind.Put(tx, key, v)
}

// linked counts the links to something.
func linked(tx *store.Tx, to string) (n int64, err error) {
	err = tx.QueryRow("SELECT count(*) FROM documents WHERE kind = $1 AND parent = $2", links.Name, to).Scan(&n)
	return n, err
}
