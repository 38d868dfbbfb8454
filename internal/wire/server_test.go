package wire_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-dev/gatehouse/internal/api/apigateway"
	"github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/cognitoidp"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/sts"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// The handlers of these tests.
type pools struct {
	cognitoidp.Unimplemented
	call wire.Call
}

func (p *pools) InitiateAuth(ctx context.Context, in *cognitoidp.InitiateAuthRequest) (*cognitoidp.InitiateAuthResponse, error) {
	p.call = *wire.CallFrom(ctx)
	switch in.ClientId {
	case "userunknown":
		return nil, cognitoidp.UserNotFoundException("User does not exist.")
	case "panics":
		panic("the secret is 42")
	case "breaks":
		return nil, errors.New("sql: the secret is 42")
	case "quotes":
		return nil, cognitoidp.NotAuthorizedException("%s", "a \"b\" <c> & é\n")
	}
	return &cognitoidp.InitiateAuthResponse{AuthenticationResult: &cognitoidp.AuthenticationResultType{
		ExpiresIn: shape.Ptr(int64(3600)), TokenType: shape.Ptr("Bearer"),
	}}, nil
}

func (p *pools) ListUserPools(ctx context.Context, in *cognitoidp.ListUserPoolsRequest) (*cognitoidp.ListUserPoolsResponse, error) {
	p.call = *wire.CallFrom(ctx)
	return &cognitoidp.ListUserPoolsResponse{UserPools: []cognitoidp.UserPoolDescriptionType{{Id: shape.Ptr("p"), CreationDate: &noon}}}, nil
}

type functions struct{ lambda.Unimplemented }

func (functions) Invoke(_ context.Context, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error) {
	status := int64(200)
	if shape.Val(in.InvocationType) == "Event" {
		status = 202
	}
	return &lambda.InvocationResponse{StatusCode: &status, FunctionError: shape.Ptr("Unhandled"), ExecutedVersion: shape.Ptr("$LATEST"),
		Payload: append([]byte(in.FunctionName+" "), in.Payload...)}, nil
}

func (functions) GetFunction(_ context.Context, in *lambda.GetFunctionRequest) (*lambda.GetFunctionResponse, error) {
	return nil, lambda.ResourceNotFoundException("Function not found: %s", in.FunctionName)
}

func (functions) ListFunctions(_ context.Context, in *lambda.ListFunctionsRequest) (*lambda.ListFunctionsResponse, error) {
	return nil, lambda.TooManyRequestsException("Rate exceeded").With("Retry-After", "3").With("Reason", "CallerRateLimitExceeded")
}

func (functions) DeleteFunction(context.Context, *lambda.DeleteFunctionRequest) (*lambda.DeleteFunctionResponse, error) {
	return &lambda.DeleteFunctionResponse{StatusCode: shape.Ptr(int64(204))}, nil
}

func (functions) UntagResource(_ context.Context, in *lambda.UntagResourceRequest) (*lambda.UntagResourceResponse, error) {
	return nil, lambda.InvalidParameterValueException("%s %q", in.Resource, in.TagKeys)
}

type restAPIs struct{ apigateway.Unimplemented }

func (restAPIs) GetExport(_ context.Context, in *apigateway.GetExportRequest) (*apigateway.ExportResponse, error) {
	return &apigateway.ExportResponse{ContentType: shape.Ptr("application/yaml"), Body: []byte(in.RestApiId + " " + in.StageName + " " + in.ExportType + " " + in.Parameters["extensions"])}, nil
}

type stacks struct{ cloudformation.Unimplemented }

func (stacks) DescribeStacks(_ context.Context, in *cloudformation.DescribeStacksInput) (*cloudformation.DescribeStacksOutput, error) {
	if name := shape.Val(in.StackName); name != "" {
		return nil, shape.Errorf("ValidationError", 400, "Stack with id %s does not exist", name)
	}
	return &cloudformation.DescribeStacksOutput{Stacks: []cloudformation.Stack{{
		StackName: "s", CreationTime: noon, StackStatus: "CREATE_COMPLETE",
		Capabilities: []string{"CAPABILITY_IAM"}, Tags: []cloudformation.Tag{},
		DisableRollback: shape.Ptr(false),
		Outputs:         []cloudformation.Output{{OutputKey: shape.Ptr("K"), OutputValue: shape.Ptr("a<b>&\r\n\x01ü")}},
	}}}, nil
}

