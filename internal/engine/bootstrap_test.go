package engine

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	stsapi "github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// TestBootstrap: who looks for what cdk bootstrap makes finds it, in each region, once it was looked for;
// and not again after it was deleted.
func TestBootstrap(t *testing.T) {
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(context.Background()) })
	root := e.iam.Root()
	call := func(region string) *wire.Call {
		return &wire.Call{Account: DefaultAccount, Region: region, Partition: "aws", Principal: root.ARN, Caller: root, Secure: true, Time: time.Now()}
	}
	hook := bootstrapping{e.authorizer(), e}
	look := func(c *wire.Call, m *shape.Model, operation string, in any) {
		t.Helper()
		if err := hook.Authorize(wire.WithCall(t.Context(), c), m, m.Operation(operation), in, c); err != nil {
			t.Error(err)
		}
	}
	known := func(region string) bool {
		t.Helper()
		k, err := e.stacks.Known(wire.WithCall(t.Context(), call(region)), toolkitStack)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	describe := &cloudformation.DescribeStacksInput{StackName: shape.Ptr(toolkitStack)}

	east := call("us-east-1")
	look(east, &cloudformation.Model, "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: shape.Ptr("Other")})
	look(east, &stsapi.Model, "AssumeRole", &stsapi.AssumeRoleRequest{RoleArn: "arn:aws:iam::000000000000:role/other", RoleSessionName: "s"})
	if known("us-east-1") {
		t.Error("it was made though nobody looked for it")
	}
	var wg sync.WaitGroup
	for range 4 { // as the CDK publishes assets
		wg.Go(func() {
			look(east, &stsapi.Model, "AssumeRole", &stsapi.AssumeRoleRequest{
				RoleArn: "arn:aws:iam::000000000000:role/cdk-hnb659fds-file-publishing-role-000000000000-eu-west-1", RoleSessionName: "s"})
		})
	}
	wg.Wait()
	if !known("eu-west-1") || known("us-east-1") {
		t.Errorf("made where the role is: %v, elsewhere: %v", known("eu-west-1"), known("us-east-1"))
	}
	look(call("us-west-2"), &ssm.Model, "GetParameter", &ssm.GetParameterRequest{Name: toolkitVersion})
	if !known("us-west-2") {
		t.Error("not made for who reads the version")
	}
	look(east, &cloudformation.Model, "DescribeStacks", describe)
	ctx := wire.WithCall(t.Context(), east)
	out, err := e.stacks.DescribeStacks(ctx, describe)
	if err != nil || out.Stacks[0].StackStatus != "CREATE_COMPLETE" {
		t.Fatalf("%+v, %v", out, err)
	}
	values := map[string]string{}
	for _, o := range out.Stacks[0].Outputs {
		values[*o.OutputKey] = *o.OutputValue
	}
	if values["BucketName"] != "cdk-hnb659fds-assets-000000000000-us-east-1" || values["BootstrapVersion"] != "33" {
		t.Errorf("outputs %v", values)
	}
	if p, err := e.buckets.BucketPolicy(ctx, values["BucketName"]); p == nil || err != nil {
		t.Errorf("the bucket's policy: %v, %v", p, err)
	}
	if _, err := e.stacks.DeleteStack(ctx, &cloudformation.DeleteStackInput{StackName: toolkitStack}); err != nil {
		t.Fatal(err)
	}
	look(east, &cloudformation.Model, "DescribeStacks", describe)
	if _, err := e.stacks.DescribeStacks(ctx, describe); !shape.HasCode(err, "ValidationError") {
		t.Errorf("made again after it was deleted: %v", err)
	}
}
