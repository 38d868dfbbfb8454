package stacks

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/api/lambda"
	"github.com/gatehouse-dev/gatehouse/internal/arn"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/resource"
	"github.com/gatehouse-dev/gatehouse/internal/store"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// Functions runs functions; custom resources are made by them.
type Functions interface {
	Invoke(ctx context.Context, in *lambda.InvocationRequest) (*lambda.InvocationResponse, error)
}

// customTimeout is how long a custom resource may stay silent if its template does not say.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-cloudformation-customresource.html
const customTimeout = time.Hour

// custom is AWS::CloudFormation::CustomResource and Custom::…: a function is sent an event for each step, and
// answers to the event's ResponseURL. A step that is run again sends nothing again: it waits for the answer
// to the first event.
type custom struct{ s *Service }

// customEvent is what the function is sent.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-requests.html
type customEvent struct {
	RequestType           string
	ServiceToken          string
	ResponseURL           string
	StackId               string
	RequestId             string
	LogicalResourceId     string
	PhysicalResourceId    string `json:",omitempty"`
	ResourceType          string
	ResourceProperties    map[string]any
	OldResourceProperties map[string]any `json:",omitempty"`
}

// customAnswer is what it answers.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/crpg-ref-responses.html
type customAnswer struct {
	Status             string
	Reason             any
	PhysicalResourceId any
	StackId            string
	RequestId          string
	LogicalResourceId  string
	NoEcho             any
	Data               map[string]any
}

func (c custom) Create(ctx context.Context, r *resource.Request) (resource.Result, error) {
	mine := r.PhysicalName(255, false) // if the function does not name it
	a, err := c.ask(ctx, "Create", r)
	switch {
	case a != nil:
		return a.result(mine), err
	case errors.Is(err, errClosing) || errors.Is(err, errUnasked):
		return resource.Result{}, err
	}
	// The function may have made something: it is to be deleted, under the name that is ours.
	return resource.Result{PhysicalID: mine}, err
}

func (c custom) Update(ctx context.Context, r *resource.Request) (resource.Result, error) {
	if !resource.Equal(r.Props["ServiceToken"], r.OldProps["ServiceToken"]) {
		return resource.Result{}, &resource.Error{Message: "Modifying service token is not allowed."}
	}
	a, err := c.ask(ctx, "Update", r)
	if err != nil {
		return resource.Result{}, err
	}
	return a.result(r.PhysicalID), nil
}

func (c custom) Delete(ctx context.Context, r *resource.Request) error {
	_, err := c.ask(ctx, "Delete", r)
	return err
}

// errUnasked is part of an error if the function was not reached.
var errUnasked = errors.New("stacks: the function was not called")

type unasked struct{ error }

func (u unasked) Unwrap() []error { return []error{u.error, errUnasked} }

// ask sends the event of a step and waits for the answer. An answer that says FAILED is an error too.
func (c custom) ask(ctx context.Context, kind string, r *resource.Request) (*customAnswer, error) {
	token, _ := r.Props["ServiceToken"].(string)
	if err := checkServiceToken(token); err != nil {
		return nil, unasked{err}
	}
	if c.s.o.Functions == nil {
		return nil, unasked{refused("A custom resource", "this server has no functions")}
	}
	timeout := customTimeout
	if v, ok := r.Props["ServiceTimeout"]; ok {
		n, err := strconv.Atoi(fmt.Sprint(v))
		if err != nil || n < 1 || n > 3600 {
			return nil, unasked{&resource.Error{Message: "ServiceTimeout must be a number of seconds between 1 and 3600"}}
		}
		timeout = time.Duration(n) * time.Second
	}
	id := questionID(r.StackID, r.LogicalID, r.Token)
	q, err := c.s.pose(ctx, id, r.StackID, max(timeout, answerTime))
	if err != nil {
		return nil, unasked{err}
	}
	if !q.Asked {
		event := &customEvent{
			RequestType: kind, ServiceToken: token, StackId: r.StackID, RequestId: r.Token, LogicalResourceId: r.LogicalID,
			PhysicalResourceId: r.PhysicalID, ResourceType: r.Type, ResourceProperties: texts(r.Props).(map[string]any),
			ResponseURL: q.address(customHost, wire.CallFrom(ctx).Region, id, "ASIAGATEHOUSERESPONSE"),
		}
		if kind == "Update" {
			event.OldResourceProperties = texts(r.OldProps).(map[string]any)
		}
		if err := c.send(ctx, token, event); err != nil {
			return nil, unasked{err}
		}
		if err := c.s.asked(ctx, id, r.StackID); err != nil {
			return nil, err
		}
	}
	var text []byte
	err = c.s.await(ctx, id, time.UnixMilli(q.Created).Add(timeout), func(q *question) bool {
		if len(q.Answers) > 0 {
			text = q.Answers[0]
		}
		return len(q.Answers) > 0
	})
	switch {
	case errors.Is(err, errSilent):
		return nil, &resource.Error{Message: "CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [" + r.Token +
			"]. If you are using the Python cfn-response module, you may need to update your Lambda function code so that CloudFormation can attach the updated version."}
	case err != nil:
		return nil, err
	}
	return readAnswer(text, r)
}

