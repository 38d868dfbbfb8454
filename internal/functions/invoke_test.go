package functions

import (
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

func TestInvoke(t *testing.T) {
	need(t, "node")
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	e.createNode(t, "f")
	out, err := e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: "f", Payload: []byte(`{"fail":true}`)})
	if err != nil || shape.Val(out.FunctionError) != "Unhandled" || *out.StatusCode != 200 || !strings.Contains(string(out.Payload), `"errorMessage":"it failed"`) {
		t.Errorf("a failing function: %+v, %v", out, err)
	}
	payload, fault, err := e.InvokeFunction(t.Context(), arnOf("f"), []byte(`{"fail":true}`))
	if err != nil || fault != "Unhandled" || !strings.Contains(string(payload), "it failed") {
		t.Errorf("InvokeFunction: %s %s %v", payload, fault, err)
	}
	out, err = e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: "f", InvocationType: shape.Ptr("DryRun")})
	if err != nil || *out.StatusCode != 204 || out.Payload != nil {
		t.Errorf("dry run: %+v, %v", out, err)
	}
	out, err = e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: "f", ClientContext: shape.Ptr(base64.StdEncoding.EncodeToString([]byte(`{"custom":{"a":"b"}}`)))})
	if err != nil || !strings.Contains(string(out.Payload), `"a":"b"`) || !strings.Contains(string(out.Payload), `"event":{}`) {
		t.Errorf("client context: %s, %v", out.Payload, err)
	}
	for _, tt := range []struct {
		what       string
		in         lambda.InvocationRequest
		code, text string
	}{
		{"no JSON", lambda.InvocationRequest{FunctionName: "f", Payload: []byte("{")}, "InvalidRequestContentException", "Could not parse request body into json"},
		{"too large", lambda.InvocationRequest{FunctionName: "f", Payload: make([]byte, maxPayload+1)}, "RequestTooLargeException", "Request must be smaller than 6291456 bytes for the InvokeFunction operation"},
		{"too large an event", lambda.InvocationRequest{FunctionName: "f", Payload: make([]byte, maxEvent+1), InvocationType: shape.Ptr("Event")}, "RequestTooLargeException", "too large for the Event invocation type"},
		{"no function", lambda.InvocationRequest{FunctionName: "g"}, "ResourceNotFoundException", "Function not found: " + arnOf("g")},
		{"no version", lambda.InvocationRequest{FunctionName: "f", Qualifier: shape.Ptr("7")}, "ResourceNotFoundException", "Function not found: " + arnOf("f:7")},
		{"no alias", lambda.InvocationRequest{FunctionName: "f:live"}, "ResourceNotFoundException", "Function not found: " + arnOf("f:live")},
		{"two qualifiers", lambda.InvocationRequest{FunctionName: "f:1", Qualifier: shape.Ptr("2")}, "InvalidParameterValueException", "The derived qualifier from the function name does not match the specified qualifier."},
		{"a client context", lambda.InvocationRequest{FunctionName: "f", ClientContext: shape.Ptr("{}")}, "InvalidRequestContentException", "Base64"},
		{"a tenant", lambda.InvocationRequest{FunctionName: "f", TenantId: shape.Ptr("t")}, "InvalidParameterValueException", "TenantId"},
	} {
		_, err := e.Invoke(e.ctx, &tt.in)
		fails(t, tt.what, err, tt.code, tt.text)
	}
	_, err = e.PutFunctionConcurrency(e.ctx, &lambda.PutFunctionConcurrencyRequest{FunctionName: "f", ReservedConcurrentExecutions: 0})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: "f"})
	fails(t, "throttled", err, "TooManyRequestsException", "Rate Exceeded.")
	var se *shape.Error
	if errors.As(err, &se); se == nil || se.Status != 429 || se.Fields["Reason"] != "ReservedFunctionConcurrentInvocationLimitExceeded" {
		t.Errorf("throttled: %+v", se)
	}
	_, err = e.PutFunctionConcurrency(e.ctx, &lambda.PutFunctionConcurrencyRequest{FunctionName: "f", ReservedConcurrentExecutions: 901})
	fails(t, "all concurrency", err, "InvalidParameterValueException", "below its minimum value of [100].")
	if _, err := e.DeleteFunctionConcurrency(e.ctx, &lambda.DeleteFunctionConcurrencyRequest{FunctionName: "f"}); err != nil {
		t.Fatal(err)
	}
	e.call(t, "f", "{}")
}

