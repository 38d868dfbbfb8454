package access

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
)

// Callers keeps callers beyond their calls, for stacks, which go on after a restart. What is kept is a
// session without its secret, so that the caller is then what its role or user is by then.
type Callers struct{ IAM *iam.Service }

type savedCaller struct {
	Root    bool             `json:",omitempty"`
	LongFor bool             `json:",omitempty"` // a user with a key of its own: Session was made up to find it again
	Session *session.Session `json:",omitempty"`
}

// SaveCaller returns what is known of a *iam.Caller, as JSON.
func (x Callers) SaveCaller(caller any) json.RawMessage {
	c, _ := caller.(*iam.Caller)
	var s savedCaller
	switch {
	case c == nil:
		return nil
	case c.Session != nil:
		s.Session = c.Session
	case c.Type == policy.RootUser:
		s.Root = true
	default:
		s.LongFor = true
		s.Session = &session.Session{Type: c.Type, Account: c.Account, OwnerARN: c.ARN, OwnerID: c.ID, OwnerName: c.Name}
	}
	data, err := json.Marshal(s)
	if err != nil {
		return nil // a session is texts and numbers
	}
	return data
}

// RestoreCaller returns the caller, or an error if its user or role is gone.
func (x Callers) RestoreCaller(ctx context.Context, saved json.RawMessage) (any, error) {
	var s savedCaller
	if len(saved) == 0 {
		return nil, errors.New("access: no caller was kept")
	}
	if err := json.Unmarshal(saved, &s); err != nil {
		return nil, err
	}
	switch {
	case s.Root:
		return x.IAM.Root(), nil
	case s.Session == nil:
		return nil, errors.New("access: no caller was kept")
	}
	who, err := x.IAM.SessionCaller(ctx, s.Session)
	if err != nil {
		return nil, err
	}
	if s.LongFor {
		who.Session, who.LongLived = nil, true
	}
	return who, nil
}

// AssumeForStack assumes a role as CloudFormation does.
func (x Callers) AssumeForStack(ctx context.Context, roleARN, stackID string) (caller any, principal string, refused bool, err error) {
	who, err := x.IAM.AssumeAsServiceFor(ctx, roleARN, "cloudformation.amazonaws.com", "AWSCloudFormation", stackID)
	var not iam.ErrNotAssumable
	if errors.As(err, &not) {
		return nil, "", true, err
	}
	if err != nil {
		return nil, "", false, err
	}
	return who, who.ARN, false, nil
}
