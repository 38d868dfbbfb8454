package userpools

import (
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// userID is a user's sub in its 16 bytes.
type userID [16]byte

func newUserID() userID {
	id, _ := parseUserID(ident.UUID())
	return id
}

// parseUserID reads a UUID in its usual form.
func parseUserID(s string) (id userID, ok bool) {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(s[0:8]+s[9:13]+s[14:18]+s[19:23]+s[24:36]))
	return id, err == nil
}

func (id userID) String() string {
	h := hex.EncodeToString(id[:])
	return h[0:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:32]
}

// MarshalText writes the id in its usual form: of one length, whatever it is.
func (id userID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads it.
func (id *userID) UnmarshalText(text []byte) error {
	var ok bool
	if *id, ok = parseUserID(string(text)); !ok {
		return errors.New("not a UUID")
	}
	return nil
}

// nameKind says what a name to sign in with is.
type nameKind int64

const (
	byUsername nameKind = iota
	byEmail
	byPhone
	byPreferred
)

func (k nameKind) attribute() string {
	return [...]string{"username", "email", "phone_number", "preferred_username"}[k]
}

type loginName struct {
	kind  nameKind
	value string // folded
}

// fold makes values compare without case.
func fold(s string) string { return strings.ToLower(s) }

// foldName makes names compare as the pool compares them.
func (p *Pool) foldName(s string) string {
	if p.caseSensitive() {
		return s
	}
	return fold(s)
}

func (p *Pool) caseSensitive() bool {
	c := p.Config.UsernameConfiguration
	return c == nil || c.CaseSensitive
}

// loginNames are the names that sign u in, besides the sub.
func (p *Pool) loginNames(u *user) []loginName {
	var names []loginName
	add := func(kind nameKind) {
		if v := u.attrs[kind.attribute()]; v != "" {
			names = append(names, loginName{kind, p.foldName(v)})
		}
	}
	if len(p.Config.UsernameAttributes) > 0 {
		for _, a := range p.Config.UsernameAttributes {
			if a == "email" {
				add(byEmail)
			} else {
				add(byPhone)
			}
		}
		return names
	}
	names = append(names, loginName{byUsername, p.foldName(u.username)})
	for _, a := range p.Config.AliasAttributes {
		switch a {
		case "email":
			if u.attrs["email_verified"] == "true" {
				add(byEmail)
			}
		case "phone_number":
			if u.attrs["phone_number_verified"] == "true" {
				add(byPhone)
			}
		case "preferred_username":
			add(byPreferred)
		}
	}
	return names
}

// nameNewUser works out the username of somebody new from the name that was given, and puts an
// address or number that serves as the name among the attributes.
func (p *Pool) nameNewUser(u *user, given string) error {
	if ua := p.Config.UsernameAttributes; len(ua) > 0 {
		email, phone := slices.Contains(ua, "email"), slices.Contains(ua, "phone_number")
		switch {
		case email && validEmail(given):
			u.setAttribute("email", given)
		case phone && validPhone(given):
			u.setAttribute("phone_number", given)
		case email && phone:
			return errInvalidParameter("Username should be either an email or a phone number.")
		case email:
			return errInvalidParameter("Username should be an email.")
		default:
			return errInvalidParameter("Username should be a phone number.")
		}
		u.username = u.id.String()
		return nil
	}
	for _, a := range p.Config.AliasAttributes {
		switch {
		case a == "email" && validEmail(given):
			return errInvalidParameter("Username cannot be of email format, since user pool is configured for email alias.")
		case a == "phone_number" && validPhone(given):
			return errInvalidParameter("Username cannot be of phone number format, since user pool is configured for phone number alias.")
		}
	}
	u.username = given
	return nil
}

// checkNameAttribute refuses attributes that say otherwise than the address or number that a new user
// was named by.
func (p *Pool) checkNameAttribute(u *user, attrs []cognitoidp.AttributeType) error {
	for _, a := range attrs {
		if named := u.attrs[a.Name]; (a.Name == "email" || a.Name == "phone_number") && named != "" && p.foldName(shape.Val(a.Value)) != p.foldName(named) {
			return errInvalidParameter("User attribute %s and the username do not match.", a.Name)
		}
	}
	return nil
}

var phoneForm = regexp.MustCompile(`^\+[1-9][0-9]{1,14}$`)

// validPhone reports whether s is an E.164 number with its plus sign.
func validPhone(s string) bool { return phoneForm.MatchString(s) }

// validEmail reports whether s has the form of a mail address: no quoting, no comments, nothing that
// could add to a header.
func validEmail(s string) bool {
	local, domain, ok := strings.Cut(s, "@")
	if !ok || local == "" || domain == "" || len(s) > 254 {
		return false
	}
	for _, r := range s {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>[]:;,\"`, r) {
			return false
		}
	}
	if strings.ContainsRune(domain, '@') || strings.HasPrefix(domain, ".") || strings.HasSuffix(domain, ".") || strings.Contains(domain, "..") {
		return false
	}
	return !strings.HasPrefix(domain, "-") && !strings.HasSuffix(local, ".") && !strings.HasPrefix(local, ".")
}

// mask hides most of an address or number, as CodeDeliveryDetails shows it.
func mask(value string) string {
	if local, domain, ok := strings.Cut(value, "@"); ok {
		return firstRune(local) + "***@" + firstRune(domain) + "***"
	}
	if strings.HasPrefix(value, "+") && len(value) > 5 {
		return "+" + strings.Repeat("*", len(value)-5) + value[len(value)-4:]
	}
	return "***"
}

func firstRune(s string) string {
	for _, r := range s {
		return string(r)
	}
	return ""
}
