package conformance

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logtypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	lambdatypes "github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	s3types "github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

func makeRole(t testing.TB, c *iam.Client, name string) (arn *string) {
	t.Helper()
	return must(c.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: aws.String(lambdaTrust)}))(t).Role.Arn
}

func TestSDKIdentity(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database, "--account", "123456789012")
		cfg := s.config(t)
		ctx := t.Context()
		who := must(sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}))(t)
		same(t, "GetCallerIdentity", *who.Account+" "+*who.Arn, "123456789012 arn:aws:iam::123456789012:root")

		c := iam.NewFromConfig(cfg)
		name := aws.String("worker")
		same(t, "CreateRole", *makeRole(t, c, "worker"), "arn:aws:iam::123456789012:role/worker")
		ok(t, iam.NewRoleExistsWaiter(c).Wait(ctx, &iam.GetRoleInput{RoleName: name}, 10*time.Second))
		typed[*iamtypes.EntityAlreadyExistsException](t, "CreateRole", "Role with name worker already exists.")(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(lambdaTrust)}))
		typed[*iamtypes.MalformedPolicyDocumentException](t, "CreateRole", "")(c.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("other"), AssumeRolePolicyDocument: aws.String("{")}))
		role := must(c.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))(t).Role
		document := must(url.QueryUnescape(*role.AssumeRolePolicyDocument))(t)
		var got, want any
		decode(t, document, &got)
		decode(t, lambdaTrust, &want)
		same(t, "the trust policy", got, want)
		const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}`
		must(c.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("read"), PolicyDocument: aws.String(policy)}))(t)
		inline := must(c.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("read")}))(t)
		same(t, "the inline policy", must(url.QueryUnescape(*inline.PolicyDocument))(t), policy)
		basic := aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")
		must(c.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: basic}))(t)
		attached := must(c.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name}))(t).AttachedPolicies
		if len(attached) != 1 || *attached[0].PolicyArn != *basic {
			t.Errorf("ListAttachedRolePolicies: %v", attached)
		}
		typed[*iamtypes.DeleteConflictException](t, "DeleteRole", "")(c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))
		must(c.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: basic}))(t)
		must(c.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("read")}))(t)
		makeRole(t, c, "second")
		makeRole(t, c, "third")
		var roles []string
		for pages := iam.NewListRolesPaginator(c, &iam.ListRolesInput{MaxItems: aws.Int32(2)}); pages.HasMorePages(); {
			for _, r := range must(pages.NextPage(ctx))(t).Roles {
				roles = append(roles, *r.RoleName)
			}
		}
		same(t, "ListRoles", sorted(roles), []string{"second", "third", "worker"})
		must(c.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}))(t)
		typed[*iamtypes.NoSuchEntityException](t, "GetRole", "The role with name worker cannot be found.")(c.GetRole(ctx, &iam.GetRoleInput{RoleName: name}))
	})
}

const pythonCode = `import json, os, sys
def handler(event, context):
    print("called with", json.dumps(event))
    if event.get("fail"):
        raise ValueError("asked to fail")
    return {"version": "%s", "event": event, "greeting": os.environ.get("GREETING"), "name": context.function_name}
