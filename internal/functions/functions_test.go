package functions

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

const (
	account  = "123456789012"
	testRole = "arn:aws:iam::123456789012:role/lambda"
)

func arnOf(name string) string { return "arn:aws:lambda:us-east-1:" + account + ":function:" + name }

// objects is a bucket service with fixed content.
type objects map[string][]byte

func (o objects) OpenObject(_ context.Context, bucket, key, _ string) (io.ReadCloser, int64, error) {
	b, ok := o[bucket+"/"+key]
	if !ok {
		return nil, 0, shape.Errorf("NoSuchKey", 404, "The specified key does not exist.")
	}
	return io.NopCloser(bytes.NewReader(b)), int64(len(b)), nil
}

type sink struct {
	mu    sync.Mutex
	lines []string
}

func (l *sink) Write(region, group, stream string, _ time.Time, line []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, region+" "+group+" "+string(line))
}

func (l *sink) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.lines, "\n")
}

// env is a service and what it stands on.
type env struct {
	*Service
	ctx  context.Context
	logs *sink
}

func callCtx(t testing.TB, region string) context.Context {
	return wire.WithCall(t.Context(), &wire.Call{RequestID: ident.RequestID(), Account: account, Region: region, Operation: "Test", Principal: "arn:aws:iam::" + account + ":root"})
}

// newTest starts a service; stop ends it before the test does.
func newTest(t testing.TB, db *store.DB, dir string) (e *env, stop func()) {
	t.Helper()
	logs := &sink{}
	m := runtime.New(runtime.Options{Dir: filepath.Join(dir, "run"), Logs: logs})
	key, err := seal.FromBytes([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	s := New(Options{DB: db, Seal: key, Runtime: m, CodeDir: filepath.Join(dir, "code"), Account: account,
		Objects: objects{"bucket/node.zip": nodeZip(t, nodeEcho), "bucket/text": []byte("no zip")}})
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := errors.Join(s.Close(ctx), m.Close(ctx)); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	t.Cleanup(stop)
	return &env{s, callCtx(t, "us-east-1"), logs}, stop
}

func need(t testing.TB, tool string) {
	t.Helper()
	if _, err := exec.LookPath(tool); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is needed in CI: %v", tool, err)
		}
		t.Skipf("no %s on this machine", tool)
	}
}

func zipOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		h.SetMode(0o755)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(w, text)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

const nodeEcho = `
exports.handler = async (event, context) => {
  if (event.fail) throw new Error("it failed");
  if (event.sleep) await new Promise(r => setTimeout(r, event.sleep));
  console.log("got", JSON.stringify(event));
  return {event, env: process.env.GREETING, version: context.functionVersion, arn: context.invokedFunctionArn, client: context.clientContext, pid: process.pid, memory: context.memoryLimitInMB};
};`

func nodeZip(t testing.TB, text string) []byte { return zipOf(t, map[string]string{"index.js": text}) }

var goZip = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatehouse-test-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "bootstrap"), "./testdata/gofunc")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	b, err := os.ReadFile(filepath.Join(dir, "bootstrap"))
	return string(b), err
})

// createNode makes a function in Node.js.
func (e *env) createNode(t testing.TB, name string) *lambda.FunctionConfiguration {
	t.Helper()
	out, err := e.CreateFunction(e.ctx, nodeRequest(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func nodeRequest(t testing.TB, name string) *lambda.CreateFunctionRequest {
	return &lambda.CreateFunctionRequest{FunctionName: name, Role: testRole, Runtime: shape.Ptr("nodejs22.x"), Handler: shape.Ptr("index.handler"),
		Timeout: shape.Ptr(int64(10)), Code: &lambda.FunctionCode{ZipFile: nodeZip(t, nodeEcho)},
		Environment: &lambda.Environment{Variables: map[string]string{"GREETING": "hello"}}}
}

// answer is what the Node.js function returns.
type answer struct {
	Event, Client        any
	Env, Version, Arn    string
	Pid                  int
	Memory, ErrorMessage string
}

func (e *env) call(t testing.TB, ref, payload string) answer {
	t.Helper()
	out, err := e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: ref, Payload: []byte(payload)})
	if err != nil {
		t.Fatalf("Invoke %s: %v", ref, err)
	}
	var a answer
	if err := json.Unmarshal(out.Payload, &a); err != nil {
		t.Fatalf("Invoke %s: %s", ref, out.Payload)
	}
	return a
}

// fails checks an error's code and a part of its text.
func fails(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	var e *shape.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("%s: %v, want %s: …%s…", what, err, code, text)
	}
}

