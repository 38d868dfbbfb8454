package engine

import (
	"context"
	"errors"
	"net/http"
	"strings"

	v1 "github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	v2 "github.com/gatehouse-dev/gatehouse/internal/api/apigatewayv2"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidentity"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	logsapi "github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/iam/access"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// authorizer makes who decides by policies. The services that know resource policies and tags are there
// by the time of the first call.
func (e *Engine) authorizer() *access.Authorizer {
	return &access.Authorizer{
		Map: access.Map{Entities: access.IAM{Service: e.iam}, StackID: func(ctx context.Context, name string) string { return e.stacks.StackID(ctx, name) }, Tags: map[string]access.Tagger{
			"apigateway":       access.TaggerFunc(e.apiTags),
			"cloudformation":   access.TaggerFunc(e.stackTags),
			"cognito-identity": access.TaggerFunc(e.identityPoolTags),
			"cognito-idp":      access.TaggerFunc(e.userPoolTags),
			"iam":              access.TaggerFunc(e.entityTags),
			"lambda":           access.TaggerFunc(e.functionTags),
			"logs":             access.TaggerFunc(e.logGroupTags),
			"s3":               access.TaggerFunc(e.bucketTags),
			"ssm":              access.TaggerFunc(e.parameterTags),
		}},
		IAM: e.iam, Functions: functionPolicies{e}, Buckets: bucketPolicies{e},
	}
}

// functionPolicies finds functions' policies; who asks about a function that is not there learns that from
// the function's service, if it may.
type functionPolicies struct{ e *Engine }

func (f functionPolicies) FunctionPolicy(ctx context.Context, arn string) (*policy.Compiled, error) {
	p, err := f.e.functions.FunctionPolicy(ctx, arn)
	var e *shape.Error
	if errors.As(err, &e) && !e.Server {
		return nil, nil
	}
	return p, err
}

// bucketPolicies finds the policies of buckets.
type bucketPolicies struct{ e *Engine }

func (b bucketPolicies) BucketPolicy(ctx context.Context, bucket string) (*policy.Compiled, error) {
	return b.e.buckets.BucketPolicy(ctx, bucket)
}

// The tags of resources are read by the services' own operations, when a policy asks for them.

func (e *Engine) userPoolTags(ctx context.Context, arn string) map[string]string {
	out, err := e.pools.ListTagsForResource(ctx, &cognitoidp.ListTagsForResourceRequest{ResourceArn: arn})
	if err != nil {
		return nil
	}
	return out.Tags
}

func (e *Engine) identityPoolTags(ctx context.Context, arn string) map[string]string {
	out, err := e.identities.ListTagsForResource(ctx, &cognitoidentity.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil {
		return nil
	}
	return out.Tags
}

func (e *Engine) functionTags(ctx context.Context, arn string) map[string]string {
	if parts := strings.SplitN(arn, ":", 8); len(parts) == 8 { // a version or alias
		arn = strings.Join(parts[:7], ":")
	}
	out, err := e.functions.ListTags(ctx, &lambda.ListTagsRequest{Resource: arn})
	if err != nil {
		return nil
	}
	return out.Tags
}

// apiTags returns the tags of an API or stage for what belongs to it, too.
func (e *Engine) apiTags(ctx context.Context, arn string) map[string]string {
	head, path, ok := strings.Cut(arn, "::/")
	parts := strings.Split(path, "/")
	if !ok || len(parts) < 2 || parts[0] != "apis" && parts[0] != "restapis" {
		return nil
	}
	name := head + "::/" + parts[0] + "/" + parts[1]
	if len(parts) > 3 && parts[2] == "stages" {
		name += "/stages/" + parts[3]
	}
	if parts[0] == "restapis" {
		if rest, ok := e.handler(&v1.Model).(interface {
			GetTags(context.Context, *v1.GetTagsRequest) (*v1.Tags, error)
		}); ok {
			if out, err := rest.GetTags(ctx, &v1.GetTagsRequest{ResourceArn: name}); err == nil {
				return out.Tags
			}
		}
		return nil
	}
	out, err := e.apis.GetTags(ctx, &v2.GetTagsRequest{ResourceArn: name})
	if err != nil {
		return nil
	}
	return out.Tags
}

// handler returns the handler of a model; nil if it is not served.
func (e *Engine) handler(m *shape.Model) any {
	for _, s := range e.services {
		if s.Model == m {
			return s.Handler
		}
	}
	return nil
}

func (e *Engine) logGroupTags(ctx context.Context, arn string) map[string]string {
	arn, _, _ = strings.Cut(arn, ":log-stream:")
	out, err := e.logs.ListTagsForResource(ctx, &logsapi.ListTagsForResourceRequest{ResourceArn: arn})
	if err != nil {
		return nil
	}
	return out.Tags
}

// parameterTags looks for both names that an ARN may mean: /NAME and NAME.
func (e *Engine) parameterTags(ctx context.Context, arn string) map[string]string {
	_, name, ok := strings.Cut(arn, ":parameter/")
	if !ok {
		return nil
	}
	for _, id := range []string{"/" + name, name} {
		if out, err := e.params.ListTagsForResource(ctx, &ssm.ListTagsForResourceRequest{ResourceType: "Parameter", ResourceId: id}); err == nil {
			tags := map[string]string{}
			for _, t := range out.TagList {
				tags[t.Key] = t.Value
			}
			return tags
		}
	}
	return nil
}

func (e *Engine) bucketTags(ctx context.Context, arn string) map[string]string {
	_, name, _ := strings.Cut(arn, ":::")
	name, _, object := strings.Cut(name, "/")
	b, ok := any(e.buckets).(interface {
		GetBucketTagging(context.Context, *s3.GetBucketTaggingRequest) (*s3.GetBucketTaggingOutput, error)
	})
	if object || !ok {
		return nil
	}
	out, err := b.GetBucketTagging(ctx, &s3.GetBucketTaggingRequest{Bucket: name})
	if err != nil {
		return nil
	}
	tags := map[string]string{}
	for _, t := range out.TagSet {
		tags[t.Key] = t.Value
	}
	return tags
}

func (e *Engine) stackTags(ctx context.Context, arn string) map[string]string {
	out, err := e.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: &arn})
	if err != nil || len(out.Stacks) != 1 {
		return nil
	}
	tags := map[string]string{}
	for _, t := range out.Stacks[0].Tags {
		tags[t.Key] = t.Value
	}
	return tags
}

