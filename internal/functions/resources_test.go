package functions

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// stack drives resource types as the stacks service does: checked by the schema first.
type stack struct {
	t        *testing.T
	e        *env
	registry resource.Registry
}

func newStack(t *testing.T, e *env) *stack {
	s := &stack{t: t, e: e}
	for _, typ := range e.Resources() {
		s.registry.Register(typ)
	}
	return s
}

func props(t *testing.T, text string) map[string]any {
	t.Helper()
	if text == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func (s *stack) request(logical, physical, now, old string) *resource.Request {
	return &resource.Request{StackID: "arn:aws:cloudformation:us-east-1:123456789012:stack/app/1", StackName: "app", LogicalID: logical, PhysicalID: physical,
		Token: "token", Props: props(s.t, now), OldProps: props(s.t, old),
		Tags: map[string]string{"aws:cloudformation:stack-id": "1", "aws:cloudformation:logical-id": logical, "stage": "dev"}}
}

func (s *stack) run(typ, action string, r *resource.Request) (resource.Result, error) {
	s.t.Helper()
	t, _ := s.registry.Lookup(typ)
	if err := s.registry.Check(typ, r.LogicalID, r.Props); err != nil {
		return resource.Result{}, err
	}
	switch action {
	case "create":
		return t.Handler.Create(s.e.ctx, r)
	case "update":
		return t.Handler.Update(s.e.ctx, r)
	}
	return resource.Result{}, t.Handler.Delete(s.e.ctx, r)
}

const functionType, permissionType = "AWS::Lambda::Function", "AWS::Lambda::Permission"

func TestFunctionResource(t *testing.T) {
	need(t, "node")
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		s := newStack(t, e)
		first := `{"Runtime":"nodejs22.x","Handler":"index.handler","Role":"` + testRole + `","MemorySize":"256","Timeout":10,
			"Environment":{"Variables":{"GREETING":"one"}},"Code":{"S3Bucket":"bucket","S3Key":"node.zip"},"Tags":[{"Key":"own","Value":"yes"}],"ReservedConcurrentExecutions":5,"Layers":[]}`
		res, err := s.run(functionType, "create", s.request("Hello", "", first, ""))
		if err != nil {
			t.Fatal(err)
		}
		name := res.PhysicalID
		if !strings.HasPrefix(name, "app-Hello-") || res.Attrs["Arn"] != arnOf(name) {
			t.Errorf("%+v", res)
		}
		again, err := s.run(functionType, "create", s.request("Hello", "", first, "")) // after a crash
		if err != nil || again.PhysicalID != name {
			t.Errorf("%+v, %v", again, err)
		}
		out, err := e.GetFunction(e.ctx, &lambda.GetFunctionRequest{FunctionName: name})
		if err != nil || *out.Configuration.MemorySize != 256 || *out.Configuration.Timeout != 10 || out.Tags["own"] != "yes" || out.Tags["stage"] != "dev" || *out.Concurrency.ReservedConcurrentExecutions != 5 {
			t.Errorf("%+v, %v", out, err)
		}
		if a := e.call(t, name, "{}"); a.Env != "one" {
			t.Errorf("%+v", a)
		}

		// What is not said any more gets its default.
		secondText := `{"Runtime":"nodejs22.x","Handler":"index.other","Role":"` + testRole + `","Code":{"ZipFile":"exports.other = async () => ({env: 'inline'})"}}`
		if _, err := s.run(functionType, "update", s.request("Hello", name, secondText, first)); err != nil {
			t.Fatal(err)
		}
		out, err = e.GetFunction(e.ctx, &lambda.GetFunctionRequest{FunctionName: name})
		if err != nil || *out.Configuration.MemorySize != 128 || *out.Configuration.Timeout != 3 || out.Configuration.Environment != nil || out.Tags["own"] != "" || out.Concurrency != nil {
			t.Errorf("%+v, %v", out, err)
		}
		if a := e.call(t, name, "{}"); a.Env != "inline" {
			t.Errorf("%+v", a)
		}
		if _, err := s.run(functionType, "delete", s.request("Hello", name, secondText, "")); err != nil {
			t.Fatal(err)
		}
		if _, err := s.run(functionType, "delete", s.request("Hello", name, secondText, "")); err != nil {
			t.Errorf("deleting what is gone: %v", err)
		}
	})
}

