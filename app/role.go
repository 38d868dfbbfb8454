package app

import "regexp"

const (
	typeRole     = "AWS::IAM::Role"
	typePolicy   = "AWS::IAM::Policy"
	policySuffix = "Policy"
)

// A Statement is a statement of an IAM policy; see "IAM JSON policy elements" in the IAM User Guide.
type Statement struct {
	Sid       string
	Effect    Effect // Allow if empty
	Actions   []string
	Resources []Value
	Condition map[string]map[string]any // operator → key → value or values
}

// Effect is what a statement does.
type Effect string

const (
	Allow Effect = "Allow"
	Deny  Effect = "Deny"
)

// role is a role of its own that a construct makes, with the policy that says what it may do.
type role struct {
	stack    *Stack
	owner    string // id of the construct
	resource *Resource
	policy   *Resource // made by the first statement
}

// addRole adds a role that the construct id makes. trust is the statement that says who assumes it.
func (s *Stack) addRole(id string, trust Properties) *role {
	r := &role{stack: s, owner: id}
	r.resource = s.add(id+"Role", typeRole, Properties{"AssumeRolePolicyDocument": policyDocument(trust)})
	r.resource.tagging = tagList
	return r
}

// ARN is the role's ARN.
func (r *role) ARN() Value { return r.resource.GetAtt("Arn") }

// add adds a statement to the role's policy.
func (r *role) add(st Statement) {
	if len(st.Actions) == 0 || len(st.Resources) == 0 {
		r.stack.errorf(r.owner, "a statement needs actions and resources")
	}
	for _, a := range st.Actions {
		if a != "*" && !actionName.MatchString(a) {
			r.stack.errorf(r.owner, "%q is not an action; they look like sqs:SendMessage", a)
		}
	}
	doc := Properties{"Effect": Allow, "Action": one(st.Actions), "Resource": one(st.Resources)}
	if st.Effect != "" {
		doc["Effect"] = st.Effect
	}
	if st.Sid != "" {
		doc["Sid"] = st.Sid
	}
	if len(st.Condition) > 0 {
		doc["Condition"] = st.Condition
	}
	if r.policy == nil {
		r.policy = r.stack.add(r.owner+policySuffix, typePolicy, Properties{
			"PolicyName":     r.owner + policySuffix,
			"PolicyDocument": policyDocument(),
			"Roles":          []Value{r.resource.Ref()},
		})
	}
	document := r.policy.props["PolicyDocument"].(Properties)
	document["Statement"] = append(document["Statement"].([]any), doc)
}

var actionName = regexp.MustCompile(`^[a-z0-9-]+:[A-Za-z0-9*?]+$`)

// one is the element of a list of one, else the list, as people write policies.
func one[T any](list []T) any {
	if len(list) == 1 {
		return list[0]
	}
	return list
}

func policyDocument(statements ...any) Properties {
	if statements == nil {
		statements = []any{}
	}
	return Properties{"Version": "2012-10-17", "Statement": statements}
}
