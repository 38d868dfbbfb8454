package parameters

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/seal"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

type env struct {
	*Service
	t   *testing.T
	ctx context.Context
}

func newTest(t *testing.T, db *store.DB) *env {
	box, err := seal.FromBytes([]byte(strings.Repeat("k", seal.KeySize)))
	if err != nil {
		t.Fatal(err)
	}
	return &env{New(Options{DB: db, Seal: box, Account: "123456789012"}), t,
		wire.WithCall(t.Context(), &wire.Call{Account: "123456789012", Region: "us-east-1", Principal: "arn:aws:iam::123456789012:root"})}
}

func (e *env) put(name, kind, value string) {
	e.t.Helper()
	if _, err := e.PutParameter(e.ctx, &ssm.PutParameterRequest{Name: name, Type: &kind, Value: value}); err != nil {
		e.t.Fatalf("%s: %v", name, err)
	}
}

func (e *env) get(name string, decrypt bool) *ssm.Parameter {
	e.t.Helper()
	out, err := e.GetParameter(e.ctx, &ssm.GetParameterRequest{Name: name, WithDecryption: &decrypt})
	if err != nil {
		e.t.Fatalf("%s: %v", name, err)
	}
	return out.Parameter
}

func fails(t *testing.T, what string, err error, code, text string) {
	t.Helper()
	var e *shape.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		t.Errorf("%s: %v, want %s: …%s…", what, err, code, text)
	}
}

func TestParameter(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := newTest(t, db)
		e.put("/app/host", "String", "one")
		_, err := e.PutParameter(e.ctx, &ssm.PutParameterRequest{Name: "/app/host", Value: "two"})
		fails(t, "a taken name", err, "ParameterAlreadyExists", "The parameter already exists. To overwrite this value, set the overwrite option in the request to true.")
		out, err := e.PutParameter(e.ctx, &ssm.PutParameterRequest{Name: "/app/host", Value: "two", Overwrite: shape.Ptr(true)})
		if err != nil || *out.Version != 2 || *out.Tier != "Standard" {
			t.Fatalf("%+v, %v", out, err)
		}
		p := e.get("/app/host", false)
		if *p.Value != "two" || *p.Type != "String" || *p.Version != 2 || *p.ARN != "arn:aws:ssm:us-east-1:123456789012:parameter/app/host" || *p.DataType != "text" || p.Selector != nil {
			t.Errorf("%+v", p)
		}
		if p := e.get("/app/host:1", false); *p.Value != "one" || *p.Version != 1 || *p.Selector != ":1" {
			t.Errorf("%+v", p)
		}
		if p := e.get("arn:aws:ssm:us-east-1:123456789012:parameter/app/host:1", false); *p.Value != "one" {
			t.Errorf("%+v", p)
		}
		e.put("plain", "StringList", "a,b")
		if p := e.get("arn:aws:ssm:us-east-1:123456789012:parameter/plain", false); *p.Name != "plain" {
			t.Errorf("%+v", p)
		}
		if v, err := e.Value(e.ctx, "plain"); v != "a,b" || err != nil {
			t.Errorf("%s, %v", v, err)
		}
		west := wire.WithCall(t.Context(), &wire.Call{Account: "123456789012", Region: "us-west-2"})
		for what, err := range map[string]error{
			"another region":      second(e.GetParameter(west, &ssm.GetParameterRequest{Name: "plain"})),
			"an unknown name":     second(e.GetParameter(e.ctx, &ssm.GetParameterRequest{Name: "/none"})),
			"another account":     second(e.GetParameter(e.ctx, &ssm.GetParameterRequest{Name: "arn:aws:ssm:us-east-1:999999999999:parameter/plain"})),
			"deleting an unknown": second(e.DeleteParameter(e.ctx, &ssm.DeleteParameterRequest{Name: "/none"})),
			"history of unknown":  second(e.GetParameterHistory(e.ctx, &ssm.GetParameterHistoryRequest{Name: "/none"})),
			"Value":               second(e.Value(e.ctx, "/none")),
		} {
			fails(t, what, err, "ParameterNotFound", "")
		}
		_, err = e.GetParameter(e.ctx, &ssm.GetParameterRequest{Name: "plain:9"})
		fails(t, "an unknown version", err, "ParameterVersionNotFound", "plain")

		many, err := e.GetParameters(e.ctx, &ssm.GetParametersRequest{Names: []string{"plain", "/none", "/app/host:1", "plain"}})
		if err != nil || len(many.Parameters) != 2 || fmt.Sprint(many.InvalidParameters) != "[/none]" {
			t.Errorf("%+v, %v", many, err)
		}
		gone, err := e.DeleteParameters(e.ctx, &ssm.DeleteParametersRequest{Names: []string{"plain", "/none"}})
		if err != nil || fmt.Sprint(gone.DeletedParameters, gone.InvalidParameters) != "[plain] [/none]" {
			t.Errorf("%+v, %v", gone, err)
		}
		if _, err := e.DeleteParameter(e.ctx, &ssm.DeleteParameterRequest{Name: "/app/host"}); err != nil {
			t.Fatal(err)
		}
		e.put("/app/host", "String", "again")
		if p := e.get("/app/host", false); *p.Version != 1 {
			t.Errorf("%+v", p)
		}
	})
}