func TestVersions(t *testing.T) {
	need(t, "node")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		e.createNode(t, "f")
		publish := func() string {
			t.Helper()
			v, err := e.PublishVersion(e.ctx, &lambda.PublishVersionRequest{FunctionName: "f", Description: shape.Ptr("one")})
			if err != nil || *v.FunctionArn != arnOf("f:"+*v.Version) {
				t.Fatalf("%+v, %v", v, err)
			}
			return *v.Version
		}
		update := func(text string) {
			t.Helper()
			code := nodeZip(t, `exports.handler = async (e, c) => ({env: "`+text+`", version: c.functionVersion, arn: c.invokedFunctionArn})`)
			if _, err := e.UpdateFunctionCode(e.ctx, &lambda.UpdateFunctionCodeRequest{FunctionName: "f", ZipFile: code}); err != nil {
				t.Fatal(err)
			}
		}
		if first, again := publish(), publish(); first != "1" || again != "1" {
			t.Error("an unchanged function got a second version")
		}
		update("two")
		if publish() != "2" {
			t.Error("a changed function got no new version")
		}
		update("three")
		_, err := e.CreateAlias(e.ctx, &lambda.CreateAliasRequest{FunctionName: "f", Name: "live", FunctionVersion: "9"})
		fails(t, "an alias of nothing", err, "ResourceNotFoundException", "Function not found: "+arnOf("f:9"))
		a, err := e.CreateAlias(e.ctx, &lambda.CreateAliasRequest{FunctionName: "f", Name: "live", FunctionVersion: "1"})
		if err != nil || *a.AliasArn != arnOf("f:live") || *a.FunctionVersion != "1" {
			t.Fatalf("%+v, %v", a, err)
		}
		_, err = e.CreateAlias(e.ctx, &lambda.CreateAliasRequest{FunctionName: "f", Name: "live", FunctionVersion: "1"})
		fails(t, "a taken alias", err, "ResourceConflictException", "Alias already exists: "+arnOf("f:live"))
		for ref, want := range map[string]answer{
			"f":      {Env: "three", Version: "$LATEST", Arn: arnOf("f")},
			"f:1":    {Env: "hello", Version: "1", Arn: arnOf("f:1")},
			"f:2":    {Env: "two", Version: "2", Arn: arnOf("f:2")},
			"f:live": {Env: "hello", Version: "1", Arn: arnOf("f:live")},
		} {
			if got := e.call(t, ref, "{}"); got.Env != want.Env || got.Version != want.Version || got.Arn != want.Arn {
				t.Errorf("%s: %+v, want %+v", ref, got, want)
			}
		}
		_, err = e.UpdateAlias(e.ctx, &lambda.UpdateAliasRequest{FunctionName: "f", Name: "live", FunctionVersion: shape.Ptr("2"), RevisionId: shape.Ptr("x")})
		fails(t, "an alias' revision", err, "PreconditionFailedException", "")
		if _, err := e.UpdateAlias(e.ctx, &lambda.UpdateAliasRequest{FunctionName: "f", Name: "live", FunctionVersion: shape.Ptr("2"), RevisionId: a.RevisionId}); err != nil {
			t.Fatal(err)
		}
		if got := e.call(t, "f:live", "{}"); got.Env != "two" {
			t.Errorf("the alias did not move: %+v", got)
		}
		e.permit(t, lambda.AddPermissionRequest{FunctionName: "f", Qualifier: shape.Ptr("live"), StatementId: "s", Principal: gateway})
		if !e.Permits(t.Context(), arnOf("f:live"), gateway, "", account) || e.Permits(t.Context(), arnOf("f"), gateway, "", account) {
			t.Error("the permission of an alias is not its own")
		}

		var seen []string
		for marker := (*string)(nil); ; {
			out, err := e.ListVersionsByFunction(e.ctx, &lambda.ListVersionsByFunctionRequest{FunctionName: "f", MaxItems: shape.Ptr(int64(1)), Marker: marker})
			if err != nil {
				t.Fatal(err)
			}
			for _, v := range out.Versions {
				seen = append(seen, *v.Version)
			}
			if marker = out.NextMarker; marker == nil {
				break
			}
		}
		if fmt.Sprint(seen) != "[$LATEST 1 2]" {
			t.Errorf("versions %v", seen)
		}

		del := func(qualifier string) error {
			return second(e.DeleteFunction(e.ctx, &lambda.DeleteFunctionRequest{FunctionName: "f", Qualifier: &qualifier}))
		}
		fails(t, "deleting a version in use", del("2"), "ResourceConflictException", "live")
		fails(t, "deleting $LATEST", del("$LATEST"), "InvalidParameterValueException", "$LATEST version cannot be deleted without deleting the function.")
		fails(t, "deleting an alias", del("live"), "InvalidParameterValueException", "")
		if err := del("1"); err != nil {
			t.Fatal(err)
		}
		_, err = e.Invoke(e.ctx, &lambda.InvocationRequest{FunctionName: "f:1"})
		fails(t, "a deleted version", err, "ResourceNotFoundException", "Function not found: "+arnOf("f:1"))
		if _, err := e.DeleteAlias(e.ctx, &lambda.DeleteAliasRequest{FunctionName: "f", Name: "live"}); err != nil {
			t.Fatal(err)
		}
		_, err = e.GetAlias(e.ctx, &lambda.GetAliasRequest{FunctionName: "f", Name: "live"})
		fails(t, "a deleted alias", err, "ResourceNotFoundException", "Cannot find alias arn: "+arnOf("f:live"))
		if publish() != "3" {
			t.Error("numbers are used again")
		}
		if _, err := e.DeleteFunction(e.ctx, &lambda.DeleteFunctionRequest{FunctionName: "f"}); err != nil {
			t.Fatal(err)
		}
		if v := e.createNode(t, "f"); *v.Version != "$LATEST" {
			t.Errorf("%+v", v)
		}
		_, err = e.GetFunction(e.ctx, &lambda.GetFunctionRequest{FunctionName: "f:2"})
		fails(t, "a version of the function before", err, "ResourceNotFoundException", "")
	})
}

