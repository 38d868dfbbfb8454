package iam

import (
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// User is a user with what hangs on it, apart from its access keys.
type User struct {
	Name, Path, ID, ARN string
	Created             int64 // epoch milliseconds
	Grants
	Groups []string // names, in the order in which it was put into them
	Tags   map[string]string
	Token  string `json:",omitempty"` // of the step of a stack that made it
}

var users = store.Kind[User]{Name: "iam.user"}

func userKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "users", Name: strings.ToLower(name)}
}

func noUser(name string) error {
	return iam.NoSuchEntityException("The user with name %s cannot be found.", name)
}

// principal returns the user as package policy knows it.
func (u *User) principal(account string) policy.Principal {
	return policy.Principal{Type: policy.User, ARN: u.ARN, Account: account, ID: u.ID, UserID: u.ID, Name: u.Name, Tags: u.Tags}
}

// Group is a group with what hangs on it, apart from its members.
type Group struct {
	Name, Path, ID, ARN string
	Created             int64 // epoch milliseconds
	Grants
	Token string `json:",omitempty"` // of the step of a stack that made it
}

var groups = store.Kind[Group]{Name: "iam.group"}

func groupKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "groups", Name: strings.ToLower(name)}
}

func noGroup(name string) error {
	return iam.NoSuchEntityException("The group with name %s cannot be found.", name)
}