func (e *Engine) entityTags(ctx context.Context, arn string) map[string]string {
	_, id, _ := strings.Cut(arn, ":iam::")
	_, id, _ = strings.Cut(id, ":")
	name := id[strings.LastIndexByte(id, '/')+1:]
	var list []iamapi.Tag
	switch kind, _, _ := strings.Cut(id, "/"); kind {
	case "role":
		if out, err := e.iam.ListRoleTags(ctx, &iamapi.ListRoleTagsRequest{RoleName: name}); err == nil {
			list = out.Tags
		}
	case "user":
		if out, err := e.iam.ListUserTags(ctx, &iamapi.ListUserTagsRequest{UserName: name}); err == nil {
			list = out.Tags
		}
	case "policy":
		if out, err := e.iam.ListPolicyTags(ctx, &iamapi.ListPolicyTagsRequest{PolicyArn: arn}); err == nil {
			list = out.Tags
		}
	}
	tags := map[string]string{}
	for _, t := range list {
		tags[t.Key] = t.Value
	}
	return tags
}

// authorizeAdmin lets the account's root pass, and in open mode a stranger, who is taken for it.
func (e *Engine) authorizeAdmin(r *http.Request) (string, error) {
	if r.Body != nil {
		r.Body = http.MaxBytesReader(nil, r.Body, 0) // nothing here takes a body
	}
	id, err := e.iam.Authenticate(r.Context(), r, func() (string, error) { return emptyBody, nil }, "gatehouse")
	if err != nil {
		return "", err
	}
	if who, ok := id.Caller.(*iam.Caller); !ok || who.Type != policy.RootUser {
		return "", errors.New("Only the account's root may call this.")
	}
	if id.Region == "" {
		id.Region = e.cfg.Region
	}
	return id.Region, nil
}

// emptyBody is the SHA-256 of nothing.
const emptyBody = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