func (stacks) CreateStack(_ context.Context, in *cloudformation.CreateStackInput) (*cloudformation.CreateStackOutput, error) {
	var b strings.Builder
	for _, p := range in.Parameters {
		b.WriteString(shape.Val(p.ParameterKey) + "=" + shape.Val(p.ParameterValue) + ";")
	}
	if in.Tags != nil && len(in.Tags) == 0 {
		b.WriteString("no tags;")
	}
	return &cloudformation.CreateStackOutput{StackId: shape.Ptr(b.String() + strings.Join(in.Capabilities, ","))}, nil
}

type identities struct{ sts.Unimplemented }

func (identities) AssumeRoleWithWebIdentity(_ context.Context, in *sts.AssumeRoleWithWebIdentityRequest) (*sts.AssumeRoleWithWebIdentityResponse, error) {
	return nil, sts.InvalidIdentityTokenException("no")
}

func (identities) GetCallerIdentity(ctx context.Context, _ *sts.GetCallerIdentityRequest) (*sts.GetCallerIdentityResponse, error) {
	c := wire.CallFrom(ctx)
	return &sts.GetCallerIdentityResponse{Account: &c.Account, Arn: &c.Principal, UserId: &c.AccessKey}, nil
}

type buckets struct{ s3.Unimplemented }

func (buckets) GetObject(_ context.Context, in *s3.GetObjectRequest) (*s3.GetObjectOutput, error) {
	if in.Key == "missing" {
		return nil, shape.Errorf("NoSuchKey", 404, "The specified key does not exist.").With("Key", in.Key)
	}
	out := &s3.GetObjectOutput{Body: io.NopCloser(strings.NewReader("hello")), ContentLength: shape.Ptr(int64(5)), LastModified: &noon,
		ETag: shape.Ptr(`"e"`), Metadata: map[string]string{"colour": "red"}}
	if in.Range != nil {
		out.ContentRange = shape.Ptr("bytes 0-4/9")
	}
	return out, nil
}

func (buckets) HeadObject(_ context.Context, in *s3.HeadObjectRequest) (*s3.HeadObjectOutput, error) {
	return &s3.HeadObjectOutput{ContentLength: shape.Ptr(int64(5))}, nil
}

func (buckets) PutObject(_ context.Context, in *s3.PutObjectRequest) (*s3.PutObjectOutput, error) {
	b, err := io.ReadAll(in.Body)
	if err != nil {
		return nil, err
	}
	return &s3.PutObjectOutput{ETag: shape.Ptr(string(b) + " " + in.Key + " " + in.Metadata["colour"] + " " + shape.Val(in.ContentType))}, nil
}

func (buckets) GetBucketLocation(_ context.Context, in *s3.GetBucketLocationRequest) (*s3.GetBucketLocationOutput, error) {
	if in.Bucket == "east" {
		return &s3.GetBucketLocationOutput{}, nil
	}
	return &s3.GetBucketLocationOutput{LocationConstraint: shape.Ptr("eu-west-1")}, nil
}

func (buckets) ListObjectsV2(_ context.Context, in *s3.ListObjectsV2Request) (*s3.ListObjectsV2Output, error) {
	return &s3.ListObjectsV2Output{Name: &in.Bucket, Prefix: in.Prefix, MaxKeys: in.MaxKeys, IsTruncated: shape.Ptr(false),
		Contents:       []s3.Object{{Key: shape.Ptr("a&b"), Size: shape.Ptr(int64(5)), LastModified: &noon}, {Key: shape.Ptr("c")}},
		CommonPrefixes: []s3.CommonPrefix{{Prefix: shape.Ptr("d/")}}}, nil
}