func second[T any](_ T, err error) error { return err }

func TestSecureString(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := newTest(t, db)
		e.put("/secret", "SecureString", "hush hush")
		if p := e.get("/secret", true); *p.Value != "hush hush" {
			t.Errorf("%+v", p)
		}
		if p := e.get("/secret", false); strings.Contains(*p.Value, "hush") || *p.Type != "SecureString" {
			t.Errorf("%+v", p)
		}
		var stored string
		if err := db.View(t.Context(), func(tx *store.Tx) error {
			return tx.QueryRow("SELECT doc FROM documents WHERE kind = $1", parameters.Name).Scan(&stored)
		}); err != nil || strings.Contains(stored, "hush") {
			t.Errorf("stored %s, %v", stored, err)
		}
		_, err := e.Value(e.ctx, "/secret")
		fails(t, "Value", err, "UnsupportedParameterType", "SecureString")
		if err == nil || strings.Contains(err.Error(), "hush") {
			t.Error("an error tells a secret")
		}
		out, err := e.GetParameterHistory(e.ctx, &ssm.GetParameterHistoryRequest{Name: "/secret", WithDecryption: shape.Ptr(true)})
		if err != nil || len(out.Parameters) != 1 || *out.Parameters[0].Value != "hush hush" || *out.Parameters[0].KeyId != "alias/aws/ssm" {
			t.Errorf("%+v, %v", out, err)
		}
	})
}

