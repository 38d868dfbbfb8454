package wire

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/ident"
	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
	"github.com/gatehouse-dev/gatehouse/internal/wire/awsjson"
	"github.com/gatehouse-dev/gatehouse/internal/wire/proto"
	"github.com/gatehouse-dev/gatehouse/internal/wire/query"
	"github.com/gatehouse-dev/gatehouse/internal/wire/restjson"
	"github.com/gatehouse-dev/gatehouse/internal/wire/restxml"
)

// Service is one service that the server answers for.
type Service struct {
	Model   *shape.Model
	Handler any // implements the generated package's Handler

	// MaxBody bounds the bodies of an operation's requests, in bytes. 0, or a nil func, stands for the
	// server's bound. Streamed payloads have none.
	MaxBody func(operation string) int64

	codec  codec
	router *router // of REST services
	greedy bool    // its paths match almost everything: S3's
}

// Options make a Server.
type Options struct {
	Services      []Service
	Auth          Authenticator // nil: whoever needs credentials is refused
	Policies      Authorizer    // asked about signed operations only, never about public ones; nil: whoever is authenticated may
	Account       string        // 12 digits
	DefaultRegion string        // for requests that name none; "" is "us-east-1"
	Logger        *slog.Logger  // nil: discard
	Now           func() time.Time
	MaxBody       int64 // of requests that are read into memory; 0 is 10 MiB

	// Private says that connections do not leave the machine: then they count as safe as those over TLS
	// (aws:SecureTransport).
	Private bool

	// AllowOrigin tells whether a web page of the given origin may call the API. nil: any may, as on
	// AWS. A server that takes any access key as good must not let any page in.
	AllowOrigin func(r *http.Request, origin string) bool

	// Observe is called after each request, with its context, the status of the answer and the error that it
	// stands for, if any; the code that the caller sees is in the call. c is not changed afterwards.
	Observe func(ctx context.Context, c *Call, status int, err error)
}

// DefaultMaxBody bounds request bodies unless told otherwise. The largest inputs of the JSON and Query
// services are far below.
const DefaultMaxBody = 10 << 20

// Server is the control plane. It is an http.Handler, safe for concurrent use.
type Server struct {
	o          Options
	services   []*Service
	byTarget   map[string]*Service
	bySigning  map[string][]*Service
	byEndpoint map[string][]*Service
	queries    []*Service
	dated      []*Service // REST JSON services, for unsigned requests
}

// codec translates one protocol. An output or error is written to w, whose header is the response's.
type codec interface {
	Decode(m *shape.Model, op *shape.Operation, r *proto.Request, in any) error
	Encode(m *shape.Model, op *shape.Operation, out any, requestID string, w *proto.Response) error
	Error(m *shape.Model, op *shape.Operation, e *shape.Error, requestID, resource string, w *proto.Response)
}

var codecs = map[shape.Protocol]codec{
	shape.JSON10:   awsjson.Codec{},
	shape.JSON11:   awsjson.Codec{},
	shape.RESTJSON: restjson.Codec{},
	shape.QueryXML: query.Codec{},
	shape.RESTXML:  restxml.Codec{},
}

// NewServer makes a server of o. It panics on a model of an unknown protocol or a service given twice.
func NewServer(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.MaxBody <= 0 {
		o.MaxBody = DefaultMaxBody
	}
	if o.DefaultRegion == "" {
		o.DefaultRegion = "us-east-1"
	}
	s := &Server{
		o:          o,
		byTarget:   map[string]*Service{},
		bySigning:  map[string][]*Service{},
		byEndpoint: map[string][]*Service{},
	}
	for i := range o.Services {
		svc := new(Service)
		*svc = o.Services[i]
		m := svc.Model
		svc.codec = codecs[m.Protocol]
		if svc.codec == nil {
			panic(fmt.Sprintf("wire: %s has unknown protocol %q", m.ID, m.Protocol))
		}
		switch m.Protocol {
		case shape.JSON10, shape.JSON11:
			if s.byTarget[m.TargetPrefix] != nil {
				panic("wire: " + m.ID + " given twice")
			}
			s.byTarget[m.TargetPrefix] = svc
		case shape.QueryXML:
			s.queries = append(s.queries, svc)
		case shape.RESTJSON:
			svc.router = newRouter(m)
			s.dated = append(s.dated, svc)
		case shape.RESTXML:
			svc.router, svc.greedy = newRouter(m), true
		}
		s.services = append(s.services, svc)
		s.bySigning[m.SigningName] = append(s.bySigning[m.SigningName], svc)
		s.byEndpoint[m.Endpoint] = append(s.byEndpoint[m.Endpoint], svc)
	}
	return s
}

