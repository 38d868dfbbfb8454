package engine

import (
	"context"
	_ "embed"
	"regexp"
	"slices"
	"strings"

	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	stsapi "github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// toolkit is what the CDK wants to find in each region that it deploys to: a bucket, roles, and a parameter
// with a version. It is the stack of cdk bootstrap, made by the server itself when somebody looks for it in a
// region that was never bootstrapped. From then on it is a stack like any other: it can be updated by cdk
// bootstrap, and deleted, and is not made again then.
//
//go:embed cdktoolkit.yaml
var toolkit string

const (
	toolkitStack   = "CDKToolkit"
	toolkitVersion = "/cdk-bootstrap/hnb659fds/version"
)

var toolkitRole = regexp.MustCompile(`^arn:aws:iam::([0-9]{12}):role/cdk-hnb659fds-(?:deploy|cfn-exec|file-publishing|image-publishing|lookup)-role-([0-9]{12})-([a-z0-9-]+)$`)

// bootstrapping is a wire.Authorizer that makes the toolkit's stack before a call that looks for it.
type bootstrapping struct {
	wire.Authorizer
	e *Engine
}

func (b bootstrapping) Authorize(ctx context.Context, m *shape.Model, op *shape.Operation, in any, c *wire.Call) error {
	err := b.Authorizer.Authorize(ctx, m, op, in, c)
	if err != nil {
		return err
	}
	region := c.Region
	switch in := in.(type) {
	case *cloudformation.DescribeStacksInput:
		if shape.Val(in.StackName) != toolkitStack {
			return nil
		}
	case *stsapi.AssumeRoleRequest:
		role := toolkitRole.FindStringSubmatch(in.RoleArn)
		if role == nil || role[1] != b.e.cfg.Account || role[2] != b.e.cfg.Account || !regionForm.MatchString(role[3]) {
			return nil
		}
		if _, err := b.e.iam.RoleByARN(ctx, in.RoleArn); err == nil {
			return nil
		}
		region = role[3]
	case *ssm.GetParameterRequest:
		if in.Name != toolkitVersion || b.e.versioned(ctx) {
			return nil
		}
	case *ssm.GetParametersRequest:
		if !slices.Contains(in.Names, toolkitVersion) || b.e.versioned(ctx) {
			return nil
		}
	default:
		return nil
	}
	b.e.bootstrap(ctx, region)
	return nil
}

// parameter reads the parameter store for templates.
func (e *Engine) parameter(ctx context.Context, name string) (string, error) {
	if name == toolkitVersion && !e.versioned(ctx) {
		e.bootstrap(ctx, wire.CallFrom(ctx).Region)
	}
	return e.params.Value(ctx, name)
}

// versioned tells whether somebody has said that the region of ctx's call is bootstrapped.
func (e *Engine) versioned(ctx context.Context) bool {
	_, err := e.params.Value(ctx, toolkitVersion)
	return err == nil
}

// bootstrap makes the toolkit's stack in a region, unless there is one or was one. If that fails, whoever
// looks for it finds nothing, and the log says why.
func (e *Engine) bootstrap(ctx context.Context, region string) {
	root := e.iam.Root()
	ctx = wire.WithCall(context.WithoutCancel(ctx), &wire.Call{
		RequestID: ident.RequestID(), Service: "cloudformation", Operation: "CreateStack", Account: e.cfg.Account, Region: region, Partition: "aws",
		Principal: root.ARN, Caller: root, Secure: true, Time: e.cfg.Now(),
	})
	if known, err := e.stacks.Known(ctx, toolkitStack); known || err != nil {
		return
	}
	e.bootstraps.Lock()
	defer e.bootstraps.Unlock()
	if known, err := e.stacks.Known(ctx, toolkitStack); known || err != nil {
		return
	}
	out, err := e.stacks.CreateStack(ctx, &cloudformation.CreateStackInput{
		StackName: toolkitStack, TemplateBody: &toolkit, Capabilities: []string{cloudformation.CapabilityCapabilityNamedIam},
		OnFailure: shape.Ptr(cloudformation.OnFailureDelete),
	})
	if err == nil {
		var st *cloudformation.DescribeStacksOutput
		if st, err = e.stacks.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: out.StackId}); err == nil && strings.HasPrefix(st.Stacks[0].StackStatus, "CREATE_") {
			return
		}
	}
	e.cfg.Logger.Warn("the stack of cdk bootstrap could not be made", "region", region, "error", err)
}
