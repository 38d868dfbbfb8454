package access

import (
	"context"
	"fmt"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Decider decides one question; it is package iam's service. See its method.
type Decider interface {
	Decide(ctx context.Context, c *iam.Caller, req *policy.Request, resourcePolicy *policy.Compiled) (policy.Decision, error)
}

// FunctionPolicies knows the resource policies of functions.
type FunctionPolicies interface {
	// FunctionPolicy returns the policy of the function, version or alias that an ARN names; nil if it has
	// none or there is no such function.
	FunctionPolicy(ctx context.Context, functionARN string) (*policy.Compiled, error)
}

// BucketPolicies knows the policies of buckets.
type BucketPolicies interface {
	// BucketPolicy returns a bucket's policy; nil if it has none or there is no such bucket.
	BucketPolicy(ctx context.Context, bucket string) (*policy.Compiled, error)
}

// Authorizer asks the policies of whoever makes a call of the control plane. It is a [wire.Authorizer].
// Its fields are set before it is used.
type Authorizer struct {
	Map
	IAM       Decider
	Functions FunctionPolicies // nil: functions have no policies
	Buckets   BucketPolicies   // nil: buckets have no policies
}

var _ wire.Authorizer = (*Authorizer)(nil)

// Authorize refuses with AWS's text what a policy denies or none allows. All that an operation asks must be
// allowed; the first question that is not is the one that the text is about. The account's root may do
// everything.
func (z *Authorizer) Authorize(ctx context.Context, m *shape.Model, op *shape.Operation, in any, c *wire.Call) error {
	who := iam.CallerOf(c)
	if who == nil {
		return fmt.Errorf("access: nothing is known of the caller %q", c.Principal)
	}
	if who.Type == policy.RootUser {
		trace.From(ctx).Pass("policy", "the account's root may do everything")
		return nil
	}
	asked := z.Of(ctx, m, op, in, c)
	if len(asked) == 0 {
		trace.From(ctx).Pass("policy", op.Name+" needs no permission")
		return nil
	}
	for i := range asked {
		if err := z.ask(ctx, m, who, &asked[i]); err != nil {
			return err
		}
	}
	return nil
}

// Ask asks one thing that the tables cannot see: what stands in a document that an operation of m takes.
// passedTo is, of iam:PassRole, the service that gets the role. Who asks is the caller of ctx's call; what
// the server does of its own accord is not asked about. A refusal is as those of Authorize.
func (z *Authorizer) Ask(ctx context.Context, m *shape.Model, action, resource, passedTo string) error {
	c := wire.CallFrom(ctx)
	who := iam.CallerOf(c)
	if who == nil || who.Type == policy.RootUser {
		return nil
	}
	a := &asking{ctx: ctx, m: &z.Map, op: new(operation), call: c, base: about(c)}
	if passedTo != "" {
		if resource = a.role(resource); resource == "" {
			return nil
		}
	}
	return z.ask(ctx, m, who, &policy.Request{Action: action, Resource: resource, Context: &keys{asking: a, resource: resource, passed: passedTo}})
}

func (z *Authorizer) ask(ctx context.Context, m *shape.Model, who *iam.Caller, q *policy.Request) error {
	trace.From(ctx).Pass("asked", q.Action+" on "+q.Resource)
	its, err := z.resourcePolicy(ctx, q)
	if err != nil {
		return err
	}
	d, err := z.IAM.Decide(ctx, who, q, its)
	if err == nil && !d.Allowed {
		return refusal(m, who, q, d.Because())
	}
	return err
}

// resourcePolicy returns the policy of the resource that a question is about, if it is of a kind that has
// some.
func (z *Authorizer) resourcePolicy(ctx context.Context, q *policy.Request) (*policy.Compiled, error) {
	switch {
	case z.Functions != nil && strings.HasPrefix(q.Action, "lambda:") && strings.Contains(q.Resource, ":function:"):
		return z.Functions.FunctionPolicy(ctx, q.Resource)
	case z.Buckets != nil && strings.HasPrefix(q.Action, "s3:"):
		_, bucket, _ := strings.Cut(q.Resource, ":s3:::")
		if bucket, _, _ = strings.Cut(bucket, "/"); bucket != "" && bucket != "*" {
			return z.Buckets.BucketPolicy(ctx, bucket)
		}
	}
	return nil, nil
}

// refusal words that who may not. https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func refusal(m *shape.Model, who *iam.Caller, q *policy.Request, because string) error {
	resource := q.Resource
	if strings.HasPrefix(q.Action, "s3:") {
		resource = `"` + resource + `"`
	}
	if strings.HasPrefix(q.Action, "iam:") {
		resource = iamWords(q.Action, resource)
	}
	may := "User: " + who.Principal.String() + " is not authorized to perform: " + q.Action + " "
	text := may + "on resource: " + resource + " " + because
	switch {
	case q.Action == "s3:ListAllMyBuckets", m.Endpoint == "cloudformation" && resource == "*":
		text = may + because
	case m.Endpoint == "lambda" && strings.HasPrefix(q.Action, "s3:GetObject"):
		_, object, _ := strings.Cut(q.Resource, ":s3:::")
		text = "Your access has been denied by S3, please make sure your request credentials have permission to GetObject for " + object +
			". S3 Error Code: AccessDenied. S3 Error Message: " + text
	}
	return &wire.AuthError{Problem: wire.Denied, Message: text}
}

// iamWords is how IAM calls managed policies in refusals.
func iamWords(action, arn string) string {
	_, path, ok := strings.Cut(arn, ":policy/")
	switch {
	case !ok || action == "iam:PassRole":
		return arn
	case action == "iam:ListPolicies":
		return "policy path /" + path
	case action == "iam:CreatePolicy":
		return "policy " + path[strings.LastIndexByte(path, '/')+1:]
	}
	return "policy " + arn
}