// ServeHTTP answers a request of the control plane. For one that [Server.Match] does not know it
// answers 404.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	t, ok := s.Match(r)
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.Serve(w, r, t)
}

// Serve answers a request for which [Server.Match] found t.
func (s *Server) Serve(w http.ResponseWriter, r *http.Request, t *Target) {
	if origin := r.Header.Get("Origin"); origin != "" {
		if s.o.AllowOrigin != nil && !s.o.AllowOrigin(r, origin) {
			http.Error(w, "Origin not allowed", http.StatusForbidden)
			return
		}
		if !t.Preflight && t.Service.Model.Protocol != shape.RESTXML { // a bucket has its own rules
			w.Header()["Access-Control-Allow-Origin"] = []string{"*"}
			w.Header()["Access-Control-Expose-Headers"] = []string{exposed}
		}
	}
	x := &exchange{s: s, w: w, r: r, t: t}
	if !t.Preflight {
		x.run()
	} else if t.Service != nil && t.Service.Model.Protocol == shape.RESTXML {
		x.begin()
		x.fail(shape.Errorf("AccessForbidden", 403, "CORSResponse: CORS is not enabled for this bucket."))
	} else {
		s.preflight(w, r)
	}
}

// exchange is one request and its answer.
type exchange struct {
	s    *Server
	w    http.ResponseWriter
	r    *http.Request
	t    *Target
	call Call

	req     proto.Request
	raw     []byte // the body as it came
	stream  bool
	started bool // the answer has begun
	status  int
	err     error
}

func (x *exchange) run() {
	x.begin()
	defer func() {
		if x.s.o.Observe != nil {
			x.s.o.Observe(x.r.Context(), &x.call, x.status, x.err)
		}
	}()
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			x.s.o.Logger.Error("panic in a handler", "request", x.call.RequestID, "service", x.call.Service,
				"operation", x.call.Operation, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			if x.started {
				panic(http.ErrAbortHandler) // nothing can be taken back: cut the connection
			}
			x.err = fmt.Errorf("panic: %v", p)
			x.answer(x.internalFailure())
		}
	}()
	out, err := x.serve()
	if err == nil {
		err = x.encode(out)
	}
	if err != nil {
		x.fail(err)
	}
}

// begin makes the Call and the headers that every answer has.
func (x *exchange) begin() {
	r, m := x.r, x.t.Service.Model
	c := &x.call
	*c = Call{
		RequestID: ident.RequestID(),
		Service:   m.Endpoint,
		Operation: x.t.Name,
		Account:   x.s.o.Account,
		Region:    x.t.region,
		Partition: "aws",
		SourceIP:  sourceIP(r.RemoteAddr),
		UserAgent: r.UserAgent(),
		Host:      r.Host,
		Secure:    r.TLS != nil || x.s.o.Private,
		Time:      x.s.o.Now(),
	}
	if x.t.Operation != nil {
		c.Operation = x.t.Operation.Name
	}
	if !validRegion(c.Region) {
		c.Region = x.s.o.DefaultRegion
	}
	h := x.w.Header()
	if m.Protocol == shape.RESTXML {
		h["X-Amz-Request-Id"] = []string{c.RequestID}
		h["X-Amz-Id-2"] = []string{c.RequestID}
	} else {
		h["X-Amzn-Requestid"] = []string{c.RequestID}
	}
}

