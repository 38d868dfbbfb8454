package authorizer

import (
	"strconv"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/policy"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

func itoa(n int) string { return strconv.Itoa(n) }

// conditions is what a policy may ask of a request.
func conditions(r *Request) policy.Context {
	about := iam.HTTPContext(r.HTTP, r.API.Region, r.Start)
	about.SourceIP = r.SourceIP
	return about
}

// ResourcePolicy asks an API's resource policy about a request whose caller it does not know: of a method that
// is open, or with an authorizer of user pools. It must allow the request. Whether it denies it at once, before
// a function is asked, tells Denied.
//
// https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-authorization-flow.html
func ResourcePolicy(r *Request, p *policy.Compiled, arn string, out *Result) bool {
	d := decideResource(r, p, arn)
	if d.Allowed {
		r.Trace.Pass("resource policy", "it allows execute-api:Invoke on "+arn)
		return true
	}
	deny(r, out, d, arn)
	return false
}

// Denied tells whether the resource policy denies the request in so many words.
func Denied(r *Request, p *policy.Compiled, arn string, out *Result) bool {
	d := decideResource(r, p, arn)
	if d.Verdict != policy.ExplicitDeny {
		return false
	}
	deny(r, out, d, arn)
	return true
}

func decideResource(r *Request, p *policy.Compiled, arn string) policy.Decision {
	return policy.Evaluate(&policy.Set{Resource: p}, &policy.Request{Action: "execute-api:Invoke", Resource: arn, Context: conditions(r)})
}

func deny(r *Request, out *Result, d policy.Decision, arn string) {
	if r.Trace != nil {
		for _, step := range policy.Explain(d) {
			r.Trace.Steps = append(r.Trace.Steps, trace.Step(step))
		}
	}
	r.Trace.Fail("resource policy", "the API's resource policy does not let the request in", "from "+r.SourceIP, "execute-api:Invoke on "+arn)
	out.Refusal, out.Type, out.Why = Forbidden, "AccessDeniedException", "not authorized"
	out.Message = "User: anonymous is not authorized to perform: execute-api:Invoke on resource: " + hideAccount(arn)
	if d.Verdict == policy.ExplicitDeny {
		out.Message += " with an explicit deny"
	}
}