// send hands the event to the function, as an asynchronous one.
func (c custom) send(ctx context.Context, function string, event *customEvent) error {
	payload, err := json.Marshal(event)
	if err != nil {
		return err
	}
	in := &lambda.InvocationRequest{FunctionName: function, InvocationType: ptr(lambda.InvocationTypeEvent), Payload: payload}
	if err := resource.Authorize(ctx, &lambda.Model, in); err != nil {
		return err
	}
	call := *wire.CallFrom(ctx)
	call.RequestID = ident.RequestID() // each event has its own
	_, err = c.s.o.Functions.Invoke(wire.WithCall(ctx, &call), in)
	return err
}

// asked notes that the event of a question has been sent.
func (s *Service) asked(ctx context.Context, id, parent string) error {
	return s.o.DB.Update(ctx, func(tx *store.Tx) error {
		q, err := s.question(tx, id)
		if err != nil {
			return err
		}
		q.Asked = true
		return s.putQuestion(tx, id, parent, q)
	})
}

// checkServiceToken tells whether a custom resource can be made by what its ServiceToken names.
func checkServiceToken(token string) error {
	a, err := arn.Parse(token)
	switch {
	case err != nil:
		return &resource.Error{Message: "Invalid service token."}
	case a.Service == "sns":
		return &resource.Error{Message: "Custom resources that are backed by an SNS topic are not supported", Detail: token + ": use the ARN of a function"}
	case a.Service != "lambda" || !strings.HasPrefix(a.Resource, "function:"):
		return &resource.Error{Message: "Invalid service token.", Detail: token}
	}
	return nil
}

// readAnswer reads an answer and holds it against the step that it is for.
func readAnswer(text []byte, r *resource.Request) (*customAnswer, error) {
	fault := func(format string, args ...any) (*customAnswer, error) {
		return nil, &resource.Error{Message: fmt.Sprintf(format, args...)}
	}
	if len(text) > maxAnswer {
		return fault("Response object is too long.")
	}
	var a customAnswer
	if err := decodeJSON(text, &a); err != nil || !utf8.Valid(text) {
		return fault("Invalid response: the body is not the JSON object that is expected (RequestId: %s)", r.Token)
	}
	id, named := a.PhysicalResourceId.(string)
	if a.PhysicalResourceId != nil && (!named || len(id) > 1024) {
		return fault("Invalid PhysicalResourceId")
	}
	switch a.Status {
	case "SUCCESS":
		if a.RequestId != r.Token || a.StackId != r.StackID || a.LogicalResourceId != r.LogicalID {
			return fault("Invalid response: StackId, RequestId and LogicalResourceId must be those of the request (RequestId: %s)", r.Token)
		}
		return &a, nil
	case "FAILED":
		why, _ := a.Reason.(string)
		if why == "" {
			return &a, &resource.Error{Message: "Received response status [FAILED] from custom resource. Message returned: (RequestId: " + r.Token + ")"}
		}
		return &a, &resource.Error{Message: "Received response status [FAILED] from custom resource. Message returned: " + why + " (RequestId: " + r.Token + ")"}
	}
	return fault("Invalid response: Status must be SUCCESS or FAILED (RequestId: %s)", r.Token)
}

// result returns what the answer says of the resource.
func (a *customAnswer) result(id string) resource.Result {
	if named, _ := a.PhysicalResourceId.(string); named != "" {
		id = named
	}
	hide := a.NoEcho == true || a.NoEcho == "true"
	return resource.Result{PhysicalID: id, Attrs: a.Data, NoEcho: hide}
}

// texts returns a value with all scalars as text, as CloudFormation hands properties to custom resources.
func texts(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if e != nil {
				out[k] = texts(e)
			}
		}
		return out
	case []any:
		out := make([]any, 0, len(v))
		for _, e := range v {
			if e != nil {
				out = append(out, texts(e))
			}
		}
		return out
	case string:
		return v
	case nil:
		return map[string]any{}
	}
	return fmt.Sprint(v)
}