`

func TestSDKLambda(t *testing.T) {
	need(t, "python3")
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		cfg := s.config(t)
		c := lambda.NewFromConfig(cfg)
		ctx := t.Context()
		role := makeRole(t, iam.NewFromConfig(cfg), "worker")
		name := aws.String("greeter")
		create := &lambda.CreateFunctionInput{FunctionName: name, Role: role, Runtime: lambdatypes.RuntimePython312, Handler: aws.String("app.handler"),
			Code:        &lambdatypes.FunctionCode{ZipFile: zipped(t, "app.py", fmt.Sprintf(pythonCode, "one"))},
			Environment: &lambdatypes.Environment{Variables: map[string]string{"GREETING": "hello"}}, Timeout: aws.Int32(10), MemorySize: aws.Int32(256)}
		made := must(c.CreateFunction(ctx, create))(t)
		same(t, "FunctionArn", *made.FunctionArn, "arn:aws:lambda:us-east-1:000000000000:function:greeter")
		ok(t, lambda.NewFunctionActiveV2Waiter(c).Wait(ctx, &lambda.GetFunctionInput{FunctionName: name}, 30*time.Second))
		typed[*lambdatypes.ResourceConflictException](t, "CreateFunction", "Function already exist: greeter")(c.CreateFunction(ctx, create))

		invoke := func(payload string) (string, *lambda.InvokeOutput) {
			t.Helper()
			out := must(c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: []byte(payload), LogType: lambdatypes.LogTypeTail}))(t)
			return string(out.Payload), out
		}
		text, out := invoke(`{"a":1}`)
		var answer, want any
		decode(t, text, &answer)
		decode(t, `{"version":"one","event":{"a":1},"greeting":"hello","name":"greeter"}`, &want)
		same(t, "Invoke", answer, want)
		log := must(base64.StdEncoding.DecodeString(aws.ToString(out.LogResult)))(t)
		if out.StatusCode != 200 || out.FunctionError != nil || *out.ExecutedVersion != "$LATEST" || !strings.Contains(string(log), `called with {"a": 1}`) || !strings.Contains(string(log), "REPORT RequestId: ") {
			t.Errorf("Invoke: %+v\n%s", out, log)
		}
		text, out = invoke(`{"fail":true}`)
		var fault struct{ ErrorMessage, ErrorType string }
		decode(t, text, &fault)
		same(t, "a function's error", []string{aws.ToString(out.FunctionError), fault.ErrorType, fault.ErrorMessage}, []string{"Unhandled", "ValueError", "asked to fail"})
		same(t, "an event", must(c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, Payload: []byte("{}"), InvocationType: lambdatypes.InvocationTypeEvent}))(t).StatusCode, int32(202))
		same(t, "a dry run", must(c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name, InvocationType: lambdatypes.InvocationTypeDryRun}))(t).StatusCode, int32(204))

		must(c.UpdateFunctionCode(ctx, &lambda.UpdateFunctionCodeInput{FunctionName: name, ZipFile: zipped(t, "app.py", fmt.Sprintf(pythonCode, "two"))}))(t)
		ok(t, lambda.NewFunctionUpdatedV2Waiter(c).Wait(ctx, &lambda.GetFunctionInput{FunctionName: name}, 30*time.Second))
		must(c.UpdateFunctionConfiguration(ctx, &lambda.UpdateFunctionConfigurationInput{FunctionName: name, Environment: &lambdatypes.Environment{Variables: map[string]string{"GREETING": "good day"}}}))(t)
		ok(t, lambda.NewFunctionUpdatedV2Waiter(c).Wait(ctx, &lambda.GetFunctionInput{FunctionName: name}, 30*time.Second))
		if text, _ = invoke(`{}`); !strings.Contains(text, `"two"`) || !strings.Contains(text, `"good day"`) {
			t.Errorf("after the updates: %s", text)
		}
		conf := must(c.GetFunctionConfiguration(ctx, &lambda.GetFunctionConfigurationInput{FunctionName: made.FunctionArn}))(t)
		same(t, "the configuration", words(*conf.Timeout, *conf.MemorySize, conf.Runtime, *conf.Handler, *conf.Role == *role), "10 256 python3.12 app.handler true")

		must(c.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: name, StatementId: aws.String("api"), Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com")}))(t)
		var policy struct {
			Statement []struct{ Sid, Effect, Action string }
		}
		ok(t, json.Unmarshal([]byte(*must(c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name}))(t).Policy), &policy))
		if len(policy.Statement) != 1 || policy.Statement[0].Sid != "api" {
			t.Errorf("GetPolicy: %+v", policy)
		}
		typed[*lambdatypes.ResourceConflictException](t, "AddPermission", "")(c.AddPermission(ctx, &lambda.AddPermissionInput{FunctionName: name, StatementId: aws.String("api"),
			Action: aws.String("lambda:InvokeFunction"), Principal: aws.String("apigateway.amazonaws.com")}))
		must(c.RemovePermission(ctx, &lambda.RemovePermissionInput{FunctionName: name, StatementId: aws.String("api")}))(t)
		typed[*lambdatypes.ResourceNotFoundException](t, "GetPolicy", "")(c.GetPolicy(ctx, &lambda.GetPolicyInput{FunctionName: name}))

		create.FunctionName = aws.String("another")
		must(c.CreateFunction(ctx, create))(t)
		n := 0
		for pages := lambda.NewListFunctionsPaginator(c, &lambda.ListFunctionsInput{MaxItems: aws.Int32(1)}); pages.HasMorePages(); {
			n += len(must(pages.NextPage(ctx))(t).Functions)
		}
		same(t, "ListFunctions", n, 2)

		must(c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name}))(t)
		notFound := "Function not found: arn:aws:lambda:us-east-1:000000000000:function:greeter"
		typed[*lambdatypes.ResourceNotFoundException](t, "GetFunction", notFound)(c.GetFunction(ctx, &lambda.GetFunctionInput{FunctionName: name}))
		typed[*lambdatypes.ResourceNotFoundException](t, "DeleteFunction", notFound)(c.DeleteFunction(ctx, &lambda.DeleteFunctionInput{FunctionName: name}))
		typed[*lambdatypes.ResourceNotFoundException](t, "Invoke", notFound)(c.Invoke(ctx, &lambda.InvokeInput{FunctionName: name}))
		create.FunctionName, create.Timeout = aws.String("third"), aws.Int32(901)
		coded(t, "a long time-out", "ValidationException", "")(c.CreateFunction(ctx, create))
		create.Timeout, create.Code = nil, &lambdatypes.FunctionCode{ZipFile: []byte("no zip")}
		typed[*lambdatypes.InvalidParameterValueException](t, "no zip", "")(c.CreateFunction(ctx, create))
	})
}

func TestSDKLogs(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		c := cloudwatchlogs.NewFromConfig(s.config(t))
		ctx := t.Context()
		group, stream := aws.String("/test/one"), aws.String("a")
		must(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}))(t)
		typed[*logtypes.ResourceAlreadyExistsException](t, "CreateLogGroup", "The specified log group already exists")(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group}))
		must(c.CreateLogGroup(ctx, &cloudwatchlogs.CreateLogGroupInput{LogGroupName: aws.String("/test/two")}))(t)
		must(c.CreateLogStream(ctx, &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: stream}))(t)
		now := time.Now().UnixMilli()
		var events []logtypes.InputLogEvent
		for i := range 20 {
			text := fmt.Sprint("line ", i)
			if i%5 == 0 {
				text = "ERROR " + text
			}
			events = append(events, logtypes.InputLogEvent{Timestamp: aws.Int64(now + int64(i)), Message: &text})
		}
		put := &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: stream, LogEvents: events}
		must(c.PutLogEvents(ctx, put))(t)
		put.LogStreamName = aws.String("none")
		typed[*logtypes.ResourceNotFoundException](t, "PutLogEvents", "The specified log stream does not exist.")(c.PutLogEvents(ctx, put))
		got := must(c.GetLogEvents(ctx, &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: stream, StartFromHead: aws.Bool(true), Limit: aws.Int32(3)}))(t)
		if len(got.Events) != 3 || *got.Events[1].Message != "line 1" {
			t.Errorf("GetLogEvents: %v", got.Events)
		}
		var found []string
		for pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &cloudwatchlogs.FilterLogEventsInput{LogGroupName: group, FilterPattern: aws.String("ERROR"), Limit: aws.Int32(3)}); pages.HasMorePages(); {
			for _, e := range must(pages.NextPage(ctx))(t).Events {
				found = append(found, *e.Message)
			}
		}
		same(t, "FilterLogEvents", found, []string{"ERROR line 0", "ERROR line 5", "ERROR line 10", "ERROR line 15"})
		n := 0
		for pages := cloudwatchlogs.NewDescribeLogGroupsPaginator(c, &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("/test/"), Limit: aws.Int32(1)}); pages.HasMorePages(); {
			n += len(must(pages.NextPage(ctx))(t).LogGroups)
		}
		same(t, "DescribeLogGroups", n, 2)
		must(c.DeleteLogGroup(ctx, &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}))(t)
		typed[*logtypes.ResourceNotFoundException](t, "DescribeLogStreams", "The specified log group does not exist.")(c.DescribeLogStreams(ctx, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group}))
	})
}

func TestSDKBuckets(t *testing.T) {
	each(t, func(t *testing.T, database string) {
		s := startOn(t, database)
		c := s3.NewFromConfig(s.config(t), func(o *s3.Options) { o.UsePathStyle = true })
		ctx := t.Context()
		bucket := aws.String("things")
		must(c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: bucket}))(t)
		ok(t, s3.NewBucketExistsWaiter(c).Wait(ctx, &s3.HeadBucketInput{Bucket: bucket}, 10*time.Second))
		big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // 1 MiB
		for key, data := range map[string][]byte{"a b/ä+1.txt": []byte("hello"), "big": big, "c": {}, "d": []byte("d")} {
			must(c.PutObject(ctx, &s3.PutObjectInput{Bucket: bucket, Key: &key, Body: bytes.NewReader(data), ContentType: aws.String("text/x-test"), Metadata: map[string]string{"who": "me"}}))(t)
			out := must(c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: &key}))(t)
			got := must(io.ReadAll(out.Body))(t)
			out.Body.Close()
			if !bytes.Equal(got, data) || aws.ToString(out.ContentType) != "text/x-test" || out.Metadata["who"] != "me" || *out.ContentLength != int64(len(data)) {
				t.Errorf("GetObject %q: %d bytes, %v, %v", key, len(got), aws.ToString(out.ContentType), out.Metadata)
			}
		}
		var names []string
		for pages := s3.NewListObjectsV2Paginator(c, &s3.ListObjectsV2Input{Bucket: bucket, MaxKeys: aws.Int32(3)}); pages.HasMorePages(); {
			for _, o := range must(pages.NextPage(ctx))(t).Contents {
				names = append(names, *o.Key)
			}
		}
		same(t, "ListObjectsV2", names, []string{"a b/ä+1.txt", "big", "c", "d"})
		must(c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("big")}))(t)
		typed[*s3types.NotFound](t, "HeadObject", "")(c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("none")}))
		typed[*s3types.NoSuchKey](t, "GetObject", "The specified key does not exist.")(c.GetObject(ctx, &s3.GetObjectInput{Bucket: bucket, Key: aws.String("none")}))
		typed[*s3types.NoSuchBucket](t, "ListObjectsV2", "The specified bucket does not exist")(c.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String("nothing")}))
		// What arrives is not what was sent.
		wrong := base64.StdEncoding.EncodeToString(make([]byte, 32))
		for what, in := range map[string]*s3.PutObjectInput{
			"Content-MD5":           {ContentMD5: aws.String(wrong[:22] + "==")},
			"x-amz-checksum-sha256": {ChecksumSHA256: &wrong},
			"x-amz-checksum-crc32":  {ChecksumCRC32: aws.String("AAAAAA==")},
		} {
			in.Bucket, in.Key, in.Body = bucket, aws.String("damaged"), strings.NewReader("hello")
			coded(t, what, "BadDigest", "")(c.PutObject(ctx, in))
		}
		typed[*s3types.NotFound](t, "what was refused", "")(c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: bucket, Key: aws.String("damaged")}))
		coded(t, "DeleteBucket", "BucketNotEmpty", "")(c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}))
		must(c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: bucket, Key: aws.String("a b/ä+1.txt")}))(t)
		deleted := must(c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: bucket, Delete: &s3types.Delete{Objects: []s3types.ObjectIdentifier{{Key: aws.String("big")}, {Key: aws.String("c")}, {Key: aws.String("d")}}}}))(t)
		same(t, "DeleteObjects", len(deleted.Deleted), 3)
		must(c.DeleteBucket(ctx, &s3.DeleteBucketInput{Bucket: bucket}))(t)
		ok(t, s3.NewBucketNotExistsWaiter(c).Wait(ctx, &s3.HeadBucketInput{Bucket: bucket}, 10*time.Second))
	})
}