// validRegion tells whether s can be a region's name. Any can be one, but services make identifiers of
// it, so it has no characters that mean something in them.
func validRegion(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 32
}

// sourceIP takes the address from RemoteAddr. Headers that a client can set are no source.
func sourceIP(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return addr
}

// serve takes the request through the steps that the package comment lists.
func (x *exchange) serve() (out any, err error) {
	svc, op := x.t.Service, x.t.Operation
	m := svc.Model
	needsCaller := op == nil || !op.Unsigned
	if needsCaller && (x.s.o.Auth == nil || !Signed(x.r)) {
		if m.Protocol != shape.QueryXML || op != nil { // a Query service's operation may be further on in the form
			return nil, &AuthError{Problem: MissingCredentials}
		}
	}
	if err := x.readBody(); err != nil {
		return nil, err
	}
	if m.Protocol == shape.QueryXML {
		if err := x.readForm(); err != nil {
			return nil, err
		}
		op = x.t.Operation
		if needsCaller = op == nil || !op.Unsigned; needsCaller && (x.s.o.Auth == nil || !Signed(x.r)) {
			return nil, &AuthError{Problem: MissingCredentials}
		}
	}

	var who Identity
	if needsCaller {
		if who, err = x.s.o.Auth.Authenticate(x.r.Context(), x.r, x.bodySHA256, m.SigningName); err != nil {
			return nil, err
		}
		x.call.Principal, x.call.AccessKey, x.call.Caller = who.Principal, who.AccessKey, who.Caller
		if who.Account != "" {
			x.call.Account = who.Account
		}
		if who.Region != "" {
			if !validRegion(who.Region) {
				return nil, &sigv4.Error{Kind: sigv4.Scope, Message: "Credential should be scoped to a valid region."}
			}
			x.call.Region = who.Region
		}
	}
	if op == nil {
		return nil, x.unknownOperation()
	}
	if err := x.prepareBody(who); err != nil {
		return nil, err
	}

	in := op.New()
	if err := svc.codec.Decode(m, op, &x.req, in); err != nil {
		return nil, err
	}
	if err := shape.Validate(m, op.Input, in); err != nil {
		return nil, err
	}
	ctx := WithCall(x.r.Context(), &x.call)
	if needsCaller && x.s.o.Policies != nil {
		if err := x.s.o.Policies.Authorize(ctx, m, op, in, &x.call); err != nil {
			return nil, err
		}
	}
	return op.Call(ctx, svc.Handler, in)
}

// encode writes a success.
func (x *exchange) encode(out any) error {
	m, op := x.t.Service.Model, x.t.Operation
	w := proto.Response{Header: x.w.Header()}
	if err := x.t.Service.codec.Encode(m, op, out, x.call.RequestID, &w); err != nil {
		return fmt.Errorf("encode the output: %w", internal{err})
	}
	x.send(&w)
	return nil
}

// internal hides a *shape.Error in a chain: an output that cannot be written is not the caller's fault.
type internal struct{ err error }

func (e internal) Error() string { return e.err.Error() }

// send writes w.
func (x *exchange) send(w *proto.Response) {
	x.started, x.status = true, w.Status
	h := x.w.Header()
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http shall not guess one
	}
	bodiless := x.r.Method == http.MethodHead || w.Status == http.StatusNoContent || w.Status == http.StatusNotModified
	if w.Stream != nil {
		defer w.Stream.Close()
		x.w.WriteHeader(w.Status)
		if bodiless {
			return
		}
		if _, err := io.Copy(x.w, w.Stream); err != nil {
			x.err = err
			if x.r.Context().Err() == nil {
				x.s.o.Logger.Error("answer broken off", "request", x.call.RequestID, "operation", x.call.Operation, "error", err)
			}
			panic(http.ErrAbortHandler) // the client must see that the body is cut
		}
		return
	}
	if !bodiless {
		h["Content-Length"] = []string{strconv.Itoa(len(w.Body))}
	}
	x.w.WriteHeader(w.Status)
	if !bodiless {
		x.w.Write(w.Body)
	}
}