// TestInline: inline functions that answer for a custom resource.
func TestInline(t *testing.T) {
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	s := newStack(t, e)
	answers := make(chan map[string]any, 1)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v map[string]any
		if err := json.NewDecoder(r.Body).Decode(&v); err != nil || r.Method != "PUT" {
			t.Errorf("%s %v", r.Method, err)
		}
		answers <- v
	}))
	defer server.Close()
	for _, tt := range []struct{ tool, runtime, source string }{
		{"node", "nodejs22.x", "const r = require('cfn-response');\nexports.handler = async (event, context) => { await r.send(event, context, r.SUCCESS, {a: 1}, 'id'); return {env: 'done'} }\n"},
		{"node", "nodejs18.x", "const r = require('cfn-response');\nexports.handler = (event, context) => { r.send(event, context, r.SUCCESS, {a: 1}, 'id') }\n"},
		{"python3", "python3.12", "import cfnresponse\ndef handler(event, context):\n    cfnresponse.send(event, context, cfnresponse.SUCCESS, {'a': 1}, 'id')\n    return {'env': 'done'}\n"},
	} {
		t.Run(tt.runtime, func(t *testing.T) {
			need(t, tt.tool)
			text, _ := json.Marshal(map[string]any{"Runtime": tt.runtime, "Handler": "index.handler", "Role": testRole, "Timeout": 10, "Code": map[string]any{"ZipFile": tt.source}})
			res, err := s.run(functionType, "create", s.request("F"+strings.ReplaceAll(tt.runtime, ".", ""), "", string(text), ""))
			if err != nil {
				t.Fatal(err)
			}
			payload, fault, err := e.InvokeFunction(t.Context(), res.Attrs["Arn"].(string),
				[]byte(`{"ResponseURL":"`+server.URL+`/x?y=z","StackId":"s","RequestId":"r","LogicalResourceId":"l"}`))
			if err != nil || fault != "" {
				t.Fatalf("%s %s %v", payload, fault, err)
			}
			select {
			case got := <-answers:
				if got["Status"] != "SUCCESS" || got["PhysicalResourceId"] != "id" || got["LogicalResourceId"] != "l" || got["Reason"] == nil || got["Data"].(map[string]any)["a"] != 1.0 {
					t.Errorf("%v", got)
				}
			case <-time.After(5 * time.Second):
				t.Error("no answer")
			}
		})
	}
}

func TestResourceRefusals(t *testing.T) {
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	e.createNode(t, "taken")
	s := newStack(t, e)
	base := `"Runtime":"nodejs22.x","Handler":"index.handler","Role":"` + testRole + `"`
	code := `,"Code":{"ZipFile":"x"}`
	for _, tt := range []struct{ what, typ, props, text string }{
		{"no role", functionType, `{"Runtime":"nodejs22.x","Handler":"index.handler"` + code + `}`, "Role"},
		{"an unknown property", functionType, `{` + base + code + `,"Colour":"red"}`, "Colour"},
		{"a property that is not supported", functionType, `{` + base + code + `,"RecursiveLoop":"Allow"}`, "RecursiveLoop"},
		{"layers", functionType, `{` + base + code + `,"Layers":["arn:aws:lambda:us-east-1:123456789012:layer:l:1"]}`, "layers"},
		{"an image", functionType, `{"Role":"` + testRole + `","PackageType":"Image","Code":{"ImageUri":"x"}}`, "container images"},
		{"a taken name", functionType, `{"FunctionName":"taken",` + base + code + `}`, "Function already exist: taken"},
		{"a role's form", functionType, `{"Role":"admin","Runtime":"nodejs22.x","Handler":"index.handler"` + code + `}`, "role"},
		{"memory", functionType, `{` + base + code + `,"MemorySize":64}`, "128"},
		{"no code", functionType, `{` + base + `,"Code":{}}`, "Please provide a source for function code."},
		{"inline Go", functionType, `{"Runtime":"provided.al2023","Handler":"index.handler","Role":"` + testRole + `"` + code + `}`, "ZipFile can only be used when Runtime is set to either of nodejs or python."},
		{"a missing object", functionType, `{` + base + `,"Code":{"S3Bucket":"bucket","S3Key":"none"}}`, "NoSuchKey"},
		{"no function", permissionType, `{"FunctionName":"none","Action":"lambda:InvokeFunction","Principal":"s3.amazonaws.com"}`, "Function not found"},
		{"no action", permissionType, `{"FunctionName":"taken","Principal":"s3.amazonaws.com"}`, "Action"},
	} {
		_, err := s.run(tt.typ, "create", s.request("R", "", tt.props, ""))
		if err == nil || !strings.Contains(err.Error(), tt.text) {
			t.Errorf("%s: %v, want …%s…", tt.what, err, tt.text)
		}
	}
	if list, _ := e.ListFunctions(e.ctx, &lambda.ListFunctionsRequest{}); len(list.Functions) != 1 {
		t.Errorf("%d functions", len(list.Functions))
	}
}

func TestPermissionResource(t *testing.T) {
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	e.createNode(t, "f")
	s := newStack(t, e)
	text := `{"FunctionName":"` + arnOf("f") + `","Action":"lambda:InvokeFunction","Principal":"apigateway.amazonaws.com","SourceArn":"` + route("api", "*/*/private") + `"}`
	res, err := s.run(permissionType, "create", s.request("Allow", "", text, ""))
	if err != nil || !strings.HasPrefix(res.PhysicalID, "app-Allow-") {
		t.Fatalf("%+v, %v", res, err)
	}
	again, err := s.run(permissionType, "create", s.request("Allow", "", text, ""))
	if err != nil || again.PhysicalID != res.PhysicalID {
		t.Errorf("%+v, %v", again, err)
	}
	if !e.Permits(t.Context(), arnOf("f"), gateway, route("api", "dev/GET/private"), account) {
		t.Error("not permitted")
	}
	for range 2 {
		if _, err := s.run(permissionType, "delete", s.request("Allow", res.PhysicalID, text, "")); err != nil {
			t.Fatal(err)
		}
	}
	if e.Permits(t.Context(), arnOf("f"), gateway, route("api", "dev/GET/private"), account) {
		t.Error("still permitted")
	}
}