func TestListFunctions(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		for _, n := range []string{"a", "b", "c"} {
			in := nodeRequest(t, n)
			in.Publish = shape.Ptr(n != "b")
			if _, err := e.CreateFunction(e.ctx, in); err != nil {
				t.Fatal(err)
			}
		}
		west := wire.WithCall(t.Context(), &wire.Call{Account: account, Region: "us-west-2"})
		if _, err := e.CreateFunction(west, nodeRequest(t, "a")); err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct{ version, want string }{{"", "[a b c]"}, {"ALL", "[a:$LATEST a:1 b:$LATEST c:$LATEST c:1]"}} {
			for size := int64(1); size < 6; size++ {
				var seen []string
				in := &lambda.ListFunctionsRequest{MaxItems: &size}
				if tt.version != "" {
					in.FunctionVersion = &tt.version
				}
				for {
					out, err := e.ListFunctions(e.ctx, in)
					if err != nil || len(out.Functions) > int(size) {
						t.Fatal(out, err)
					}
					for _, f := range out.Functions {
						seen = append(seen, strings.TrimPrefix(*f.FunctionArn, arnOf("")))
					}
					if in.Marker = out.NextMarker; in.Marker == nil {
						break
					}
				}
				if fmt.Sprint(seen) != tt.want {
					t.Errorf("pages of %d: %v, want %s", size, seen, tt.want)
				}
			}
		}
		settings, err := e.GetAccountSettings(e.ctx, &lambda.GetAccountSettingsRequest{})
		if err != nil || *settings.AccountUsage.FunctionCount != 3 || *settings.AccountLimit.UnreservedConcurrentExecutions != 1000 {
			t.Errorf("%+v, %v", settings.AccountUsage, err)
		}
	})
}

