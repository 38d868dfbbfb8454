// Package admin answers what a server tells of itself, below /_gatehouse/: health, the decision traces
// of requests, what was sent, and functions' logs as they come. The command line and the console use
// it; for AWS's tools it does not exist.
//
// All but health and the local authority's certificate (ca.pem) needs a call signed by the account's root for the service "gatehouse"; an open server
// takes unsigned ones, too.
package admin

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/logs"
	"github.com/gatehouse-dev/gatehouse/internal/message"
	"github.com/gatehouse-dev/gatehouse/internal/trace"
)

// Prefix is the path below which everything lies.
const Prefix = "/_gatehouse/"

// maxMessages and maxTraces bound one answer.
const (
	maxMessages = 1000
	maxTraces   = 1000
)

// Message is a message that was sent, as JSON.
type Message struct {
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Channel  string    `json:"channel"` // "email" or "sms"
	Kind     string    `json:"kind"`
	Pool     string    `json:"pool"`
	Username string    `json:"username"`
	From     string    `json:"from,omitempty"`
	To       string    `json:"to"`
	Subject  string    `json:"subject,omitempty"`
	Body     string    `json:"body"`
	Code     string    `json:"code,omitempty"` // the code or password in it
	State    string    `json:"state"`
	Error    string    `json:"error,omitempty"`
}

// LogEvent is a line of a log, as JSON.
type LogEvent struct {
	Time    time.Time `json:"time"`
	Stream  string    `json:"stream"`
	Message string    `json:"message"`
}

// Options are what a [Handler] needs.
type Options struct {
	Version  string
	CA       []byte // the local authority's certificate, in PEM
	Recorder *trace.Recorder
	Outbox   *message.Outbox
	Logs     *logs.Service
	// Authorize returns the region that a request is for, or an error if it is not the root's.
	Authorize func(r *http.Request) (region string, err error)
	// Reset empties the server; nil where that is not allowed.
	Reset func(ctx context.Context) error
	// Closing is closed when the server ends: streams end then.
	Closing <-chan struct{}
	Logger  *slog.Logger
}

// Handler serves everything below [Prefix].
type Handler struct {
	Options
	mux *http.ServeMux
}

// New returns a handler.
func New(o Options) *Handler {
	h := &Handler{Options: o, mux: http.NewServeMux()}
	h.mux.HandleFunc("GET "+Prefix+"health", h.health)
	h.mux.HandleFunc("GET "+Prefix+"ca.pem", h.ca)
	h.mux.HandleFunc("GET "+Prefix+"requests", h.guard(h.requests))
	h.mux.HandleFunc("GET "+Prefix+"requests/{id}", h.guard(h.request))
	h.mux.HandleFunc("GET "+Prefix+"messages", h.guard(h.messages))
	h.mux.HandleFunc("GET "+Prefix+"logs", h.guard(h.logs))
	h.mux.HandleFunc("POST "+Prefix+"reset", h.guard(h.reset))
	return h
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

type regionKey struct{}

// guard lets only the account's root pass, and no web page: a page cannot sign, and on an open server
// it must not get in by being open.
func (h *Handler) guard(f http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Origin") != "" {
			fail(w, http.StatusForbidden, "Web pages may not call this.")
			return
		}
		region, err := h.Authorize(r)
		if err != nil {
			fail(w, http.StatusForbidden, err.Error())
			return
		}
		ctx, cancel := context.WithCancel(context.WithValue(r.Context(), regionKey{}, region))
		defer cancel()
		go func() {
			select {
			case <-h.Closing:
				cancel()
			case <-ctx.Done():
			}
		}()
		f(w, r.WithContext(ctx))
	}
}

func fail(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(map[string]string{"message": text})
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v)
}

func (h *Handler) health(w http.ResponseWriter, r *http.Request) {
	answer(w, map[string]string{"status": "ok", "version": h.Version})
}

// ca gives the certificate of the local authority to clients that are to trust the server. It is no secret.
func (h *Handler) ca(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-pem-file")
	w.Write(h.CA)
}

