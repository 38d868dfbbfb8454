package resource

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/gatehouse-dev/gatehouse/internal/api/iam"
	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/api/logs"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// asker notes what it is asked, and refuses.
type asker struct{ asked []string }

var errRefused = errors.New("refused")

func (a *asker) Authorize(ctx context.Context, m *shape.Model, op *shape.Operation, in any, c *wire.Call) error {
	text := m.SigningName + ":" + op.Name
	if in, ok := in.(*logs.CreateLogGroupRequest); ok {
		text += " " + in.LogGroupName + " " + StackTags(ctx)["a"] + " " + c.Region
	}
	a.asked = append(a.asked, text)
	return errRefused
}

// TestAuthorize holds who is asked about what: operations, with their inputs, by the context's caller;
// not parts of inputs, not what is invalid, and nobody where no stack acts.
func TestAuthorize(t *testing.T) {
	a := &asker{}
	ctx := For(wire.WithCall(t.Context(), &wire.Call{Region: "eu-west-1"}), a, map[string]string{"a": "b"})
	group := func(ctx context.Context, name string) error {
		return Input(ctx, &logs.Model, new(logs.CreateLogGroupRequest), map[string]any{"LogGroupName": name}, nil)
	}
	if err := group(ctx, "/x"); err != errRefused {
		t.Error(err)
	}
	if err := group(ctx, ""); err == nil || err == errRefused {
		t.Errorf("invalid: %v", err)
	}
	if err := Input(ctx, &lambda.Model, new(lambda.FunctionCode), map[string]any{"S3Bucket": "bucket"}, nil); err != nil {
		t.Errorf("a part of an input: %v", err)
	}
	if err := Fill(&logs.Model, new(logs.CreateLogGroupRequest), map[string]any{"LogGroupName": "/x"}, nil); err != nil {
		t.Errorf("filled: %v", err)
	}
	if err := Authorize(ctx, &iam.Model, &iam.DeleteRoleRequest{RoleName: "r"}); err != errRefused {
		t.Error(err)
	}
	if err := Authorize(ctx, &lambda.Model, &lambda.FunctionCode{}); err == nil {
		t.Error("what is no operation's input was let through")
	}
	for _, quiet := range []context.Context{t.Context(), Undo(ctx)} {
		if err := group(quiet, "/x"); err != nil || StackTags(quiet) != nil {
			t.Error(err)
		}
	}
	if want := []string{"logs:CreateLogGroup /x b eu-west-1", "iam:DeleteRole"}; !slices.Equal(a.asked, want) {
		t.Errorf("asked %q, want %q", a.asked, want)
	}
}

func TestRetags(t *testing.T) {
	tags := []any{map[string]any{"Key": "a", "Value": "1"}}
	for _, tt := range []struct {
		r    Request
		want bool
	}{
		{Request{Props: map[string]any{"Tags": tags}, OldProps: map[string]any{"Tags": tags}}, false},
		{Request{Props: map[string]any{"Tags": tags}}, true},
		{Request{TagsChanged: true}, true},
		{Request{}, false},
	} {
		if got := tt.r.Retags("Tags"); got != tt.want {
			t.Errorf("%+v: %v", tt.r, got)
		}
	}
}