func TestTags(t *testing.T) {
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	in := nodeRequest(t, "f")
	in.Tags = map[string]string{"a": "1", "b": "2"}
	if _, err := e.CreateFunction(e.ctx, in); err != nil {
		t.Fatal(err)
	}
	if _, err := e.TagResource(e.ctx, &lambda.TagResourceRequest{Resource: arnOf("f"), Tags: map[string]string{"b": "3", "c": "4"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := e.UntagResource(e.ctx, &lambda.UntagResourceRequest{Resource: arnOf("f"), TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	out, err := e.ListTags(e.ctx, &lambda.ListTagsRequest{Resource: arnOf("f")})
	if err != nil || fmt.Sprint(out.Tags) != "map[b:3 c:4]" {
		t.Errorf("%v, %v", out, err)
	}
	_, err = e.ListTags(e.ctx, &lambda.ListTagsRequest{Resource: "f"})
	fails(t, "a name", err, "InvalidParameterValueException", "ARN")
	many := map[string]string{}
	for i := range 51 {
		many[fmt.Sprint(i)] = "x"
	}
	_, err = e.TagResource(e.ctx, &lambda.TagResourceRequest{Resource: arnOf("f"), Tags: many})
	fails(t, "51 tags", err, "InvalidParameterValueException", "")
}

// eventually waits for what another goroutine brings about.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !f(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 10 s", what)
		}
	}
}

func (e *env) queued(t *testing.T) (n int64) {
	t.Helper()
	err := e.DB.View(t.Context(), func(tx *store.Tx) error {
		return tx.QueryRow("SELECT count(*) FROM function_events").Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (e *env) event(t *testing.T, payload string) {
	t.Helper()
	out, err := e.Invoke(callCtx(t, "us-east-1"), &lambda.InvocationRequest{FunctionName: "f", InvocationType: shape.Ptr("Event"), Payload: []byte(payload)})
	if err != nil || *out.StatusCode != 202 || out.Payload != nil {
		t.Fatalf("%+v, %v", out, err)
	}
}

func TestEvents(t *testing.T) {
	need(t, "node")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		e.events.retryAfter = [...]time.Duration{20 * time.Millisecond, 30 * time.Millisecond}
		e.createNode(t, "f")
		for i := range 20 {
			e.event(t, fmt.Sprintf(`{"n":%d}`, i))
		}
		eventually(t, "events are handled", func() bool { return e.queued(t) == 0 })
		e.Runtime.Flush()
		for i := range 20 {
			if want := fmt.Sprintf(`got {"n":%d}`, i); strings.Count(e.logs.text(), want) != 1 {
				t.Errorf("%s: %d times", want, strings.Count(e.logs.text(), want))
			}
		}
		e.event(t, `{"fail":true}`)
		eventually(t, "a failing event is dropped", func() bool { return e.queued(t) == 0 })
		e.Runtime.Flush()
		if n := strings.Count(e.logs.text(), `"errorMessage":"it failed"`); n != 3 {
			t.Errorf("a failing event was tried %d times", n)
		}
		// An event that cannot run waits; with its function it goes.
		if _, err := e.PutFunctionConcurrency(e.ctx, &lambda.PutFunctionConcurrencyRequest{FunctionName: "f"}); err != nil {
			t.Fatal(err)
		}
		e.event(t, `{"throttled":true}`)
		time.Sleep(50 * time.Millisecond)
		if e.queued(t) != 1 {
			t.Error("a throttled event was dropped")
		}
		if _, err := e.DeleteFunction(e.ctx, &lambda.DeleteFunctionRequest{FunctionName: "f"}); err != nil {
			t.Fatal(err)
		}
		eventually(t, "an event without a function is dropped", func() bool { return e.queued(t) == 0 })
	})
}

// TestEventsSurvive: an acknowledged event is handled by the next server.
func TestEventsSurvive(t *testing.T) {
	need(t, "node")
	url, dir := "sqlite:"+filepath.Join(t.TempDir(), "test.db"), t.TempDir()
	db, err := store.Open(t.Context(), store.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	e, stop := newTest(t, db, dir)
	e.createNode(t, "f")
	e.events.stop() // as if the server died right after its answer
	<-e.events.done
	e.event(t, `{"n":"kept"}`)
	// And one that was being run.
	if err := db.Update(t.Context(), func(tx *store.Tx) error {
		return insertEvent(tx, &queued{id: "running", ref: arnOf("f"), payload: []byte(`{"n":"running"}`), created: time.Now().UnixMilli(), due: time.Now().Add(time.Hour).UnixMilli()})
	}); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e, _ = newTest(t, storetest.Open(t, url), dir)
	eventually(t, "the events are handled", func() bool { return e.queued(t) == 0 })
	e.Runtime.Flush()
	if text := e.logs.text(); !strings.Contains(text, `got {"n":"kept"}`) || !strings.Contains(text, `got {"n":"running"}`) {
		t.Errorf("logs %s", text)
	}
}

// TestConcurrent: calls while code and permissions change never meet a half-changed function.
func TestConcurrent(t *testing.T) {
	need(t, "node")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		var wins, losses int
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				_, err := e.CreateFunction(e.ctx, nodeRequest(t, "f"))
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					wins++
				} else if shape.HasCode(err, "ResourceConflictException") {
					losses++
				} else {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if wins != 1 || losses != 7 {
			t.Fatalf("%d functions of one name, %d refused", wins, losses)
		}
		stop := make(chan struct{})
		for range 4 {
			wg.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					payload, fault, err := e.InvokeFunction(t.Context(), arnOf("f"), []byte("{}"))
					if err != nil || fault != "" {
						t.Errorf("%s %s %v", payload, fault, err)
						return
					}
				}
			})
		}
		for i := range 6 {
			text := fmt.Sprintf("v%d", i)
			code := nodeZip(t, `exports.handler = async () => ({env: "`+text+`"})`)
			if _, err := e.UpdateFunctionCode(e.ctx, &lambda.UpdateFunctionCodeRequest{FunctionName: "f", ZipFile: code}); err != nil {
				t.Fatal(err)
			}
			e.permit(t, lambda.AddPermissionRequest{FunctionName: "f", StatementId: text, Principal: gateway})
			if got := e.call(t, "f", "{}"); got.Env != text {
				t.Errorf("after the update to %s the function answers %+v", text, got)
			}
		}
		close(stop)
		wg.Wait()
	})
}