func (buckets) DeleteObjects(_ context.Context, in *s3.DeleteObjectsRequest) (*s3.DeleteObjectsOutput, error) {
	out := &s3.DeleteObjectsOutput{}
	for _, o := range in.Delete.Objects {
		out.Deleted = append(out.Deleted, s3.DeletedObject{Key: shape.Ptr(o.Key)})
	}
	return out, nil
}

func (buckets) GetBucketAcl(context.Context, *s3.GetBucketAclRequest) (*s3.GetBucketAclOutput, error) {
	return &s3.GetBucketAclOutput{Grants: []s3.Grant{{Permission: shape.Ptr("READ"), Grantee: &s3.Grantee{Type: "CanonicalUser", ID: shape.Ptr("me")}}}}, nil
}

func testServer(t testing.TB, edit func(*wire.Options)) (*wire.Server, *pools) {
	p := &pools{}
	o := wire.Options{
		Services: []wire.Service{
			{Model: &cognitoidp.Model, Handler: p},
			{Model: &lambda.Model, Handler: functions{}, MaxBody: func(op string) int64 {
				if op == "Invoke" {
					return 100
				}
				return 0
			}},
			{Model: &apigateway.Model, Handler: restAPIs{}},
			{Model: &cloudformation.Model, Handler: stacks{}},
			{Model: &sts.Model, Handler: identities{}},
			{Model: &s3.Model, Handler: buckets{}},
		},
		Auth: anyone{}, Account: "000000000000", MaxBody: 4096,
	}
	if edit != nil {
		edit(&o)
	}
	return wire.NewServer(o), p
}

var uuid = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

// exchange is a request and the answer that it must get. "ID" stands for the request's id.
type exchange struct {
	name    string
	method  string // "POST" if empty
	url     string // endpoint+"/" if empty
	scope   string
	header  map[string]string
	body    string
	status  int
	want    string            // the body
	headers map[string]string // of the answer, "" for absent
}

func run(t *testing.T, s *wire.Server, tests []exchange) {
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.method == "" {
				tt.method = "POST"
			}
			if !strings.HasPrefix(tt.url, "http") {
				tt.url = endpoint + "/" + strings.TrimPrefix(tt.url, "/")
			}
			r := httptest.NewRequest(tt.method, tt.url, strings.NewReader(tt.body))
			if tt.scope != "" {
				sign(r, tt.scope)
			}
			for name, value := range tt.header {
				r.Header.Set(name, value)
			}
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != tt.status {
				t.Errorf("status %d, want %d", w.Code, tt.status)
			}
			if diff := cmp.Diff(tt.want, uuid.ReplaceAllString(w.Body.String(), "ID")); diff != "" {
				t.Errorf("body (-want +got):\n%s", diff)
			}
			for name, want := range tt.headers {
				got := w.Header().Get(name)
				if v := w.Header()[name]; len(v) > 0 {
					got = v[0]
				}
				if uuid.MatchString(got) {
					got = "ID"
				}
				if got != want {
					t.Errorf("%s: %q, want %q", name, got, want)
				}
			}
		})
	}
}

func TestCall(t *testing.T) {
	s, p := testServer(t, func(o *wire.Options) { o.Now = func() time.Time { return noon } })
	post := func(host string, edit func(*http.Request)) wire.Call {
		t.Helper()
		r := httptest.NewRequest("POST", "https://"+host+"/", strings.NewReader(`{"MaxResults":1,"ClientId":"abc","AuthFlow":"USER_SRP_AUTH"}`))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("User-Agent", "tester")
		r.Header.Set("X-Forwarded-For", "1.2.3.4")
		edit(r)
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if p.call.RequestID != w.Header().Get("x-amzn-RequestId") {
			t.Errorf("request id %q, header %q", p.call.RequestID, w.Header().Get("x-amzn-RequestId"))
		}
		p.call.RequestID = ""
		return p.call
	}
	base := wire.Call{Service: "cognito-idp", Operation: "ListUserPools", Account: "000000000000", Region: "eu-west-1", Partition: "aws",
		Principal: "arn:aws:iam::000000000000:root", AccessKey: "AKIDEXAMPLE", SourceIP: "192.0.2.1", UserAgent: "tester", Host: "localhost:4566", Secure: true, Time: noon}
	got := post("localhost:4566", func(r *http.Request) {
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.ListUserPools")
		sign(r, "cognito-idp")
	})
	if diff := cmp.Diff(base, got); diff != "" {
		t.Errorf("signed: %s", diff)
	}
	// An unsigned operation: credentials are neither needed nor believed, and the host gives the region.
	want := base
	want.Operation, want.Principal, want.AccessKey, want.Region, want.Host = "InitiateAuth", "", "", "ap-south-1", "cognito-idp.ap-south-1.amazonaws.com"
	got = post(want.Host, func(r *http.Request) {
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
		r.Header.Set("Authorization", "Bearer nonsense")
	})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("unsigned: %s", diff)
	}
}