// fail writes err in the protocol's form.
func (x *exchange) fail(err error) {
	x.err = err
	x.answer(x.worded(err))
}

// answer writes e.
func (x *exchange) answer(e *shape.Error) {
	m := x.t.Service.Model
	x.call.ErrorCode = e.Code
	w := proto.Response{Header: x.w.Header()}
	x.t.Service.codec.Error(m, x.t.Operation, e, x.call.RequestID, x.r.URL.Path, &w)
	x.send(&w)
}

// worded turns any error into one that the caller may see.
func (x *exchange) worded(err error) *shape.Error {
	m := x.t.Service.Model
	var sig *sigv4.Error
	if errors.As(err, &sig) {
		if sig.Kind == sigv4.Missing {
			return (&AuthError{Problem: MissingCredentials}).form(m.Protocol)
		}
		code, msg, status := sig.AWS(style(m.Protocol))
		return &shape.Error{Code: code, Message: msg, Status: status}
	}
	var auth *AuthError
	if errors.As(err, &auth) {
		e := auth.form(m.Protocol)
		if auth.Cause != nil {
			x.s.o.Logger.Debug("request not authenticated", "request", x.call.RequestID, "error", auth.Cause)
		}
		return e
	}
	var e *shape.Error
	if errors.As(err, &e) {
		if e.Status == 0 {
			c := *e
			c.Status = 400
			if e.Server {
				c.Status = 500
			}
			e = &c
		}
		if e.Cause != nil {
			x.s.o.Logger.Info("request refused", "request", x.call.RequestID, "service", x.call.Service,
				"operation", x.call.Operation, "code", e.Code, "cause", e.Cause)
		}
		return e
	}
	log := x.s.o.Logger.Error
	if x.r.Context().Err() != nil { // the client is gone, and with it the work was cancelled
		log = x.s.o.Logger.Debug
	}
	log("internal failure", "request", x.call.RequestID, "service", x.call.Service, "operation", x.call.Operation, "error", err)
	return x.internalFailure()
}

// internalFailure is the answer to what nobody foresaw, by the name that the service's model or
// protocol has for it.
func (x *exchange) internalFailure() *shape.Error {
	m := x.t.Service.Model
	if m.Protocol == shape.RESTXML {
		return &shape.Error{Code: "InternalError", Message: "We encountered an internal error. Please try again.", Status: 500, Server: true}
	}
	code := "InternalFailure"
	if x.t.Operation != nil {
		for _, modelled := range x.t.Operation.Errors {
			if info := m.Error(modelled); info != nil && info.Status == 500 {
				switch modelled {
				case "InternalErrorException", "InternalFailure", "ServiceException", "InternalServerError", "ServiceFailure":
					code = modelled
				}
			}
		}
	}
	return &shape.Error{Code: code, Message: "The request processing has failed because of an unknown error, exception or failure.", Status: 500, Server: true}
}

// unknownOperation names the operation that the model does not have.
func (x *exchange) unknownOperation() error {
	m := x.t.Service.Model
	switch m.Protocol {
	case shape.QueryXML:
		if x.t.Name == "" {
			return shape.Errorf("MissingAction", 400, "The request is missing an action or a required parameter.")
		}
		return shape.Errorf("InvalidAction", 400, "Could not find operation %s for version %s", x.t.Name, x.version())
	case shape.RESTXML:
		return shape.Errorf("MethodNotAllowed", 405, "The specified method is not allowed against this resource.")
	case shape.RESTJSON:
		return shape.Errorf("UnknownOperationException", 404, "%s has no operation %s %s", m.Endpoint, x.r.Method, x.r.URL.Path)
	}
	if x.t.Name == "" {
		return shape.Errorf("UnknownOperationException", 400, "The X-Amz-Target header names no operation of %s", m.Endpoint)
	}
	return shape.Errorf("UnknownOperationException", 400, "%s has no operation %s", m.Endpoint, x.t.Name)
}
