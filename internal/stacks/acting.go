package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	cfn "github.com/gatehouse-dev/gatehouse/internal/api/cloudformation"
	"github.com/gatehouse-dev/gatehouse/internal/api/s3"
	"github.com/gatehouse-dev/gatehouse/internal/api/ssm"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Callers knows for whom stacks act. What a caller is, is its matter.
type Callers interface {
	// SaveCaller returns what a call's Caller is, without secrets, to be kept with an operation.
	SaveCaller(caller any) json.RawMessage
	// RestoreCaller returns the caller again, as it is by now; an error if there is no such caller any more.
	RestoreCaller(ctx context.Context, saved json.RawMessage) (caller any, err error)
	// AssumeForStack lets cloudformation.amazonaws.com assume a role for a stack, and returns who it then is,
	// and its ARN. refused says that the role is not there or does not let it.
	AssumeForStack(ctx context.Context, roleARN, stackID string) (caller any, principal string, refused bool, err error)
}

// asService is how CloudFormation is called where policies ask who makes a call for somebody.
const asService = "cloudformation.amazonaws.com"

// as returns a context in which a stack acts as its role, or without one as the caller of ctx's call, and
// in which all that it does is asked of that one's policies.
func (s *Service) as(ctx context.Context, st *Stack, role string) (context.Context, error) {
	if s.o.Policies == nil {
		return ctx, nil
	}
	c := *wire.CallFrom(ctx)
	c.Secure, c.SourceIP, c.UserAgent, c.Time = true, "", "cloudformation.amazonaws.com", s.o.Now() // as AWS's services call each other
	if role == "" {
		c.Via = asService
	} else {
		var refused bool
		var err error
		c.Caller, c.Principal, refused, err = s.o.Callers.AssumeForStack(ctx, role, st.ID)
		if refused {
			return nil, &shape.Error{Code: "ValidationError", Status: 400, Message: fmt.Sprintf("Role %s is invalid or cannot be assumed", role), Cause: err}
		}
		if err != nil {
			return nil, err
		}
		c.AccessKey, c.Via = "", ""
	}
	return resource.For(wire.WithCall(ctx, &c), acting{s.o.Policies}, nil), nil
}

// become makes the context in which the operation's handlers run. Whoever cannot be acted for any more
// may nothing: then each step fails, as it would on AWS.
func (r *run) become() error {
	if r.s.o.Policies == nil {
		return nil
	}
	c := *wire.CallFrom(r.ctx)
	role := r.stack.RoleARN
	if r.op.Target != nil {
		role = r.op.Target.RoleARN
	}
	var err error
	if c.Caller, err = r.s.o.Callers.RestoreCaller(r.ctx, r.op.Call.Caller); err == nil || role != "" {
		var ctx context.Context
		if ctx, err = r.s.as(wire.WithCall(r.ctx, &c), r.stack, role); err == nil {
			r.ctx, r.asked = ctx, acting{r.s.o.Policies}
			return nil
		}
	}
	if r.ctx.Err() != nil {
		return r.ctx.Err()
	}
	r.s.o.Logger.Warn("stacks: nobody to act for", "stack", r.stack.ID, "role", role, "principal", c.Principal, "error", err)
	r.asked = nobody{err}
	return nil
}

// on returns the context for one call of a handler.
func (r *run) on(ctx context.Context, req *resource.Request) context.Context {
	if r.asked == nil {
		return ctx
	}
	return resource.For(ctx, r.asked, req.Tags)
}

// acting asks policies, and words a refusal as the status of a resource does.
type acting struct{ by wire.Authorizer }

func (a acting) Authorize(ctx context.Context, m *shape.Model, op *shape.Operation, in any, c *wire.Call) error {
	err := a.by.Authorize(ctx, m, op, in, c)
	var denied *wire.AuthError
	if !errors.As(err, &denied) {
		return err
	}
	code, status := "AccessDenied", 403
	switch m.Protocol {
	case shape.JSON10, shape.JSON11:
		code, status = "AccessDeniedException", 400
	case shape.RESTJSON:
		code = "AccessDeniedException"
	}
	// The refusal is no cause of it: the wire would take that for its own.
	return &shape.Error{Status: 400, Message: fmt.Sprintf("%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
		denied.Error(), clientName(m), status, code, c.RequestID)}
}

