package iam

import (
	"errors"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
)

// malformed words what package policy finds wrong with a document, as IAM does.
// https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreatePolicy.html
func malformed(doc string, err error) error {
	var e *policy.Error
	if !errors.As(err, &e) {
		return err
	}
	bad := iam.MalformedPolicyDocumentException
	switch e.Reason {
	case policy.TooLarge:
		return iam.LimitExceededException("Cannot exceed quota for PolicySize: %d", policy.MaxSize)
	case policy.MissingAction:
		return bad("Policy statement must contain actions.")
	case policy.MissingResource:
		return bad("Policy statement must contain resources.")
	case policy.MissingPrincipal:
		if d, err := policy.Parse(doc); err == nil && slices.ContainsFunc(d.Statements, func(st policy.Statement) bool { return st.Resource != nil || st.NotResource != nil }) {
			return bad("Has prohibited field Resource") // an identity policy in place of a trust policy: IAM sees that first
		}
		return bad("AssumeRole policy must contain principals.")
	case policy.InvalidAction:
		return bad("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case policy.ActionColons:
		return bad("Actions/Condition can contain only one colon.")
	case policy.ForeignAction:
		return bad("AssumeRole policy may only specify STS AssumeRole actions.")
	case policy.InvalidResource:
		return bad("Resource %s must be in ARN format or \"*\".", e.Detail)
	case policy.ResourcePartition:
		return bad("Partition \"%s\" is not valid for resource \"%s\".", partition(e.Detail), e.Detail)
	case policy.ResourceVendor:
		return bad("Resource vendor must be fully qualified and cannot contain regexes.")
	case policy.InvalidPrincipal:
		return bad("Invalid principal in policy: %s", principalIn(doc, e))
	case policy.InvalidSid:
		return bad("Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*")
	case policy.DuplicateSid:
		return bad("Statement IDs (SID) in a single policy must be unique.")
	case policy.InvalidOperator:
		return bad("Invalid Condition type : %s", e.Detail)
	case policy.InvalidConditionKey:
		return bad("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.")
	case policy.InvalidValue, policy.InvalidVariable:
		return bad("The policy failed legacy parsing: %s", e)
	case policy.PrincipalNotAllowed:
		return bad("Policy document should not specify a principal.")
	case policy.NotPrincipalNotAllowed:
		return bad("AssumeRolepolicy contained disallowed field NotPrincipal")
	case policy.ResourceNotAllowed:
		return bad("Has prohibited field Resource")
	case policy.IDNotAllowed:
		return bad("The policy failed legacy parsing: Policy document should not specify an Id.")
	}
	return bad("Syntax errors in policy.")
}

// principalIn shows a principal as the message about it does: "AWS":"X".
func principalIn(doc string, e *policy.Error) string {
	d, err := policy.Parse(doc)
	if err != nil || e.Statement < 0 || e.Statement >= len(d.Statements) || d.Statements[e.Statement].Principal == nil {
		return e.Detail
	}
	p := d.Statements[e.Statement].Principal
	for kind, list := range map[string][]string{"AWS": p.AWS, "Service": p.Service, "Federated": p.Federated} {
		if slices.Contains(list, e.Detail) {
			return `"` + kind + `":"` + e.Detail + `"`
		}
	}
	return e.Detail
}

// partition cuts the partition from what should be an ARN.
func partition(arn string) string {
	parts := [2]string{}
	rest := arn
	for i := range parts {
		j := 0
		for j < len(rest) && rest[j] != ':' {
			j++
		}
		parts[i], rest = rest[:j], rest[min(j+1, len(rest)):]
	}
	return parts[1]
}

// checkPolicy checks an identity policy.
func checkPolicy(doc string) error {
	_, err := policy.Compile(policy.Identity, "", doc)
	return malformed(doc, err)
}

// checkTrust checks a role's trust policy.
func checkTrust(doc string) error {
	if policy.Size(doc) > maxTrustPolicy {
		return iam.LimitExceededException("Cannot exceed quota for ACLSizePerRole: %d", maxTrustPolicy)
	}
	_, err := policy.Compile(policy.Trust, "", doc)
	return malformed(doc, err)
}

// Grants are what decides the permissions of a user, a group or a role.
type Grants struct {
	Inline   map[string]string // policy documents by name
	Attached []string          // ARNs of managed policies
	Boundary string            `json:",omitempty"` // ARN of a managed policy; of users and roles

	// Tokens says of inline policies which step of a stack made them.
	Tokens map[string]string `json:",omitempty"`

	inline atomic.Pointer[[]*policy.Compiled] // of Inline, made when first asked for
}

// compiled returns the inline policies, ready for evaluation. of says what they hang on: "role Worker".
func (g *Grants) compiled(of string) ([]*policy.Compiled, error) {
	if p := g.inline.Load(); p != nil {
		return *p, nil
	}
	list := make([]*policy.Compiled, 0, len(g.Inline))
	for _, name := range slices.Sorted(maps.Keys(g.Inline)) {
		c, err := policy.Compile(policy.Identity, name+" of "+of, g.Inline[name])
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	g.inline.Store(&list)
	return list, nil
}