// stream writes each value that next returns as a line of JSON until it says that there are no more.
func stream[T any](w http.ResponseWriter, ch <-chan T, f func(T) any) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	rc := http.NewResponseController(w)
	rc.SetWriteDeadline(time.Time{}) // it lasts as long as its reader wants
	rc.Flush()
	enc := json.NewEncoder(w)
	for v := range ch {
		if enc.Encode(f(v)) != nil {
			return
		}
		if len(ch) == 0 {
			rc.Flush()
		}
	}
}

// limit reads the parameter of that name, between 1 and most.
func limit(r *http.Request, fallback, most int) (int, error) {
	text := r.FormValue("limit")
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, errors.New("limit is a number from 1 to " + strconv.Itoa(most))
	}
	return n, nil
}

func (h *Handler) requests(w http.ResponseWriter, r *http.Request) {
	if r.FormValue("follow") != "" {
		stream(w, h.Recorder.Follow(r.Context()), func(t *trace.Trace) any { return t })
		return
	}
	n, err := limit(r, 100, maxTraces)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	answer(w, h.Recorder.Recent(n))
}

func (h *Handler) request(w http.ResponseWriter, r *http.Request) {
	t := h.Recorder.Get(r.PathValue("id"))
	if t == nil {
		fail(w, http.StatusNotFound, "The request is not known.")
		return
	}
	answer(w, t)
}

func (h *Handler) messages(w http.ResponseWriter, r *http.Request) {
	n, err := limit(r, 100, maxMessages)
	if err != nil {
		fail(w, http.StatusBadRequest, err.Error())
		return
	}
	to, pool := r.FormValue("to"), r.FormValue("pool")
	if strings.IndexByte(to+pool, 0) >= 0 {
		fail(w, http.StatusBadRequest, "No address and no pool has a NUL character.")
		return
	}
	list, err := h.List(r.Context(), message.Filter{To: to, Scope: pool}, n)
	if err != nil {
		h.Logger.Error("messages could not be read", "err", err)
		fail(w, http.StatusInternalServerError, "The messages could not be read.")
		return
	}
	answer(w, list)
}

// List returns what was sent, newest first.
func (h *Handler) List(ctx context.Context, f message.Filter, n int) ([]Message, error) {
	found, err := h.Outbox.List(ctx, f, n)
	out := make([]Message, 0, len(found))
	for _, m := range found {
		out = append(out, Message{ID: m.ID, Time: m.Created, Channel: string(m.Channel), Kind: m.Kind, Pool: m.Scope, Username: m.Username,
			From: m.From, To: m.To, Subject: m.Subject, Body: m.Body, Code: m.Code, State: string(m.State), Error: m.Error})
	}
	return out, err
}

func (h *Handler) logs(w http.ResponseWriter, r *http.Request) {
	group := r.FormValue("group")
	if !strings.HasPrefix(group, "/") {
		fail(w, http.StatusBadRequest, "group is the name of a log group, which begins with a slash.")
		return
	}
	since := time.Now()
	if text := r.FormValue("since"); text != "" {
		var err error
		if since, err = time.Parse(time.RFC3339Nano, text); err != nil {
			fail(w, http.StatusBadRequest, "since is a time such as 2026-11-21T05:00:00Z.")
			return
		}
	}
	region, _ := r.Context().Value(regionKey{}).(string)
	ch, err := h.Logs.Tail(r.Context(), region, group, since, r.FormValue("follow") != "")
	if err != nil {
		h.Logger.Error("logs could not be read", "err", err)
		fail(w, http.StatusInternalServerError, "The logs could not be read.")
		return
	}
	stream(w, ch, func(e logs.Event) any { return LogEvent{e.Time, e.Stream, e.Message} })
}

func (h *Handler) reset(w http.ResponseWriter, r *http.Request) {
	if h.Reset == nil {
		fail(w, http.StatusForbidden, "Only a server that was started with --auth open can be reset.")
		return
	}
	if err := h.Reset(r.Context()); err != nil {
		h.Logger.Error("reset failed", "err", err)
		fail(w, http.StatusInternalServerError, "The server could not be reset.")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