func TestLanguages(t *testing.T) {
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	bootstrap, err := goZip()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		tool, runtime, handler string
		files                  map[string]string
	}{
		{"go", "provided.al2023", "bootstrap", map[string]string{"bootstrap": bootstrap}},
		{"node", "nodejs22.x", "src/index.handler", map[string]string{"src/index.js": `exports.handler = async e => "hello " + e.name`}},
		{"python3", "python3.12", "app.handler", map[string]string{"app.py": "def handler(event, context):\n    return 'hello ' + event['name']\n"}},
	} {
		t.Run(tt.tool, func(t *testing.T) {
			need(t, tt.tool)
			_, err := e.CreateFunction(e.ctx, &lambda.CreateFunctionRequest{FunctionName: tt.tool, Role: testRole, Runtime: &tt.runtime, Handler: &tt.handler,
				Code: &lambda.FunctionCode{ZipFile: zipOf(t, tt.files)}})
			if err != nil {
				t.Fatal(err)
			}
			out, err := e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: tt.tool, Payload: []byte(`{"name":"you"}`), LogType: shape.Ptr("Tail")})
			if err != nil || string(out.Payload) != `"hello you"` || *out.StatusCode != 200 || *out.ExecutedVersion != "$LATEST" || out.FunctionError != nil {
				t.Fatalf("%+v, %v", out, err)
			}
			log, _ := base64.StdEncoding.DecodeString(*out.LogResult)
			if !strings.Contains(string(log), "START RequestId: ") || !strings.Contains(string(log), "REPORT RequestId: ") {
				t.Errorf("log %q", log)
			}
			payload, fault, err := e.InvokeFunction(t.Context(), arnOf(tt.tool), []byte(`{"name":"gateway"}`))
			if err != nil || fault != "" || string(payload) != `"hello gateway"` {
				t.Errorf("InvokeFunction: %s %s %v", payload, fault, err)
			}
		})
	}
}

