package sts

import (
	"bytes"
	"compress/flate"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/session"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// The actions that trust policies are asked for.
const (
	actAssumeRole     = "sts:AssumeRole"
	actWebIdentity    = "sts:AssumeRoleWithWebIdentity"
	actSAML           = "sts:AssumeRoleWithSAML"
	actTagSession     = "sts:TagSession"
	actSourceIdentity = "sts:SetSourceIdentity"
)

const (
	defaultDuration = time.Hour
	chainDuration   = time.Hour // longest of a session that a session begins

	maxPolicyARNs = 10
	maxPolicy     = 2048 // characters of an inline session policy
	maxTags       = 50
	packedLimit   = 1024 // bytes of policies and tags, deflated
)

// tags are session tags with what is to become of them.
type tags struct {
	all        map[string]string // by key
	transitive []string          // keys of all, sorted
	given      []string          // keys that this request passes, sorted
}

// newTags checks what a request passes, and adds what the session that it is made in hands down. list is
// of pairs.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
func newTags(list []sts.Tag, transitive []string, from *session.Session) (tags, error) {
	if len(list) > maxTags {
		return tags{}, validation("1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to %d", maxTags)
	}
	t := tags{all: map[string]string{}}
	byLower := map[string]string{}
	for _, tag := range list {
		lower := strings.ToLower(tag.Key)
		if strings.HasPrefix(lower, "aws:") {
			return tags{}, invalidValue("Tag keys that begin with aws: are reserved for system use.")
		}
		if _, twice := byLower[lower]; twice {
			return tags{}, invalidValue("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
		}
		byLower[lower] = tag.Key
		t.all[tag.Key] = tag.Value
		t.given = append(t.given, tag.Key)
	}
	for _, key := range transitive {
		own, ok := byLower[strings.ToLower(key)]
		if !ok {
			return tags{}, invalidValue("The specified transitive tag key must be included in the requested tags.")
		}
		if !slices.Contains(t.transitive, own) {
			t.transitive = append(t.transitive, own)
		}
	}
	if from != nil {
		for _, key := range from.Transitive {
			if _, taken := byLower[strings.ToLower(key)]; taken {
				return tags{}, invalidValue("One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.")
			}
			t.all[key] = from.Tags[key]
			t.transitive = append(t.transitive, key)
		}
	}
	slices.Sort(t.given)
	slices.Sort(t.transitive)
	return t, nil
}

// about returns what policies may ask of a request for a session.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecuritytokenservice.html
func (t *tags) about(call *wire.Call, role *iam.Role, name, sourceIdentity string) *iam.Request {
	r := iam.RequestContext(call)
	if name != "" {
		r.Set("sts:rolesessionname", name)
	}
	if sourceIdentity != "" {
		r.Set("sts:sourceidentity", sourceIdentity)
		r.Set("aws:sourceidentity", sourceIdentity)
	}
	if len(t.given) > 0 {
		r.Set("aws:tagkeys", t.given...)
		for _, key := range t.given {
			r.Set("aws:requesttag/"+strings.ToLower(key), t.all[key])
		}
	}
	if len(t.transitive) > 0 {
		r.Set("sts:transitivetagkeys", t.transitive...)
	}
	if role != nil {
		for key, value := range role.Tags {
			r.Set("aws:resourcetag/"+strings.ToLower(key), value)
			r.Set("iam:resourcetag/"+strings.ToLower(key), value)
		}
	}
	return r
}

// trusts tells whether the role's trust policy lets the bearer of a token or an assertion do each of the
// actions.
func trusts(ctx context.Context, role *iam.Role, who policy.Principal, about policy.Context, actions ...string) bool {
	for _, action := range actions {
		d := policy.Evaluate(&policy.Set{Resource: role.TrustPolicy()}, &policy.Request{Principal: who, Action: action, Resource: role.ARN, Context: about})
		if t := trace.From(ctx); t != nil {
			for _, step := range policy.Explain(d) {
				t.Steps = append(t.Steps, trace.Step(step))
			}
		}
		if !d.Allowed {
			return false
		}
	}
	return true
}

// actions is the action itself, and what comes along with it.
func actions(action string, t *tags, sourceIdentity string) []string {
	list := []string{action}
	if len(t.all) > 0 {
		list = append(list, actTagSession)
	}
	if sourceIdentity != "" {
		list = append(list, actSourceIdentity)
	}
	return list
}

// role returns the role with the ARN; nil if there is none.
func (s *Service) role(ctx context.Context, arn string) (*iam.Role, error) {
	r, err := s.o.IAM.RoleByARN(ctx, arn)
	if shape.HasCode(err, "NoSuchEntity") {
		trace.From(ctx).Fail("role", "there is no such role", arn, "the ARN of a role, with its path")
		return nil, nil
	}
	return r, err
}

// lasts returns how long a session of the role lasts, if that is asked for. wanted nil is an hour.
func lasts(role *iam.Role, wanted *int64) (time.Duration, error) {
	if wanted == nil {
		return defaultDuration, nil
	}
	d := time.Duration(*wanted) * time.Second
	if most := time.Duration(role.MaxSession) * time.Second; d > max(most, time.Hour) {
		return 0, validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
	}
	return d, nil
}

var sourceIdentityForm = regexp.MustCompile(`^[\w+=,.@-]*$`)

func checkSourceIdentity(s string) bool {
	return s == "" || len(s) >= 2 && len(s) <= 64 && sourceIdentityForm.MatchString(s) && !strings.HasPrefix(strings.ToLower(s), "aws:")
}

// limits are the policies that a request gives a session.
func (s *Service) limits(ctx context.Context, inline *string, managed []sts.PolicyDescriptorType) (texts, arns []string, err error) {
	if inline != nil {
		if n := len([]rune(*inline)); n > maxPolicy {
			return nil, nil, validation("1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicy)
		}
		texts = []string{*inline}
	}
	if len(managed) > maxPolicyARNs {
		return nil, nil, validation("1 validation error detected: Value at 'policyArns' failed to satisfy constraint: Member must have length less than or equal to %d", maxPolicyARNs)
	}
	for _, p := range managed {
		if p.Arn != nil && !slices.Contains(arns, *p.Arn) {
			arns = append(arns, *p.Arn)
		}
	}
	return texts, arns, s.o.IAM.CheckSessionPolicies(ctx, texts, arns)
}

// packed returns how much of the space for policies and tags a session takes, in percent; nil if it has
// none of them.
func packed(ses *session.Session) (*int64, error) {
	if len(ses.Policies)+len(ses.PolicyARNs)+len(ses.Tags) == 0 {
		return nil, nil
	}
	text, err := json.Marshal([]any{ses.Policies, ses.PolicyARNs, ses.Tags})
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	w, err := flate.NewWriter(&out, flate.BestCompression)
	if err != nil {
		return nil, err
	}
	w.Write(text) // a buffer takes everything
	w.Close()
	percent := max(1, int64(out.Len())*100/packedLimit)
	if out.Len() > packedLimit {
		return nil, tooLarge(percent)
	}
	return &percent, nil
}

func tooLarge(percent int64) error {
	return sts.PackedPolicyTooLargeException("Packed policy consumes %d%% of allotted space, please use smaller policy.", percent)
}

// issue gives credentials for the session, for the time from now.
func (s *Service) issue(ses *session.Session, d time.Duration) (session.Credentials, error) {
	now := s.o.Now()
	ses.Issued, ses.Expires = now.Unix(), now.Add(d).Unix()
	c, err := s.o.Mint.Issue(ses)
	if errors.Is(err, session.ErrTooLarge) {
		return c, sts.PackedPolicyTooLargeException("Serialized token too large for session")
	}
	return c, err
}

// roleSession begins a session of a role.
func roleSession(account string, role *iam.Role, name string, t *tags) *session.Session {
	ses := &session.Session{Type: policy.RoleSession, Account: account, OwnerARN: role.ARN, OwnerID: role.ID, OwnerName: role.Name, Name: name}
	if len(t.all) > 0 {
		ses.Tags, ses.Transitive = maps.Clone(t.all), t.transitive
	}
	return ses
}

func credentials(c session.Credentials) *sts.Credentials {
	return &sts.Credentials{AccessKeyId: c.AccessKey, SecretAccessKey: c.Secret.Reveal(), SessionToken: c.Token, Expiration: c.Expires}
}

func assumed(ses *session.Session) *sts.AssumedRoleUser {
	p := ses.Principal()
	return &sts.AssumedRoleUser{Arn: p.ARN, AssumedRoleId: p.UserID}
}

func textOrNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