func TestRefusals(t *testing.T) {
	e := newTest(t, storetest.Open(t, "memory:"))
	for _, tt := range []struct {
		what       string
		in         ssm.PutParameterRequest
		code, text string
	}{
		{"a reserved name", ssm.PutParameterRequest{Name: "/aws/x"}, "AccessDeniedException", "No access to reserved parameter name: aws."},
		{"another", ssm.PutParameterRequest{Name: "SsMx"}, "ValidationException", `can't be prefixed with "ssm"`},
		{"a name with a space", ssm.PutParameterRequest{Name: "a b"}, "ValidationException", "can't be prefixed"},
		{"an ARN", ssm.PutParameterRequest{Name: "arn:aws:ssm:us-east-1:123456789012:parameter/x"}, "ValidationException", "can't be prefixed"},
		{"a path without its slash", ssm.PutParameterRequest{Name: "a/b"}, "ValidationException", "Parameter name must be a fully qualified name."},
		{"a slash at the end", ssm.PutParameterRequest{Name: "/a/"}, "ValidationException", ""},
		{"many levels", ssm.PutParameterRequest{Name: strings.Repeat("/a", 16)}, "HierarchyLevelLimitExceededException", ""},
		{"no type", ssm.PutParameterRequest{Name: "x", Type: shape.Ptr("")}, "ValidationException", "A parameter type is required when you create a parameter."},
		{"a long value", ssm.PutParameterRequest{Value: strings.Repeat("x", 4097)}, "ValidationException", "Standard tier parameters support a maximum parameter value of 4096 characters."},
		{"a longer value", ssm.PutParameterRequest{Value: strings.Repeat("x", 8193), Tier: shape.Ptr("Advanced")}, "ValidationException", "8192"},
		{"a pattern", ssm.PutParameterRequest{Value: "abc1", AllowedPattern: shape.Ptr("[a-z]+")}, "ParameterPatternMismatchException", "[a-z]+"},
		{"a broken pattern", ssm.PutParameterRequest{AllowedPattern: shape.Ptr("[a-z")}, "InvalidAllowedPatternException", "[a-z"},
		{"tags and overwrite", ssm.PutParameterRequest{Overwrite: shape.Ptr(true), Tags: []ssm.Tag{{Key: "a", Value: "b"}}}, "ValidationException", "tags and overwrite can't be used together"},
		{"a key", ssm.PutParameterRequest{KeyId: shape.Ptr("alias/mine")}, "InvalidKeyId", ""},
		{"policies", ssm.PutParameterRequest{Policies: shape.Ptr(`[{"Type":"Expiration"}]`)}, "InvalidPolicyTypeException", ""},
		{"a data type", ssm.PutParameterRequest{DataType: shape.Ptr("aws:ec2:image")}, "ValidationException", "aws:ec2:image"},
	} {
		in := tt.in
		if in.Name == "" {
			in.Name = "/ok"
		}
		if in.Type == nil {
			in.Type = shape.Ptr("String")
		}
		if in.Value == "" {
			in.Value = "abc"
		}
		_, err := e.PutParameter(e.ctx, &in)
		fails(t, tt.what, err, tt.code, tt.text)
	}
	out, err := e.PutParameter(e.ctx, &ssm.PutParameterRequest{Name: "/sst/big", Type: shape.Ptr("String"), Value: strings.Repeat("x", 5000), Tier: shape.Ptr("Intelligent-Tiering")})
	if err != nil || *out.Tier != "Advanced" {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestPaths(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := newTest(t, db)
		var all []string
		for i := range 25 {
			all = append(all, fmt.Sprintf("/app/p%02d", i))
		}
		all = append(all, "/app/sub/a", "/app/sub/b")
		for _, name := range append([]string{"/apple", "/other/x", "plain"}, all...) {
			e.put(name, "String", "v")
		}
		e.put("/app/zz", "SecureString", "v")
		list := func(path string, recursive bool, filters ...ssm.ParameterStringFilter) (names []string) {
			t.Helper()
			in := &ssm.GetParametersByPathRequest{Path: path, Recursive: &recursive, ParameterFilters: filters}
			for {
				out, err := e.GetParametersByPath(e.ctx, in)
				if err != nil || len(out.Parameters) > 10 {
					t.Fatal(out, err)
				}
				for _, p := range out.Parameters {
					names = append(names, *p.Name)
				}
				if in.NextToken = out.NextToken; in.NextToken == nil {
					return names
				}
			}
		}
		for _, tt := range []struct {
			path      string
			recursive bool
			want      []string
		}{
			{"/app", true, append(all[:27:27], "/app/zz")}, {"/app/", false, append(all[:25:25], "/app/zz")},
			{"/app/sub", false, all[25:]}, {"/none", true, nil}, {"/", false, []string{"/apple"}},
		} {
			if got := list(tt.path, tt.recursive); fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s: %v, want %v", tt.path, got, tt.want)
			}
		}
		if got := list("/app", true, ssm.ParameterStringFilter{Key: "Type", Values: []string{"SecureString"}}); fmt.Sprint(got) != "[/app/zz]" {
			t.Errorf("filtered: %v", got)
		}
		_, err := e.GetParametersByPath(e.ctx, &ssm.GetParametersByPathRequest{Path: "app"})
		fails(t, "no path", err, "ValidationException", "must begin with a forward slash")
		_, err = e.GetParametersByPath(e.ctx, &ssm.GetParametersByPathRequest{Path: "/app", NextToken: shape.Ptr("!")})
		fails(t, "a token", err, "InvalidNextToken", "")

		count := func(filters ...ssm.ParameterStringFilter) (n int) {
			t.Helper()
			in := &ssm.DescribeParametersRequest{ParameterFilters: filters, MaxResults: shape.Ptr(int64(7))}
			for {
				out, err := e.DescribeParameters(e.ctx, in)
				if err != nil {
					t.Fatal(err)
				}
				n += len(out.Parameters)
				if in.NextToken = out.NextToken; in.NextToken == nil {
					return n
				}
			}
		}
		filter := func(key, option string, values ...string) ssm.ParameterStringFilter {
			return ssm.ParameterStringFilter{Key: key, Option: text(option), Values: values}
		}
		for _, tt := range []struct {
			filters []ssm.ParameterStringFilter
			want    int
		}{
			{nil, 31},
			{[]ssm.ParameterStringFilter{filter("Name", "BeginsWith", "/app")}, 29},
			{[]ssm.ParameterStringFilter{filter("Name", "", "plain", "/apple")}, 2},
			{[]ssm.ParameterStringFilter{filter("Name", "Contains", "sub")}, 2},
			{[]ssm.ParameterStringFilter{filter("Path", "", "/app")}, 26},
			{[]ssm.ParameterStringFilter{filter("Path", "Recursive", "/app")}, 28},
			{[]ssm.ParameterStringFilter{filter("Path", "Recursive", "/app"), filter("Type", "", "SecureString")}, 1},
		} {
			if n := count(tt.filters...); n != tt.want {
				t.Errorf("%+v: %d, want %d", tt.filters, n, tt.want)
			}
		}
		_, err = e.DescribeParameters(e.ctx, &ssm.DescribeParametersRequest{ParameterFilters: []ssm.ParameterStringFilter{filter("Type", "BeginsWith", "S")}})
		fails(t, "an option", err, "InvalidFilterOption", "BeginsWith")
		_, err = e.DescribeParameters(e.ctx, &ssm.DescribeParametersRequest{ParameterFilters: []ssm.ParameterStringFilter{filter("Label", "", "S")}})
		fails(t, "a key", err, "InvalidFilterKey", "Label")
	})
}

