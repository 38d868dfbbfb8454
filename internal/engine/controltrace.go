package engine

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/iam"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
	"github.com/gatehouse-dev/gatehouse/internal/wire"
)

// observed is what [Engine.serveControl] learns of a call while it is served.
type observed struct {
	trace trace.Trace
	call  *wire.Call // nil until it is over
	err   error
}

type observedKey struct{}

// serveControl serves a call of the control plane and records its trace. Whoever decides about it notes
// steps in the trace meanwhile; who signed it is put before them.
func (e *Engine) serveControl(w http.ResponseWriter, r *http.Request, t *wire.Target) {
	o := &observed{trace: trace.Trace{Time: e.cfg.Now(), Method: r.Method, Host: r.Host, Path: r.URL.Path, Steps: make([]trace.Step, 0, 8)}}
	begun := time.Now()
	defer func() {
		if o.call == nil {
			return // a preflight
		}
		o.trace.Micros = time.Since(begun).Microseconds()
		o.complete(r, t)
		e.recorder.Record(&o.trace)
	}()
	ctx := context.WithValue(trace.With(r.Context(), &o.trace), observedKey{}, o)
	e.control.Serve(w, r.WithContext(ctx), t)
}

// observe takes note of the end of a call.
func (e *Engine) observe(ctx context.Context, c *wire.Call, status int, err error) {
	if o, ok := ctx.Value(observedKey{}).(*observed); ok {
		o.call, o.err, o.trace.Status = c, err, status
	}
	if e.cfg.Logger.Enabled(ctx, slog.LevelDebug) {
		e.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "call", slog.String("operation", c.Service+":"+c.Operation),
			slog.Int("status", status), slog.String("request", c.RequestID), slog.Any("err", err))
	}
}

// complete writes down who called what.
func (o *observed) complete(r *http.Request, to *wire.Target) {
	t, c := &o.trace, o.call
	t.RequestID, t.SourceIP, t.Principal, t.Error = c.RequestID, c.SourceIP, c.Principal, c.ErrorCode
	t.Operation = c.Service + ":" + c.Operation
	steps := t.Steps
	t.Steps = make([]trace.Step, 0, len(steps)+2)
	o.credentials(r, to)
	t.Steps = append(t.Steps, steps...)
}

// credentials says who signed the request and how that was found, or what is wrong with it. Nothing
// that could be used to sign, or instead of signing, is written down.
func (o *observed) credentials(r *http.Request, to *wire.Target) {
	t, c := &o.trace, o.call
	sig, parsed := sigv4.Parse(r)
	if c.Principal != "" {
		if sig == nil {
			t.Pass("credentials", "none that can be read; the server is open, so it is the root's")
			return
		}
		detail := "access key " + sig.AccessKey + " of " + c.Principal
		if who := iam.CallerOf(c); who != nil && who.AccessKey != sig.AccessKey {
			t.Pass("credentials", "access key "+sig.AccessKey+", which was not given out here; the server is open, so it is the root's")
			return
		} else if who != nil && who.Session != nil {
			detail += ", good until " + time.Unix(who.Session.Expires, 0).UTC().Format(time.RFC3339)
		}
		where := "header"
		if sig.Presigned {
			where = "URL"
		}
		t.Pass("credentials", detail)
		t.Pass("signature", "fits, in the "+where+", scope "+sig.Scope())
		return
	}
	var bad *sigv4.Error
	var auth *wire.AuthError
	switch {
	case errors.As(o.err, &bad):
		o.explain(r, sig, bad)
	case errors.As(o.err, &auth) && auth.Problem == wire.MissingCredentials:
		t.Fail("credentials", "the request is not signed", "", "a signature of Signature Version 4, in the Authorization header or the URL")
	case errors.As(o.err, &auth) && auth.Problem != wire.Denied:
		detail, want := "the access key is unknown, inactive or belongs to another session token; or its user or role is gone", "an access key of this server: gatehouse env prints the root's"
		got := ""
		if auth.Problem == wire.SessionTokenExpired {
			detail, want = "the temporary credentials have expired", "new ones"
		}
		if sig != nil {
			got = sig.AccessKey + ", scope " + sig.Scope()
			switch temporary := strings.HasPrefix(sig.AccessKey, "ASIA"); {
			case temporary && sig.SessionToken == "":
				detail, want = "the access key is of temporary credentials, whose session token does not come with it", "the header X-Amz-Security-Token"
			case !temporary && sig.SessionToken != "":
				detail, want = "a session token comes with an access key that is not of temporary credentials", "a request without X-Amz-Security-Token: AWS_SESSION_TOKEN is left from somewhere"
			}
		}
		t.Fail("credentials", detail, got, want)
	case to.Operation == nil || !to.Operation.Unsigned:
		t.Pass("credentials", "not looked at: the request was refused before")
	case parsed != nil:
		t.Pass("credentials", "none, and none are needed")
	default:
		t.Pass("credentials", "none are needed; those that came were not looked at")
	}
}

// explain says what is wrong with a signature.
func (o *observed) explain(r *http.Request, sig *sigv4.Signature, bad *sigv4.Error) {
	t := &o.trace
	if sig == nil {
		t.Fail("signature", bad.Message, "", "Authorization: AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, SignedHeaders=…, Signature=…")
		return
	}
	who := sig.AccessKey + ", scope " + sig.Scope() + ", time " + sig.Time.UTC().Format(time.RFC3339)
	switch bad.Kind {
	case sigv4.Mismatch:
		t.Fail("signature", "it is not the one that the secret of the access key makes of this request: "+bad.Likely, who, "")
		t.Signature = trace.SignatureOf(r, sig, bad)
	case sigv4.Expired, sigv4.NotYetValid:
		t.Fail("signature", bad.Message, who, "a clock that agrees with this server's, which showed "+t.Time.UTC().Format(time.RFC3339))
	case sigv4.Payload:
		t.Fail("signature", bad.Message, who, "the body that was signed: its hash is in X-Amz-Content-Sha256")
	default:
		t.Fail("signature", bad.Message, who, "the scope DATE/REGION/SERVICE/aws4_request of the service that is called, and the host signed")
	}
}
