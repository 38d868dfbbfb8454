package functions

import (
	"context"
	"errors"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store/storetest"
)

// A function gets no role that Lambda may not act as, from whatever side it comes.
func TestRoles(t *testing.T) {
	e, _ := newTest(t, storetest.Open(t, "memory:"), t.TempDir())
	broken := errors.New("the store is down")
	e.Assumable = func(_ context.Context, arn string) (bool, error) {
		if arn == testRole+"broken" {
			return false, broken
		}
		return arn == testRole || arn == testRole+"2", nil
	}
	const refused = "The role defined for the function cannot be assumed by Lambda."
	create := func(name, role string) error {
		_, err := e.CreateFunction(e.ctx, &lambda.CreateFunctionRequest{FunctionName: name, Role: role, Runtime: shape.Ptr("nodejs22.x"), Handler: shape.Ptr("index.handler"),
			Code: &lambda.FunctionCode{ZipFile: nodeZip(t, nodeEcho)}})
		return err
	}
	update := func(role *string) error {
		_, err := e.UpdateFunctionConfiguration(e.ctx, &lambda.UpdateFunctionConfigurationRequest{FunctionName: "f", Role: role, Description: shape.Ptr("d")})
		return err
	}
	fails(t, "create", create("f", testRole+"x"), "InvalidParameterValueException", refused)
	if err := create("f", testRole+"broken"); !errors.Is(err, broken) {
		t.Errorf("a store that fails: %v", err)
	}
	check(t, create("f", testRole))
	fails(t, "update", update(shape.Ptr(testRole+"x")), "InvalidParameterValueException", refused)
	check(t, update(shape.Ptr(testRole+"2")))

	s := newStack(t, e)
	text := func(role string) string {
		return `{"FunctionName":"g","Runtime":"nodejs22.x","Handler":"index.handler","Role":"` + role + `","Code":{"ZipFile":"exports.handler = async () => 1"}}`
	}
	_, err := s.run("AWS::Lambda::Function", "create", s.request("G", "", text(testRole+"x"), ""))
	fails(t, "a stack's function", err, "InvalidParameterValueException", refused)
	_, err = s.run("AWS::Lambda::Function", "create", s.request("G", "", text(testRole), ""))
	check(t, err)
	_, err = s.run("AWS::Lambda::Function", "update", s.request("G", "g", text(testRole+"x"), text(testRole)))
	fails(t, "a stack's update", err, "InvalidParameterValueException", refused)

	// A role that went away later keeps nobody from changing other things.
	e.Assumable = func(context.Context, string) (bool, error) { return false, nil }
	check(t, update(nil))
	_, err = s.run("AWS::Lambda::Function", "update", s.request("G", "g", text(testRole), text(testRole)))
	check(t, err)
}