// BenchmarkInvoke compares a call through the service with one of the runtime itself.
func BenchmarkInvoke(b *testing.B) {
	bootstrap, err := goZip()
	if err != nil {
		b.Fatal(err)
	}
	e, _ := newTest(b, storetest.Open(b, "memory:"), b.TempDir())
	_, err = e.CreateFunction(e.ctx, &lambda.CreateFunctionRequest{FunctionName: "f", Role: testRole, Runtime: shape.Ptr("provided.al2023"), Handler: shape.Ptr("bootstrap"),
		Code: &lambda.FunctionCode{ZipFile: zipOf(b, map[string]string{"bootstrap": bootstrap})}})
	if err != nil {
		b.Fatal(err)
	}
	e.createNode(b, "node")
	payload := []byte(`{"Name":"you"}`)
	for _, fn := range []string{"f", "node"} {
		p, err := e.resolve(b.Context(), arnOf(fn))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fn+"/runtime", func(b *testing.B) {
			for b.Loop() {
				if _, err := e.Runtime.Invoke(b.Context(), p.spec, &runtime.Invocation{RequestID: "r", Payload: payload}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fn+"/service", func(b *testing.B) {
			for b.Loop() {
				if _, _, err := e.InvokeFunction(b.Context(), arnOf(fn), payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("resolve", func(b *testing.B) {
		b.ReportAllocs()
		ref := arnOf("f")
		for b.Loop() {
			if _, err := e.resolve(b.Context(), ref); err != nil {
				b.Fatal(err)
			}
		}
	})
}