func TestHistory(t *testing.T) {
	e := newTest(t, storetest.Open(t, "memory:"))
	for i := range 103 {
		_, err := e.PutParameter(e.ctx, &ssm.PutParameterRequest{Name: "p", Type: shape.Ptr("String"), Value: fmt.Sprint(i + 1), Overwrite: shape.Ptr(true)})
		if err != nil {
			t.Fatal(err)
		}
	}
	var seen []string
	in := &ssm.GetParameterHistoryRequest{Name: "p", MaxResults: shape.Ptr(int64(30))}
	for {
		out, err := e.GetParameterHistory(e.ctx, in)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range out.Parameters {
			seen = append(seen, *v.Value)
		}
		if in.NextToken = out.NextToken; in.NextToken == nil {
			break
		}
	}
	if len(seen) != 100 || seen[0] != "4" || seen[99] != "103" {
		t.Errorf("%d versions, %v", len(seen), seen)
	}
}

func TestTags(t *testing.T) {
	e := newTest(t, storetest.Open(t, "memory:"))
	_, err := e.PutParameter(e.ctx, &ssm.PutParameterRequest{Name: "p", Type: shape.Ptr("String"), Value: "v", Tags: []ssm.Tag{{Key: "a", Value: "1"}, {Key: "b", Value: "2"}}})
	if err != nil {
		t.Fatal(err)
	}
	add := func(kind, name string) error {
		return second(e.AddTagsToResource(e.ctx, &ssm.AddTagsToResourceRequest{ResourceType: kind, ResourceId: name, Tags: []ssm.Tag{{Key: "c", Value: "3"}}}))
	}
	fails(t, "another type", add("Document", "p"), "InvalidResourceType", "Document")
	fails(t, "an unknown name", add("Parameter", "q"), "InvalidResourceId", "q")
	if err := add("Parameter", "p"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.RemoveTagsFromResource(e.ctx, &ssm.RemoveTagsFromResourceRequest{ResourceType: "Parameter", ResourceId: "p", TagKeys: []string{"a"}}); err != nil {
		t.Fatal(err)
	}
	out, err := e.ListTagsForResource(e.ctx, &ssm.ListTagsForResourceRequest{ResourceType: "Parameter", ResourceId: "p"})
	if err != nil || fmt.Sprint(out.TagList) != "[{b 2 0} {c 3 0}]" {
		t.Errorf("%v, %v", out, err)
	}
	tagged, err := e.DescribeParameters(e.ctx, &ssm.DescribeParametersRequest{ParameterFilters: []ssm.ParameterStringFilter{{Key: "tag:c", Values: []string{"3"}}}})
	if err != nil || len(tagged.Parameters) != 1 {
		t.Errorf("%v, %v", tagged, err)
	}
}

func TestResource(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e := newTest(t, db)
		var registry resource.Registry
		for _, typ := range e.Resources() {
			registry.Register(typ)
		}
		run := func(action, physical, props string) (resource.Result, error) {
			r := &resource.Request{StackID: "s", StackName: "aws-app", LogicalID: "P", PhysicalID: physical, Token: "t",
				Tags: map[string]string{"aws:cloudformation:stack-id": "s", "aws:cloudformation:logical-id": "P"}}
			if err := json.Unmarshal([]byte(props), &r.Props); err != nil {
				t.Fatal(err)
			}
			if err := registry.Check("AWS::SSM::Parameter", "P", r.Props); err != nil {
				return resource.Result{}, err
			}
			typ, _ := registry.Lookup("AWS::SSM::Parameter")
			switch action {
			case "create":
				return typ.Handler.Create(e.ctx, r)
			case "update":
				return typ.Handler.Update(e.ctx, r)
			}
			return resource.Result{}, typ.Handler.Delete(e.ctx, r)
		}
		res, err := run("create", "", `{"Type":"String","Value":"one","Tags":{"own":"yes"}}`)
		if err != nil || !strings.HasPrefix(res.PhysicalID, "CFN-P-") || res.Attrs["Value"] != "one" || res.Attrs["Type"] != "String" {
			t.Fatalf("%+v, %v", res, err)
		}
		if again, err := run("create", "", `{"Type":"String","Value":"one"}`); err != nil || again.PhysicalID != res.PhysicalID {
			t.Errorf("%+v, %v", again, err)
		}
		res, err = run("update", res.PhysicalID, `{"Type":"String","Value":"two"}`)
		if err != nil || res.Attrs["Value"] != "two" {
			t.Errorf("%+v, %v", res, err)
		}
		if p := e.get(res.PhysicalID, false); *p.Value != "two" {
			t.Errorf("%+v", p)
		}
		e.put("/taken", "String", "x")
		_, err = run("create", "", `{"Name":"/taken","Type":"String","Value":"one"}`)
		fails(t, "a taken name", err, "ParameterAlreadyExists", "")
		if _, err = run("create", "", `{"Name":"/s","Type":"SecureString","Value":"one"}`); err == nil {
			t.Error("a SecureString was made")
		}
		for range 2 {
			if _, err := run("delete", res.PhysicalID, `{"Type":"String","Value":"two"}`); err != nil {
				t.Fatal(err)
			}
		}
		_, err = e.GetParameter(e.ctx, &ssm.GetParameterRequest{Name: res.PhysicalID})
		fails(t, "a deleted parameter", err, "ParameterNotFound", "")
	})
}