// TestNothingLeaks holds what goes wrong inside against what a caller sees and the log says.
func TestNothingLeaks(t *testing.T) {
	var log bytes.Buffer
	s, _ := testServer(t, func(o *wire.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for client, logged := range map[string]string{"panics": "server_test.go", "breaks": "sql: the secret is 42"} {
		log.Reset()
		r := httptest.NewRequest("POST", endpoint+"/", strings.NewReader(`{"ClientId":"`+client+`","AuthFlow":"USER_SRP_AUTH"}`))
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		want := `{"__type":"InternalErrorException","message":"The request processing has failed because of an unknown error, exception or failure."}`
		if w.Code != 500 || w.Body.String() != want {
			t.Errorf("%s: %d %s", client, w.Code, w.Body)
		}
		if id := w.Header().Get("x-amzn-RequestId"); !strings.Contains(log.String(), logged) || !strings.Contains(log.String(), id) {
			t.Errorf("%s: log %s", client, log.String())
		}
	}
}

func TestOrigins(t *testing.T) {
	s, _ := testServer(t, func(o *wire.Options) {
		o.AllowOrigin = func(_ *http.Request, origin string) bool { return origin != "https://evil.example" }
	})
	for origin, status := range map[string]int{"": 200, "https://good.example": 200, "https://evil.example": 403} {
		r := httptest.NewRequest("POST", endpoint+"/", strings.NewReader("Action=GetCallerIdentity&Version=2011-06-15"))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		sign(r, "sts")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Code != status {
			t.Errorf("%s: %d", origin, w.Code)
		}
	}
}

// TestAuthErrors holds the words of each protocol for each problem.
func TestAuthErrors(t *testing.T) {
	for problem, want := range map[wire.AuthProblem][4]string{
		wire.UnknownAccessKey:    {"400 UnrecognizedClientException", "403 UnrecognizedClientException", "403 InvalidClientTokenId", "403 InvalidAccessKeyId"},
		wire.SessionTokenExpired: {"400 ExpiredTokenException", "403 ExpiredTokenException", "403 ExpiredToken", "400 ExpiredToken"},
		wire.Denied:              {"400 AccessDeniedException", "403 AccessDeniedException", "403 AccessDenied", "403 AccessDenied"},
		wire.MissingCredentials:  {"400 MissingAuthenticationTokenException", "403 MissingAuthenticationTokenException", "403 MissingAuthenticationToken", "403 AccessDenied"},
	} {
		s, _ := testServer(t, func(o *wire.Options) {
			o.Auth = refusing{&wire.AuthError{Problem: problem, Cause: errors.New("hidden")}}
		})
		for i, m := range []*shape.Model{&cognitoidp.Model, &lambda.Model, &sts.Model, &s3.Model} {
			op := m.Operation([]string{"ListUserPools", "GetFunction", "GetCallerIdentity", "ListBuckets"}[i])
			w := httptest.NewRecorder()
			s.ServeHTTP(w, request(m, op))
			code, msg, err := parseError(m.Protocol, "GET", w)
			if got := http.StatusText(w.Code); err != nil || msg == "" || strings.Contains(msg, "hidden") || want[i] != itoa(w.Code)+" "+code {
				t.Errorf("%d, %s: %d %s %s %s %v", problem, m.ID, w.Code, got, code, msg, err)
			}
		}
	}
}

// policies is an Authorizer that notes what it is asked.
type policies struct {
	asked []string
	err   error
}

func (p *policies) Authorize(ctx context.Context, m *shape.Model, op *shape.Operation, in any, c *wire.Call) error {
	if wire.CallFrom(ctx) != c || c.Caller != "the caller" {
		return errors.New("not the call")
	}
	p.asked = append(p.asked, m.SigningName+":"+op.Name)
	if in, ok := in.(*lambda.GetFunctionRequest); ok {
		p.asked = append(p.asked, in.FunctionName)
	}
	return p.err
}

// known is an Authenticator that says more of callers.
type known struct{ anyone }

func (a known) Authenticate(ctx context.Context, r *http.Request, body func() (string, error), name string) (wire.Identity, error) {
	id, err := a.anyone.Authenticate(ctx, r, body, name)
	id.Caller = "the caller"
	return id, err
}

// TestAuthorizer holds when the Authorizer is asked, and how its refusal is worded.
func TestAuthorizer(t *testing.T) {
	text := "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: this"
	p := &policies{}
	s, _ := testServer(t, func(o *wire.Options) { o.Auth, o.Policies = known{}, p })
	call := func(r *http.Request) (int, string) {
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	public := func() *http.Request { // one that needs no signature, and has one
		r := httptest.NewRequest("POST", endpoint+"/", strings.NewReader(`{"ClientId":"abc","AuthFlow":"USER_SRP_AUTH"}`))
		r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		sign(r, "cognito-idp")
		return r
	}
	fn := func() *http.Request {
		r := httptest.NewRequest("GET", endpoint+"/2015-03-31/functions/hello", nil)
		sign(r, "lambda")
		return r
	}
	if code, body := call(fn()); code != 404 || !strings.Contains(body, "Function not found: hello") {
		t.Errorf("allowed: %d %s", code, body)
	}
	p.err = &wire.AuthError{Problem: wire.Denied, Message: text}
	if code, body := call(fn()); code != 403 || !strings.Contains(body, text) {
		t.Errorf("denied: %d %s", code, body)
	}
	if code, body := call(public()); code != 200 {
		t.Errorf("public: %d %s", code, body)
	}
	bad := fn()
	bad.URL.Path = "/2015-03-31/functions/" + strings.Repeat("x", 200)
	if code, body := call(bad); code != 400 || !strings.Contains(body, "validation error") {
		t.Errorf("invalid input: %d %s", code, body)
	}
	if want := []string{"lambda:GetFunction", "hello", "lambda:GetFunction", "hello"}; !cmp.Equal(p.asked, want) {
		t.Errorf("asked %q, want %q", p.asked, want)
	}
	p.err = errors.New("sql: the secret is 42")
	if code, body := call(fn()); code != 500 || strings.Contains(body, "42") {
		t.Errorf("broken: %d %s", code, body)
	}
}

func itoa(n int) string {
	return string([]byte{byte('0' + n/100), byte('0' + n/10%10), byte('0' + n%10)})
}

type refusing struct{ err error }

func (a refusing) Authenticate(context.Context, *http.Request, func() (string, error), string) (wire.Identity, error) {
	return wire.Identity{}, a.err
}

func BenchmarkJSON(b *testing.B) {
	s, _ := testServer(b, nil)
	body := []byte(`{"ClientId":"abcdefghijklmnopqrstuvwxyz","AuthFlow":"USER_PASSWORD_AUTH","AuthParameters":{"USERNAME":"ann@example.com","PASSWORD":"correct horse"}}`)
	r := httptest.NewRequest("POST", endpoint+"/", nil)
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.InitiateAuth")
	r.ContentLength = int64(len(body))
	w := &discard{h: http.Header{}}
	b.ReportAllocs()
	for b.Loop() {
		clear(w.h)
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.ServeHTTP(w, r)
		if w.status != 200 {
			b.Fatal(w.status)
		}
	}
}

type discard struct {
	h      http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.h }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
