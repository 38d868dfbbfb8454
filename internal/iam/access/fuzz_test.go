package access

import (
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	iamapi "github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// FuzzNames gives names in all forms to what reads them, and wants an ARN of this account's partition and
// of the service for each, so that no spelling escapes a policy about the account's resources.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"name", "name:1", "function:name", "000000000000:function:name", "arn:aws:lambda:us-east-1:000000000000:function:name:live", "arn:aws:lambda:us-east-1:function:name",
		"/a/b:3", "arn:aws:ssm:us-east-1:000000000000:parameter/a", "arn:", "arn:::::", "bucket/key?versionId=1", "/bucket/%2F", "arn:aws:logs:us-east-1:000000000000:log-group:/a:*", "arn:aws:iam::000000000000:role/x"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		m := &Map{Entities: names{}}
		for _, tt := range []struct {
			model  *shape.Model
			op     string
			in     any
			prefix string
		}{
			{&lambda.Model, "Invoke", &lambda.InvocationRequest{FunctionName: name}, "arn:aws:lambda:"},
			{&ssm.Model, "GetParameter", &ssm.GetParameterRequest{Name: name}, "arn:"},
			{&ssm.Model, "GetParametersByPath", &ssm.GetParametersByPathRequest{Path: name}, "arn:"},
			{&logs.Model, "FilterLogEvents", &logs.FilterLogEventsRequest{LogGroupIdentifier: &name}, "arn:aws:logs:us-east-1:000000000000:log-group:"},
			{&logs.Model, "TagResource", &logs.TagResourceRequest{ResourceArn: name}, "arn:"},
			{&s3.Model, "CopyObject", &s3.CopyObjectRequest{Bucket: "b", Key: "k", CopySource: name}, "arn:"},
			{&cloudformation.Model, "DescribeStacks", &cloudformation.DescribeStacksInput{StackName: &name}, "arn:"},
			{&iamapi.Model, "GetRole", &iamapi.GetRoleRequest{RoleName: name}, "arn:aws:iam::000000000000:role/"},
			{&iamapi.Model, "UpdateUser", &iamapi.UpdateUserRequest{UserName: name, NewUserName: &name, NewPath: &name}, "arn:aws:iam::000000000000:user"},
		} {
			for _, q := range m.Of(t.Context(), tt.model, tt.model.Operation(tt.op), tt.in, testCall()) {
				if !strings.HasPrefix(q.Resource, tt.prefix) {
					t.Errorf("%s of %q asks about %q", tt.op, name, q.Resource)
				}
				for _, key := range []string{"aws:resourcetag/a", "aws:requesttag/a", "aws:tagkeys", "s3:requestobjecttagkeys", "iam:permissionsboundary"} {
					q.Context.Values(key)
				}
			}
		}
	})
}
