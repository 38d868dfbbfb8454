package userpools

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/srp"
)

// status is where a user stands; the numbers are stored.
type status int64

const (
	unconfirmed status = iota
	confirmed
	resetRequired
	forceChangePassword
)

var statusNames = [...]string{"UNCONFIRMED", "CONFIRMED", "RESET_REQUIRED", "FORCE_CHANGE_PASSWORD"}

func (s status) String() string { return statusNames[s] }

// user is one user of a pool.
type user struct {
	pool     int64
	id       userID
	username string
	status   status
	enabled  bool
	created  time.Time
	modified time.Time
	expires  time.Time // of a temporary password
	sealed   []byte    // the credential; see seal
	attrs    map[string]string
}

// setAttribute sets one attribute. An address or number that changes is no longer verified.
func (u *user) setAttribute(name, value string) {
	if name == "email" || name == "phone_number" {
		if u.attrs[name] != value || u.attrs[name+"_verified"] == "" {
			u.attrs[name+"_verified"] = "false"
		}
	}
	u.attrs[name] = value
}

func (u *user) removeAttribute(name string) {
	delete(u.attrs, name)
	if name == "email" || name == "phone_number" {
		delete(u.attrs, name+"_verified")
	}
}

// attributes lists u's attributes in the order of the schema, those for which keep is true.
func (u *user) attributes(p *Pool, keep func(name string) bool) []cognitoidp.AttributeType {
	list := []cognitoidp.AttributeType{}
	if keep == nil || keep("sub") {
		list = append(list, cognitoidp.AttributeType{Name: "sub", Value: shape.Ptr(u.id.String())})
	}
	order := func(name string) int {
		return slices.IndexFunc(p.Config.SchemaAttributes, func(a cognitoidp.SchemaAttributeType) bool { return *a.Name == name })
	}
	names := make([]string, 0, len(u.attrs))
	for name := range u.attrs {
		if keep == nil || keep(name) {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(order(a)-order(b), strings.Compare(a, b)) })
	for _, name := range names {
		list = append(list, cognitoidp.AttributeType{Name: name, Value: shape.Ptr(u.attrs[name])})
	}
	return list
}

// setPassword makes the credential of a password. It takes 0.2 ms, so it is done outside
// transactions.
func (s *Service) setPassword(p *Pool, u *user, password string) {
	salt, verifier := srp.NewVerifier(p.srpName(), u.username, password)
	u.sealed = s.box.Seal(append(salt[:len(salt):len(salt)], verifier...), "userpools.credential/"+u.id.String())
}

// credential opens the credential of u; for nobody (u is nil) it makes up one that stays the same
// for the same name.
func (s *Service) credential(p *Pool, u *user, name string) (salt, verifier []byte, err error) {
	if u == nil {
		key, err := s.decoyKey(p)
		if err != nil {
			return nil, nil, err
		}
		salt, verifier = srp.Decoy(key, p.srpName(), p.foldName(name))
		return salt, verifier, nil
	}
	b, err := s.box.Open(u.sealed, "userpools.credential/"+u.id.String())
	if err != nil || len(b) != srp.SaltSize+srp.VerifierSize {
		return nil, nil, cmp.Or(err, errNoCredential)
	}
	return b[:srp.SaltSize], b[srp.SaltSize:], nil
}

func (s *Service) decoyKey(p *Pool) ([]byte, error) {
	return s.box.Open(p.Decoy, "userpools.decoy/"+p.id())
}

// shapeOf is u as ListUsers and AdminCreateUser show it.
func (u *user) shapeOf(p *Pool, keep func(string) bool) cognitoidp.UserType {
	return cognitoidp.UserType{Username: shape.Ptr(u.username), Attributes: u.attributes(p, keep), UserCreateDate: shape.Ptr(u.created),
		UserLastModifiedDate: shape.Ptr(u.modified), Enabled: shape.Ptr(u.enabled), UserStatus: shape.Ptr(u.status.String())}
}
