package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/runtime"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
)

// maxPayload bounds what a function takes and answers.
// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
const maxPayload = 6 << 20

// buffers holds *[]byte in which events are assembled.
var buffers = sync.Pool{New: func() any { b := make([]byte, 0, 8<<10); return &b }}

// outcome is how a call of a function went, as far as the kinds of APIs answer differently.
type outcome uint8

const (
	callAnswered   outcome = iota // the function has answered
	callFailed                    // it threw, crashed or ran out of time
	callThrottled                 // it was not run: too many of it are
	callTimedOut                  // the integration's time-out passed
	callImpossible                // it could not be run
)

// callFunction runs a function with the event in *buf, which goes back to buffers with it. What is not an
// answer is noted in the trace.
//
// A client that goes away does not end the function's work, nor does it on AWS.
func (x *exchange) callFunction(arn string, timeout time.Duration, buf *[]byte) ([]byte, outcome) {
	event := *buf
	ctx, cancel := context.WithTimeout(context.WithoutCancel(x.r.Context()), timeout)
	x.endpointID = ident.RequestID()
	ctx = runtime.WithRequestID(ctx, x.endpointID)
	began := x.g.Now()
	out, functionError, err := x.g.Invoker.InvokeFunction(ctx, arn, event)
	cancel()
	x.integrationMillis = x.g.Now().Sub(began).Milliseconds()
	if err != nil {
		return nil, x.notRun(arn, timeout, err) // who failed may still hold the event: it does not go back
	}
	if cap(event) <= 64<<10 {
		*buf = event[:0]
		buffers.Put(buf)
	}
	x.integrationStatus = http.StatusOK
	if functionError != "" {
		x.functionFailed(arn, functionError, out)
		return nil, callFailed
	}
	return out, callAnswered
}

// notRun notes why a function was not run, or not to its end.
func (x *exchange) notRun(arn string, timeout time.Duration, err error) outcome {
	var e *shape.Error
	x.integrationError = err.Error()
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		x.trace.Fail("integration", "the function took too long: "+arn, "", "an answer within "+timeout.String())
		return callTimedOut
	case errors.As(err, &e) && e.Code == "TooManyRequestsException":
		x.integrationStatus = e.Status
		x.trace.Fail("integration", "the function is throttled: "+arn, e.Message, "")
		return callThrottled
	}
	if e != nil {
		x.integrationStatus = e.Status
	} else {
		x.g.Logger.Error("function cannot be invoked", "function", arn, "error", err)
	}
	x.trace.Fail("integration", "the function cannot be invoked: "+arn, err.Error(), "")
	return callImpossible
}

// functionFailed notes that a function threw, crashed or ran out of time.
func (x *exchange) functionFailed(arn, kind string, payload []byte) {
	message := kind
	if json.Valid(payload) {
		_ = members(payload, func(key string, raw []byte) error {
			if key == "errorType" || key == "errorMessage" {
				if s, err := unquote(raw); err == nil {
					message += ": " + s
				}
			}
			return nil
		})
	}
	x.integrationError = excerpt([]byte(message))
	x.trace.Fail("integration", "the function failed: "+arn, excerpt([]byte(message)), "an answer; see the function's log")
}

const noPermission = "The IAM role configured on the integration or API Gateway doesn't have permissions to call the integration. Check the permissions and try again."

// mayInvoke checks that API Gateway may invoke a function for the route that source names: through the
// function's resource policy.
func (x *exchange) mayInvoke(functionARN, source string) bool {
	if x.g.Permitter.Permits(x.r.Context(), functionARN, "apigateway.amazonaws.com", source, x.api.Account) {
		x.trace.Pass("permission", source)
		return true
	}
	x.integrationError = noPermission
	detail := "the function's resource policy does not let this API invoke it: " + functionARN
	if e, ok := x.g.Permitter.(explainer); ok {
		if _, why := e.Permission(x.r.Context(), functionARN, "apigateway.amazonaws.com", source, x.api.Account); why != "" {
			detail += ": " + why
		}
	}
	x.trace.Fail("permission", detail, "source ARN "+source,
		"a statement for principal apigateway.amazonaws.com with lambda:InvokeFunction and this source ARN (lambda add-permission), or CredentialsArn on the integration")
	return false
}

// explainer is a Permitter that can say why.
type explainer interface {
	Permission(ctx context.Context, functionARN, principalService, sourceARN, account string) (ok bool, why string)
}

// assumedName is how API Gateway calls its sessions of roles.
const assumedName = "BackplaneAssumeRoleSession"

// mayInvokeByRole checks that API Gateway may act as a role, on behalf of the route that source names, and
// that the role may invoke the function.
func (x *exchange) mayInvokeByRole(roleARN, functionARN, source string) bool {
	caller, err := x.g.IAM.AssumeAsServiceFor(x.context(), roleARN, "apigateway.amazonaws.com", assumedName, source)
	if err != nil {
		var no iam.ErrNotAssumable
		detail := "API Gateway cannot act as the role of the integration: " + roleARN
		switch {
		case !errors.As(err, &no):
			x.g.Logger.Error("role cannot be read", "role", roleARN, "error", err)
		case no.Because == "":
			detail += ": there is no such role"
		default:
			detail += ": " + no.Because
		}
		x.integrationError = noPermission
		x.trace.Fail("permission", detail, roleARN, "a role whose trust policy lets apigateway.amazonaws.com do sts:AssumeRole")
		return false
	}
	return x.mayInvokeAs(caller, functionARN)
}

// mayInvokeAs checks that somebody of an account may invoke the function.
func (x *exchange) mayInvokeAs(caller *iam.Caller, functionARN string) bool {
	x.integrationError = noPermission
	if caller == nil {
		x.trace.Fail("permission", "the function is to be invoked with the caller's credentials, and the caller has none", "", "a route with authorization type AWS_IAM")
		return false
	}
	resource, err := x.g.Permitter.FunctionPolicy(x.r.Context(), functionARN)
	if err != nil {
		x.trace.Fail("permission", "the function cannot be found: "+functionARN, err.Error(), "")
		return false
	}
	about := iam.HTTPContext(x.r, x.api.Region, x.start)
	d, err := x.g.IAM.Decide(x.context(), caller, &policy.Request{Action: "lambda:InvokeFunction", Resource: functionARN, Context: about}, resource)
	switch {
	case err != nil:
		x.g.Logger.Error("policies cannot be read", "error", err)
		x.trace.Fail("permission", "the policies cannot be read", "", "")
		return false
	case !d.Allowed:
		x.trace.Fail("permission", "the function may not be invoked by "+caller.ARN+": "+functionARN, caller.ARN, "lambda:InvokeFunction on "+functionARN)
		return false
	}
	x.integrationError = ""
	x.trace.Pass("permission", caller.ARN)
	return true
}

// excerpt cuts text for a trace.
func excerpt(b []byte) string {
	const limit = 300
	if len(b) <= limit {
		return string(b)
	}
	b = b[:limit]
	for len(b) > 0 && !utf8.RuneStart(b[len(b)-1]) {
		b = b[:len(b)-1]
	}
	return string(b[:max(0, len(b)-1)]) + "…"
}
