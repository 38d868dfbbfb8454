package functions

import (
	"errors"
	"regexp"
	"strings"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

var urlForm = regexp.MustCompile(`^https://([a-z0-9]{32})\.lambda-url\.us-east-1\.on\.aws/$`)

func TestURLs(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		e, _ := newTest(t, db, t.TempDir())
		e.createNode(t, "f")
		_, err := e.PublishVersion(e.ctx, &lambda.PublishVersionRequest{FunctionName: "f"})
		check(t, err)
		_, err = e.CreateAlias(e.ctx, &lambda.CreateAliasRequest{FunctionName: "f", Name: "live", FunctionVersion: "1"})
		check(t, err)
		out, err := e.CreateFunctionUrlConfig(e.ctx, &lambda.CreateFunctionUrlConfigRequest{FunctionName: "f", AuthType: "NONE", Cors: &lambda.Cors{AllowOrigins: []string{"*"}}})
		check(t, err)
		m := urlForm.FindStringSubmatch(out.FunctionUrl)
		if m == nil || out.FunctionArn != arnOf("f") || out.AuthType != "NONE" || *out.InvokeMode != "BUFFERED" {
			t.Fatalf("made %+v", out)
		}
		u, err := e.FunctionURL(t.Context(), m[1])
		if err != nil || u.FunctionARN != arnOf("f") || u.Host() != m[1]+".lambda-url.us-east-1.on.aws" || u.CORS.AllowOrigins[0] != "*" {
			t.Errorf("URL %+v, %v", u, err)
		}
		if u.Memo(func(*URL) any { return 1 }) != 1 || u.Memo(func(*URL) any { return 2 }) != 1 {
			t.Error("the memo was made twice")
		}
		alias, err := e.CreateFunctionUrlConfig(e.ctx, &lambda.CreateFunctionUrlConfigRequest{FunctionName: "f", Qualifier: shape.Ptr("live"), AuthType: "AWS_IAM"})
		check(t, err)
		if alias.FunctionArn != arnOf("f:live") || alias.FunctionUrl == out.FunctionUrl {
			t.Errorf("alias's %+v", alias)
		}
		updated, err := e.UpdateFunctionUrlConfig(e.ctx, &lambda.UpdateFunctionUrlConfigRequest{FunctionName: arnOf("f"), AuthType: shape.Ptr("AWS_IAM")})
		if err != nil || updated.FunctionUrl != out.FunctionUrl || updated.AuthType != "AWS_IAM" || updated.Cors == nil || updated.CreationTime != out.CreationTime {
			t.Errorf("updated %+v, %v", updated, err)
		}
		if again, err := e.FunctionURL(t.Context(), m[1]); err != nil || again == u || again.AuthType != "AWS_IAM" {
			t.Errorf("updated URL %+v, %v", again, err)
		}
		got, err := e.GetFunctionUrlConfig(e.ctx, &lambda.GetFunctionUrlConfigRequest{FunctionName: "f"})
		if err != nil || got.AuthType != "AWS_IAM" || got.FunctionUrl != out.FunctionUrl {
			t.Errorf("got %+v, %v", got, err)
		}
		list, err := e.ListFunctionUrlConfigs(e.ctx, &lambda.ListFunctionUrlConfigsRequest{FunctionName: "f", MaxItems: shape.Ptr[int64](1)})
		if err != nil || len(list.FunctionUrlConfigs) != 1 || list.NextMarker == nil {
			t.Fatalf("list %+v, %v", list, err)
		}
		list, err = e.ListFunctionUrlConfigs(e.ctx, &lambda.ListFunctionUrlConfigsRequest{FunctionName: "f", Marker: list.NextMarker})
		if err != nil || len(list.FunctionUrlConfigs) != 1 || list.NextMarker != nil || list.FunctionUrlConfigs[0].FunctionArn != arnOf("f:live") {
			t.Errorf("list %+v, %v", list, err)
		}

		for _, test := range []struct {
			what, code, text string
			in               lambda.CreateFunctionUrlConfigRequest
		}{
			{"a second one", "ResourceConflictException", "FunctionUrlConfig exists for this Lambda function", lambda.CreateFunctionUrlConfigRequest{FunctionName: "f"}},
			{"no function", "ResourceNotFoundException", "Function not found", lambda.CreateFunctionUrlConfigRequest{FunctionName: "none"}},
			{"no alias", "ResourceNotFoundException", "Cannot find alias arn", lambda.CreateFunctionUrlConfigRequest{FunctionName: "f", Qualifier: shape.Ptr("dev")}},
			{"a version", "InvalidParameterValueException", "not for a version", lambda.CreateFunctionUrlConfigRequest{FunctionName: "f:1"}},
			{"streaming", "InvalidParameterValueException", "InvokeMode RESPONSE_STREAM", lambda.CreateFunctionUrlConfigRequest{FunctionName: "f", InvokeMode: shape.Ptr("RESPONSE_STREAM")}},
			{"an origin", "InvalidParameterValueException", "allowOrigins", lambda.CreateFunctionUrlConfigRequest{FunctionName: "f", Cors: &lambda.Cors{AllowOrigins: []string{"x"}}}},
			{"a method", "InvalidParameterValueException", "allowMethods", lambda.CreateFunctionUrlConfigRequest{FunctionName: "f", Cors: &lambda.Cors{AllowMethods: []string{"FLY"}}}},
		} {
			test.in.AuthType = "NONE"
			_, err := e.CreateFunctionUrlConfig(e.ctx, &test.in)
			fails(t, test.what, err, test.code, test.text)
		}

		aliasID := urlForm.FindStringSubmatch(alias.FunctionUrl)[1]
		_, err = e.DeleteAlias(e.ctx, &lambda.DeleteAliasRequest{FunctionName: "f", Name: "live"})
		check(t, err)
		if _, err := e.FunctionURL(t.Context(), aliasID); !errors.Is(err, ErrNoURL) {
			t.Errorf("the URL of a deleted alias: %v", err)
		}
		_, err = e.DeleteFunctionUrlConfig(e.ctx, &lambda.DeleteFunctionUrlConfigRequest{FunctionName: "f"})
		check(t, err)
		_, err = e.DeleteFunctionUrlConfig(e.ctx, &lambda.DeleteFunctionUrlConfigRequest{FunctionName: "f"})
		fails(t, "a second deletion", err, "ResourceNotFoundException", "The resource you requested does not exist.")
		_, err = e.GetFunctionUrlConfig(e.ctx, &lambda.GetFunctionUrlConfigRequest{FunctionName: "f"})
		fails(t, "a deleted one", err, "ResourceNotFoundException", "The resource you requested does not exist.")
		if _, err := e.FunctionURL(t.Context(), m[1]); !errors.Is(err, ErrNoURL) {
			t.Errorf("a deleted URL: %v", err)
		}

		s := newStack(t, e)
		r := s.request("Url", "", `{"TargetFunctionArn":"`+arnOf("f")+`","AuthType":"NONE","Cors":{"AllowOrigins":["https://a.example"],"MaxAge":5}}`, "")
		made, err := s.run("AWS::Lambda::Url", "create", r)
		check(t, err)
		again, err := s.run("AWS::Lambda::Url", "create", r) // after a crash
		if err != nil || again.Attrs["FunctionUrl"] != made.Attrs["FunctionUrl"] || made.PhysicalID != arnOf("f") || urlForm.FindString(made.Attrs["FunctionUrl"].(string)) == "" {
			t.Errorf("made %+v, again %+v, %v", made, again, err)
		}
		changed, err := s.run("AWS::Lambda::Url", "update", s.request("Url", made.PhysicalID, `{"TargetFunctionArn":"`+arnOf("f")+`","AuthType":"AWS_IAM"}`, ""))
		got, err2 := e.GetFunctionUrlConfig(e.ctx, &lambda.GetFunctionUrlConfigRequest{FunctionName: "f"})
		if err != nil || err2 != nil || changed.Attrs["FunctionUrl"] != made.Attrs["FunctionUrl"] || got.AuthType != "AWS_IAM" || got.Cors != nil {
			t.Errorf("changed to %+v, %v, %v", got, err, err2)
		}
		_, err = s.run("AWS::Lambda::Url", "delete", s.request("Url", made.PhysicalID, `{"TargetFunctionArn":"`+arnOf("f")+`","AuthType":"AWS_IAM"}`, ""))
		check(t, err)
		_, err = e.CreateFunctionUrlConfig(e.ctx, &lambda.CreateFunctionUrlConfigRequest{FunctionName: "f", AuthType: "NONE"})
		check(t, err)
		got, err = e.GetFunctionUrlConfig(e.ctx, &lambda.GetFunctionUrlConfigRequest{FunctionName: "f"})
		check(t, err)
		_, err = e.DeleteFunction(e.ctx, &lambda.DeleteFunctionRequest{FunctionName: "f"})
		check(t, err)
		id := strings.TrimPrefix(strings.SplitN(got.FunctionUrl, ".", 2)[0], "https://")
		if _, err := e.FunctionURL(t.Context(), id); !errors.Is(err, ErrNoURL) {
			t.Errorf("the URL of a deleted function: %v", err)
		}
	})
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