// clientName is how the clients that CloudFormation works with call a service.
func clientName(m *shape.Model) string {
	switch m.Endpoint {
	case "iam":
		return "AmazonIdentityManagement"
	case "cognito-idp":
		return "AWSCognitoIdentityProvider"
	case "cognito-identity":
		return "AmazonCognitoIdentity"
	case "apigateway":
		return "AmazonApiGateway"
	case "s3":
		return "Amazon S3"
	case "ssm":
		return "AWSSimpleSystemsManagement"
	case "lambda":
		return "AWSLambda"
	case "logs":
		return "AWSLogs"
	}
	return m.ID
}

// nobody refuses everything.
type nobody struct{ because error }

func (n nobody) Authorize(context.Context, *shape.Model, *shape.Operation, any, *wire.Call) error {
	text := "The security token included in the request is invalid."
	var e *shape.Error
	if errors.As(n.because, &e) {
		text = e.Message
	}
	return &shape.Error{Status: 400, Message: text}
}

// parameter reads the parameter store for whom the stack acts for.
func (s *Service) parameter(ctx context.Context, name string) (string, error) {
	if err := resource.Authorize(ctx, &ssm.Model, &ssm.GetParametersRequest{Names: []string{name}}); err != nil {
		return "", invalidText(err)
	}
	return s.o.Parameter(ctx, name)
}

// mayRead asks whether the caller may read a template. That is the caller's matter, whatever role the stack
// has.
func (s *Service) mayRead(ctx context.Context, bucket, key, version string) error {
	if s.o.Policies == nil {
		return nil
	}
	in := &s3.GetObjectRequest{Bucket: bucket, Key: key}
	if version != "" {
		in.VersionId = &version
	}
	err := s.o.Policies.Authorize(ctx, &s3.Model, s3.Model.Operation("GetObject"), in, wire.CallFrom(ctx))
	var denied *wire.AuthError
	if errors.As(err, &denied) {
		return &shape.Error{Code: "ValidationError", Status: 400,
			Message: "S3 error: Access Denied\nFor more information check http://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html"}
	}
	return err
}

// mayDescribe asks whether the outputs of another stack may be read.
func mayDescribe(ctx context.Context, stack string) error {
	return invalidText(resource.Authorize(ctx, &cfn.Model, &cfn.DescribeStacksInput{StackName: &stack}))
}

// invalidText turns a refusal within a template into a ValidationError.
func invalidText(err error) error {
	var e *shape.Error
	if errors.As(err, &e) && e.Code == "" {
		return &shape.Error{Code: "ValidationError", Status: 400, Message: e.Message}
	}
	return err
}

// Known tells whether there is a stack of a name in the region of ctx's call, or was one in the last 90 days.
func (s *Service) Known(ctx context.Context, name string) (bool, error) {
	region := wire.CallFrom(ctx).Region
	return view(ctx, s.o.DB, func(tx *store.Tx) (bool, error) {
		if _, err := stacks.ByName(tx, region, name); !errors.Is(err, store.ErrNotFound) {
			return err == nil, err
		}
		gone, _, err := stacks.List(tx, deletedParent(region), "", 0)
		return slices.ContainsFunc(gone, func(st *Stack) bool { return st.Name == name }), err
	})
}

// StackID returns the id of the living stack of a name in the region of ctx's call, or of the stack that the
// change set with an ARN belongs to; "" if there is none.
func (s *Service) StackID(ctx context.Context, name string) string {
	if isID(name) {
		if c, err := s.changeSet(ctx, name, nil); err == nil {
			return c.StackID
		}
		return ""
	}
	st, err := view(ctx, s.o.DB, func(tx *store.Tx) (*Stack, error) { return lookup(tx, wire.CallFrom(ctx).Region, name) })
	if err != nil {
		return ""
	}
	return st.ID
}