func TestLife(t *testing.T) {
	need(t, "node")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		made := e.createNode(t, "hello")
		if *made.FunctionArn != arnOf("hello") || *made.Version != "$LATEST" || *made.State != "Active" || *made.LastUpdateStatus != "Successful" ||
			*made.MemorySize != 128 || *made.Timeout != 10 || made.EphemeralStorage.Size != 512 || made.Architectures[0] != "x86_64" ||
			*made.TracingConfig.Mode != "PassThrough" || *made.LoggingConfig.LogGroup != "/aws/lambda/hello" || len(*made.CodeSha256) != 44 {
			t.Errorf("created %+v", made)
		}
		if _, err := time.Parse("2006-01-02T15:04:05.000+0000", *made.LastModified); err != nil {
			t.Error(err)
		}
		first := e.call(t, "hello", `{"n":1}`)
		if first.Env != "hello" || first.Memory != "128" || first.Version != "$LATEST" || first.Arn != arnOf("hello") {
			t.Errorf("first call %+v", first)
		}
		for _, ref := range []string{"hello", "hello:$LATEST", "function:hello", account + ":function:hello", arnOf("hello"), arnOf("hello:$LATEST")} {
			if a := e.call(t, ref, `{}`); a.Pid != first.Pid {
				t.Errorf("%s: another process", ref)
			}
			if _, err := e.GetFunction(e.ctx, &lambda.GetFunctionRequest{FunctionName: ref}); err != nil {
				t.Errorf("%s: %v", ref, err)
			}
		}

		// The same code again keeps the warm process, other code does not.
		same, err := e.UpdateFunctionCode(e.ctx, &lambda.UpdateFunctionCodeRequest{FunctionName: "hello", S3Bucket: shape.Ptr("bucket"), S3Key: shape.Ptr("node.zip")})
		if err != nil || *same.CodeSha256 != *made.CodeSha256 || *same.RevisionId == *made.RevisionId {
			t.Fatalf("%+v, %v", same, err)
		}
		if a := e.call(t, "hello", `{}`); a.Pid != first.Pid {
			t.Error("an update without a change ended a process")
		}
		other := nodeZip(t, `exports.handler = async () => ({env: "new code", pid: process.pid})`)
		dry, err := e.UpdateFunctionCode(e.ctx, &lambda.UpdateFunctionCodeRequest{FunctionName: "hello", ZipFile: other, DryRun: shape.Ptr(true)})
		if err != nil || *dry.CodeSha256 == *made.CodeSha256 {
			t.Errorf("dry run %+v, %v", dry, err)
		}
		if a := e.call(t, "hello", `{}`); a.Pid != first.Pid {
			t.Error("a dry run changed the function")
		}
		_, err = e.UpdateFunctionCode(e.ctx, &lambda.UpdateFunctionCodeRequest{FunctionName: "hello", ZipFile: other, RevisionId: made.RevisionId})
		fails(t, "old revision", err, "PreconditionFailedException", "The Revision Id provided does not match")
		if _, err := e.UpdateFunctionCode(e.ctx, &lambda.UpdateFunctionCodeRequest{FunctionName: "hello", ZipFile: other, RevisionId: same.RevisionId}); err != nil {
			t.Fatal(err)
		}
		if a := e.call(t, "hello", `{}`); a.Pid == first.Pid || a.Env != "new code" {
			t.Errorf("new code: %+v", a)
		}

		conf, err := e.UpdateFunctionConfiguration(e.ctx, &lambda.UpdateFunctionConfigurationRequest{FunctionName: "hello", MemorySize: shape.Ptr(int64(256)),
			Environment: &lambda.Environment{Variables: map[string]string{}}, Description: shape.Ptr("greets"), LoggingConfig: &lambda.LoggingConfig{LogGroup: shape.Ptr("/my/group")}})
		if err != nil || *conf.MemorySize != 256 || conf.Environment != nil || *conf.Description != "greets" || *conf.Timeout != 10 || *conf.LoggingConfig.LogGroup != "/my/group" {
			t.Errorf("%+v, %v", conf, err)
		}
		e.call(t, "hello", `{}`)
		e.Runtime.Flush()
		if !strings.Contains(e.logs.text(), "us-east-1 /my/group START") {
			t.Errorf("logs %s", e.logs.text())
		}

		if _, err := e.DeleteFunction(e.ctx, &lambda.DeleteFunctionRequest{FunctionName: "hello"}); err != nil {
			t.Fatal(err)
		}
		for what, err := range map[string]error{
			"GetFunction":    second(e.GetFunction(e.ctx, &lambda.GetFunctionRequest{FunctionName: "hello"})),
			"DeleteFunction": second(e.DeleteFunction(e.ctx, &lambda.DeleteFunctionRequest{FunctionName: "hello"})),
			"Invoke":         second(e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: "hello"})),
		} {
			fails(t, what, err, "ResourceNotFoundException", "Function not found: "+arnOf("hello"))
		}
		if _, _, err := e.InvokeFunction(t.Context(), arnOf("hello"), nil); err == nil {
			t.Error("a deleted function runs")
		}
	})
}

func second[T any](_ T, err error) error { return err }

// TestKeepsCode: what a server knew, the next one on the same store knows, with its directory or without.
func TestKeepsCode(t *testing.T) {
	need(t, "node")
	db := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "test.db"))
	dir := t.TempDir()
	e, stop := newTest(t, db, dir)
	e.createNode(t, "a")
	e.createNode(t, "b")
	if entries, _ := os.ReadDir(filepath.Join(dir, "code")); len(entries) != 2 { // package.json beside it
		t.Errorf("the same code was unpacked twice: %v", entries)
	}
	stop()

	e, stop = newTest(t, db, dir)
	if a := e.call(t, "a", `{}`); a.Env != "hello" {
		t.Errorf("%+v", a)
	}
	stop()

	e, _ = newTest(t, db, t.TempDir())
	if a := e.call(t, "b", `{}`); a.Env != "hello" {
		t.Errorf("%+v", a)
	}
	for _, name := range []string{"a", "b"} {
		if err := e.code.collect(e.ctx); err != nil {
			t.Fatal(err)
		}
		if entries, _ := os.ReadDir(e.code.dir); len(entries) != 2 {
			t.Errorf("code in use was collected: %v", entries)
		}
		if _, err := e.DeleteFunction(e.ctx, &lambda.DeleteFunctionRequest{FunctionName: name}); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.code.collect(e.ctx); err != nil {
		t.Fatal(err)
	}
	if entries, _ := os.ReadDir(e.code.dir); len(entries) != 1 {
		t.Errorf("unused code was not collected: %v", entries)
	}
	e.createNode(t, "c") // the same code once more
	if a := e.call(t, "c", `{}`); a.Env != "hello" {
		t.Errorf("%+v", a)
	}
}

func TestRefusals(t *testing.T) {
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	e.createNode(t, "taken")
	big := map[string]string{"BIG": strings.Repeat("x", 4096)}
	for _, tt := range []struct {
		what       string
		edit       func(*lambda.CreateFunctionRequest)
		code, text string
	}{
		{"a taken name", func(in *lambda.CreateFunctionRequest) { in.FunctionName = "taken" }, "ResourceConflictException", "Function already exist: taken"},
		{"a long name", func(in *lambda.CreateFunctionRequest) { in.FunctionName = strings.Repeat("n", 65) }, "InvalidParameterValueException", ""},
		{"another region", func(in *lambda.CreateFunctionRequest) {
			in.FunctionName = "arn:aws:lambda:eu-west-1:" + account + ":function:f"
		}, "ResourceNotFoundException", "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')"},
		{"another account", func(in *lambda.CreateFunctionRequest) { in.FunctionName = "999999999999:function:f" }, "AccessDeniedException", "not authorized"},
		{"an image", func(in *lambda.CreateFunctionRequest) {
			in.PackageType = shape.Ptr("Image")
			in.Code = &lambda.FunctionCode{ImageUri: shape.Ptr("x")}
		}, "InvalidParameterValueException", "container images"},
		{"an image's URI", func(in *lambda.CreateFunctionRequest) { in.Code = &lambda.FunctionCode{ImageUri: shape.Ptr("x")} }, "InvalidParameterValueException", "ImageUri"},
		{"no runtime", func(in *lambda.CreateFunctionRequest) { in.Runtime = nil }, "InvalidParameterValueException", "Runtime and Handler are mandatory parameters for functions created with deployment packages."},
		{"no handler", func(in *lambda.CreateFunctionRequest) { in.Handler = nil }, "InvalidParameterValueException", "Runtime and Handler are mandatory"},
		{"Java", func(in *lambda.CreateFunctionRequest) { in.Runtime = shape.Ptr("java21") }, "InvalidParameterValueException", "java21"},
		{"an old runtime", func(in *lambda.CreateFunctionRequest) { in.Runtime = shape.Ptr("python2.7") }, "InvalidParameterValueException", "python2.7"},
		{"a long time-out", func(in *lambda.CreateFunctionRequest) { in.Timeout = shape.Ptr(int64(901)) }, "ValidationException", "less than or equal to 900"},
		{"no code", func(in *lambda.CreateFunctionRequest) { in.Code = &lambda.FunctionCode{} }, "InvalidParameterValueException", "Please provide a source for function code."},
		{"empty code", func(in *lambda.CreateFunctionRequest) { in.Code = &lambda.FunctionCode{ZipFile: []byte{}} }, "InvalidParameterValueException", "Uploaded file must be a non-empty zip"},
		{"an empty archive", func(in *lambda.CreateFunctionRequest) { in.Code = &lambda.FunctionCode{ZipFile: zipOf(t, nil)} }, "InvalidParameterValueException", "Uploaded file must be a non-empty zip"},
		{"no archive", func(in *lambda.CreateFunctionRequest) { in.Code = &lambda.FunctionCode{ZipFile: []byte("no zip")} }, "InvalidParameterValueException", "Could not unzip uploaded file. Please check your file, then try to upload again."},
		{"an archive that leaves its directory", func(in *lambda.CreateFunctionRequest) {
			in.Code = &lambda.FunctionCode{ZipFile: zipOf(t, map[string]string{"../x": "y"})}
		}, "InvalidParameterValueException", "Could not unzip uploaded file"},
		{"a large archive", func(in *lambda.CreateFunctionRequest) {
			in.Code = &lambda.FunctionCode{ZipFile: make([]byte, maxZipped+1)}
		}, "RequestEntityTooLargeException", "52428800"},
		{"a missing object", func(in *lambda.CreateFunctionRequest) {
			in.Code = &lambda.FunctionCode{S3Bucket: shape.Ptr("bucket"), S3Key: shape.Ptr("none")}
		}, "InvalidParameterValueException", "Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist."},
		{"an object that is no archive", func(in *lambda.CreateFunctionRequest) {
			in.Code = &lambda.FunctionCode{S3Bucket: shape.Ptr("bucket"), S3Key: shape.Ptr("text")}
		}, "InvalidParameterValueException", "Could not unzip"},
		{"two sources", func(in *lambda.CreateFunctionRequest) {
			in.Code.S3Bucket, in.Code.S3Key = shape.Ptr("bucket"), shape.Ptr("node.zip")
		}, "InvalidParameterValueException", "Please do not provide other FunctionCode parameters when providing a ZipFile."},
		{"reserved variables", func(in *lambda.CreateFunctionRequest) {
			in.Environment.Variables = map[string]string{"AWS_REGION": "x", "AWS_ACCESS_KEY_ID": "y"}
		}, "InvalidParameterValueException", "Reserved keys used in this request: AWS_ACCESS_KEY_ID, AWS_REGION"},
		{"a large environment", func(in *lambda.CreateFunctionRequest) { in.Environment.Variables = big }, "InvalidParameterValueException", "exceeded the 4KB limit."},
		{"layers", func(in *lambda.CreateFunctionRequest) {
			in.Layers = []string{"arn:aws:lambda:us-east-1:123456789012:layer:l:1"}
		}, "InvalidParameterValueException", "layers"},
		{"a VPC", func(in *lambda.CreateFunctionRequest) {
			in.VpcConfig = &lambda.VpcConfig{SubnetIds: []string{"subnet-1"}}
		}, "InvalidParameterValueException", "VPC"},
		{"a file system", func(in *lambda.CreateFunctionRequest) { in.FileSystemConfigs = []lambda.FileSystemConfig{{}} }, "InvalidParameterValueException", "file systems"},
		{"a queue", func(in *lambda.CreateFunctionRequest) {
			in.DeadLetterConfig = &lambda.DeadLetterConfig{TargetArn: shape.Ptr("arn:aws:sqs:us-east-1:123456789012:q")}
		}, "InvalidParameterValueException", "dead-letter"},
		{"a key", func(in *lambda.CreateFunctionRequest) {
			in.KMSKeyArn = shape.Ptr("arn:aws:kms:us-east-1:123456789012:key/1")
		}, "InvalidParameterValueException", "KMS"},
		{"SnapStart", func(in *lambda.CreateFunctionRequest) {
			in.SnapStart = &lambda.SnapStart{ApplyOn: shape.Ptr("PublishedVersions")}
		}, "InvalidParameterValueException", "SnapStart"},
		{"JSON logs", func(in *lambda.CreateFunctionRequest) {
			in.LoggingConfig = &lambda.LoggingConfig{LogFormat: shape.Ptr("JSON")}
		}, "InvalidParameterValueException", "JSON"},
	} {
		in := nodeRequest(t, "new")
		tt.edit(in)
		_, err := e.CreateFunction(e.ctx, in)
		fails(t, tt.what, err, tt.code, tt.text)
	}
	list, err := e.ListFunctions(e.ctx, &lambda.ListFunctionsRequest{})
	if err != nil || len(list.Functions) != 1 {
		t.Errorf("a refused function was made: %+v, %v", list, err)
	}
	// What says nothing passes: CDK and SST write it.
	in := nodeRequest(t, "plain")
	in.Layers, in.VpcConfig, in.DeadLetterConfig, in.ImageConfig = []string{}, &lambda.VpcConfig{}, &lambda.DeadLetterConfig{}, &lambda.ImageConfig{}
	in.SnapStart, in.TracingConfig, in.Code = &lambda.SnapStart{ApplyOn: shape.Ptr("None")}, &lambda.TracingConfig{Mode: shape.Ptr("Active")}, &lambda.FunctionCode{S3Bucket: shape.Ptr("bucket"), S3Key: shape.Ptr("node.zip")}
	out, err := e.CreateFunction(e.ctx, in)
	if err != nil || *out.TracingConfig.Mode != "Active" {
		t.Errorf("%+v, %v", out, err)
	}
}

// Environment variables are secrets as often as not: the database holds them sealed.
func TestVariablesAreSealed(t *testing.T) {
	db := storetest.Open(t, "memory:")
	s, _ := newTest(t, db, t.TempDir())
	vars := map[string]string{"DB_PASSWORD": "swordfish"}
	a, err := s.sealVariables(nil, vars)
	if err != nil || bytes.Contains(a, []byte("swordfish")) {
		t.Fatalf("%q, %v", a, err)
	}
	if b, err := s.sealVariables(a, map[string]string{"DB_PASSWORD": "swordfish"}); err != nil || !bytes.Equal(a, b) {
		t.Errorf("the same variables were sealed anew: %v", err)
	}
	if got, err := s.variables(a); err != nil || got["DB_PASSWORD"] != "swordfish" {
		t.Errorf("%v, %v", got, err)
	}
	if none, err := s.sealVariables(a, nil); err != nil || none != nil {
		t.Errorf("no variables: %q, %v", none, err)
	}
	a[len(a)-1] ^= 1
	if _, err := s.variables(a); err == nil {
		t.Error("changed variables were opened")
	}
}
