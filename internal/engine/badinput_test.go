package engine

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-dev/gatehouse/internal/shape"
	"github.com/gatehouse-dev/gatehouse/internal/store"
)

// TestBadInput calls every operation that is built with inputs that are right but for one thing: a
// member left out, of another kind, too long, out of range, not UTF-8, nested, unknown. Whatever comes,
// the answer is the service's own, in its protocol's form: no internal failure, no panic, nothing that
// takes long; and what is refused has changed nothing.
func TestBadInput(t *testing.T) {
	var log errorLog
	goroutines := runtime.NumGoroutine()
	e, err := Start(t.Context(), Config{Addr: "127.0.0.1:0", Ephemeral: true, AuthOpen: true, Logger: slog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := e.Close(ctx); err != nil {
			t.Errorf("the server does not end in order: %v", err)
		}
		for range 100 { // the last of them may be ending
			if runtime.NumGoroutine() <= goroutines {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		stacks := make([]byte, 1<<20)
		t.Errorf("%d goroutines before, %d after\n%s", goroutines, runtime.NumGoroutine(), stacks[:runtime.Stack(stacks, true)])
	})
	total, began := 0, time.Now()
	for _, s := range e.services {
		c := &caller{e: e, s: s, rnd: rand.New(rand.NewPCG(1, 2))}
		t.Run(s.Model.ID, func(t *testing.T) {
			c.known = fixture(t, e)
			_, pkg := source(t, reflect.TypeOf(s.Handler))
			built := methods(pkg, indirect(reflect.TypeOf(s.Handler)).Name())
			ops := slices.Clone(s.Model.Operations)
			// What takes the ground from under the others comes last.
			slices.SortStableFunc(ops, func(a, b shape.Operation) int { return cmp.Compare(rank(a.Name), rank(b.Name)) })
			for i := range ops {
				if op := &ops[i]; built[op.Name] {
					total += c.hurt(t, op)
				}
				for _, line := range log.take() {
					t.Errorf("%s: the log says: %s", ops[i].Name, line)
				}
			}
		})
	}
	t.Logf("%d requests in %v", total, time.Since(began).Round(time.Millisecond))
}

// perOperation bounds the requests for one operation; what is left out is left out at random.
var perOperation = flag.Int("badinput", 60, "requests of TestBadInput for each operation")

func rank(op string) int {
	switch {
	case op == "Invoke": // starts processes
		return 1
	case strings.HasPrefix(op, "Delete"), strings.HasPrefix(op, "AdminDelete"), strings.HasPrefix(op, "Remove"), strings.HasPrefix(op, "GlobalSignOut"):
		return 2
	}
	return 0
}

// hurt calls op with one bad input after the other and returns their number.
func (c *caller) hurt(t *testing.T, op *shape.Operation) int {
	m := c.s.Model
	in := m.At(op.Input)
	base := func() map[string]any { return c.required(op.Input, 0) }
	docs := []map[string]any{base()}
	for _, p := range c.paths(op.Input, nil, 0) {
		for _, bad := range c.bad(p.shape) {
			doc := base()
			c.set(op.Input, doc, p.at, bad)
			docs = append(docs, doc)
		}
	}
	unknown := base()
	unknown["NoSuchMember"] = map[string]any{"a": raw("1")}
	docs = append(docs, unknown)
	limit := *perOperation
	if op.Name == "Invoke" { // each starts a process
		limit = min(limit, 40)
	}
	if len(docs) > limit {
		c.rnd.Shuffle(len(docs), func(i, j int) { docs[i], docs[j] = docs[j], docs[i] })
		docs = docs[:limit]
	}
	n := 0
	for _, doc := range docs {
		if r := c.request(op, doc); r != nil {
			c.ask(t, op, r, true)
			n++
		}
	}
	for _, body := range bodies(m.Protocol) {
		r := c.request(op, base())
		if r == nil || r.Method == http.MethodGet || r.Method == http.MethodHead || m.Protocol == shape.RESTXML && payload(in) < 0 {
			break
		}
		if m.Protocol == shape.QueryXML {
			body = "Action=" + op.Name + "&Version=" + m.APIVersion + "&" + body
		}
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		c.ask(t, op, r, false)
		n++
	}
	return n
}

// bodies are not what the protocol asks for.
func bodies(p shape.Protocol) []string {
	deep := strings.Repeat
	switch p {
	case shape.QueryXML:
		return []string{"%zz=1", "a.b.c.d=1&a=2", deep("a.", 200) + "b=1", deep("x=1&", 30000), "Tags.member.99999999999=1&Tags.member.x=2",
			"StackName.member.1=a", "=&=&==", "\xff\xfe\x00", "Tags.member.1.Key.Key=1"}
	case shape.RESTXML:
		return []string{"", "<", "<a", "<a></b>", deep("<a>", 5000), `<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;">]><a>&d;</a>`, "\xff\xfe\x00",
			`<?xml version="1.0" encoding="UTF-16"?><a/>`, "{}"}
	}
	return []string{"", "{", "[]", "null", "0", `"x"`, "{}x", `{"a":}`, `{"a":1,}`, "{\"a\":\"\x00\"}", "\xff\xfe{\x00}\x00", deep("[", 10000), deep(`{"a":`, 10000),
		`{"a":` + deep("[", 5000) + deep("]", 5000) + "}", `{"a":1e99999}`, `{"\ud800":"\udfff\ud800"}`, `{"a":nul}`, `{"a":"\u00"}`, "{'a':1}"}
}

// ask sends r and holds the answer against what an answer may be.
func (c *caller) ask(t *testing.T, op *shape.Operation, r *http.Request, quiet bool) {
	t.Helper()
	m := c.s.Model
	var text string
	if b, err := io.ReadAll(r.Body); err == nil {
		text = string(b)
		r.Body = io.NopCloser(bytes.NewReader(b))
	}
	before := c.state(t)
	w := httptest.NewRecorder()
	done := make(chan any, 1)
	began := time.Now()
	go func() {
		defer func() { done <- recover() }()
		c.e.ServeHTTP(w, r)
	}()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%s: %s\n%s %.600s\n%.600s", op.Name, fmt.Sprintf(format, args...), r.Method, r.URL, fmt.Sprintf("%q", text))
	}
	select {
	case p := <-done:
		if p != nil {
			fail("panic: %v", p)
			return
		}
	case <-time.After(20 * time.Second):
		fail("no answer")
		t.FailNow()
	}
	if took := time.Since(began); took > 5*time.Second {
		fail("the answer took %v", took)
	}
	body := w.Body.Bytes()
	var code, message string
	structured := true
	switch stream := c.streams(op); {
	case r.Method == http.MethodHead || w.Code == http.StatusNoContent || len(body) == 0 && w.Code < 300 && strings.HasPrefix(string(m.Protocol), "rest"):
		structured = false
	case w.Code < 300 && stream:
		structured = false
	case m.Protocol == shape.QueryXML || m.Protocol == shape.RESTXML:
		code, message = xmlError(body)
		if err := wellFormed(body); err != nil {
			fail("the answer is not XML: %v: %.300s", err, body)
		}
	default:
		var doc struct {
			Type         string `json:"__type"`
			Message      string `json:"message"`
			LambdaMesage string `json:"Message"`
		}
		if err := json.Unmarshal(body, &doc); err != nil {
			fail("the answer is not JSON: %v: %.300s", err, body)
		}
		code, message = cmp.Or(doc.Type, w.Header().Get("X-Amzn-Errortype")), cmp.Or(doc.Message, doc.LambdaMesage)
	}
	if !utf8.Valid(body) && structured {
		fail("the answer is not UTF-8: %.300q", body)
	}
	for name, values := range w.Header() {
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") {
				fail("the answer's header %s is %q", name, v)
			}
		}
	}
	switch {
	case w.Code == http.StatusNotImplemented && strings.Contains(code, "NotImplemented"):
	case w.Code >= 500:
		fail("%d %s: %s", w.Code, code, message)
	case w.Code >= 400 && structured && (code == "" || message == "" && code != "SerializationException" && code != "ParameterNotFound"):
		fail("an error without code or message: %d %s", w.Code, body)
	}
	if len(message) > 1<<20 {
		fail("the message has %d bytes", len(message))
	}
	if after := c.state(t); quiet && w.Code >= 400 && after != before {
		fail("refused with %d %s, and yet the state changed: %s, was %s", w.Code, code, after, before)
	}
}

// state sums up what the server holds. Stacks and functions work on by themselves, so theirs is left out.
func (c *caller) state(t *testing.T) string {
	var docs, size, users, changed int64
	err := c.e.db.View(context.Background(), func(tx *store.Tx) error {
		const kinds = `kind NOT LIKE 'stacks.%' AND kind NOT LIKE 'functions.%' AND kind NOT LIKE 'logs.%'`
		if err := tx.QueryRow(`SELECT count(*), coalesce(sum(length(doc)), 0) FROM documents WHERE `+kinds).Scan(&docs, &size); err != nil {
			return err
		}
		return tx.QueryRow(`SELECT count(*), coalesce(max(modified), 0) FROM userpool_users`).Scan(&users, &changed)
	})
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(docs, size, users, changed)
}

func (c *caller) streams(op *shape.Operation) bool {
	out := c.s.Model.At(op.Output)
	i := payload(out)
	return i >= 0 && c.s.Model.At(out.Members[i].Shape).Kind == shape.Blob
}

func payload(sh *shape.Shape) int {
	return slices.IndexFunc(sh.Members, func(mem shape.Member) bool { return mem.Location == shape.Payload })
}

func xmlError(body []byte) (code, message string) {
	var doc struct {
		Code    string
		Message string
		Error   struct{ Code, Message string }
	}
	if xml.Unmarshal(body, &doc) != nil {
		return "", ""
	}
	return cmp.Or(doc.Code, doc.Error.Code), cmp.Or(doc.Message, doc.Error.Message)
}

func wellFormed(body []byte) error {
	dec := xml.NewDecoder(bytes.NewReader(body))
	for {
		if _, err := dec.Token(); err != nil {
			if err == io.EOF {
				return nil
			}
			return err
		}
	}
}

// place is a member somewhere in an input.
type place struct {
	at    []string // names of members; "[]" for a list's element, "{}" for a map's
	shape *shape.Shape
}

// paths lists the members of a structure, and of those in it.
func (c *caller) paths(r shape.Ref, prefix []string, depth int) []place {
	m := c.s.Model
	sh := m.At(r)
	if depth > 4 {
		return nil
	}
	var out []place
	kid := func(name string, ref shape.Ref) {
		at := append(slices.Clone(prefix), name)
		out = append(out, place{at, m.At(ref)})
		out = append(out, c.paths(ref, at, depth+1)...)
	}
	switch sh.Kind {
	case shape.Structure, shape.Union:
		for i := range sh.Members {
			kid(sh.Members[i].Name, sh.Members[i].Shape)
		}
	case shape.List:
		kid("[]", sh.Elem)
	case shape.Map:
		kid("{}", sh.Elem)
	}
	return out
}

// set puts v at a path of doc, a sample of r, and samples where the path leads through nothing.
func (c *caller) set(r shape.Ref, doc any, at []string, v any) {
	m := c.s.Model
	sh := m.At(r)
	last := len(at) == 1
	switch doc := doc.(type) {
	case map[string]any:
		key, kid := at[0], sh.Elem
		if key == "{}" {
			key = "key"
		} else {
			for i := range sh.Members {
				if sh.Members[i].Name == key {
					kid = sh.Members[i].Shape
				}
			}
		}
		if last {
			if v == (absent{}) {
				delete(doc, key)
			} else {
				doc[key] = v
			}
			return
		}
		if doc[key] == nil {
			doc[key] = c.sample(kid, key, len(at))
		}
		c.set(kid, doc[key], at[1:], v)
	case []any:
		switch {
		case len(doc) == 0:
		case last:
			doc[0] = v
		default:
			c.set(sh.Elem, doc[0], at[1:], v)
		}
	}
}

type absent struct{}

// bad lists values that a member of the shape should not have.
func (c *caller) bad(sh *shape.Shape) []any {
	nested := raw(strings.Repeat(`[`, 100) + strings.Repeat(`]`, 100))
	out := []any{absent{}, raw("null"), nested, raw("{}")}
	switch sh.Kind {
	case shape.String:
		out = append(out, "", " ", strings.Repeat("a", 1<<16), "a\x00b", "\xff\xfe", "../../etc/passwd", "-1", "us-west-2_AAAAAAAAA", "%s%n%00", "\u202e<&>\"'\\\r\n",
			"arn:aws:lambda:eu-west-3:111111111111:function:x:y:z", "arn:", "{}", "[", "99999999999999999999", raw("1"), raw("true"), raw("[]"), c.known["clientid"], c.known["accesstoken"])
	case shape.Boolean:
		out = append(out, "maybe", raw("1"), raw("[]"))
	case shape.Integer, shape.Long, shape.Float, shape.Double:
		for _, n := range []string{"-1", "0", "1", "0.5", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "-9223372036854775808", "1e18", "1e308", "-0"} {
			out = append(out, raw(n))
		}
		out = append(out, "NaN", "Infinity", "", raw("true"))
	case shape.Timestamp:
		out = append(out, raw("-1"), raw("1e300"), raw("253402300800"), raw("-62135596801"), "yesterday", "0000-00-00T00:00:00Z", "")
	case shape.Blob:
		out = append(out, "====", "AA", "", raw("1"), base64.StdEncoding.EncodeToString([]byte("PK\x03\x04")), base64.StdEncoding.EncodeToString([]byte("\x00\xff{")))
	case shape.List:
		elem := c.sample(sh.Elem, "", 3)
		many := make([]any, 1000)
		for i := range many {
			many[i] = elem
		}
		out = append(out, raw("[]"), raw("[null]"), raw("[[[]]]"), "x", many, []any{elem, elem})
	case shape.Map:
		elem := c.sample(sh.Elem, "", 3)
		many := map[string]any{}
		for i := range 1000 {
			many["key"+strconv.Itoa(i)] = elem
		}
		out = append(out, raw(`{"":""}`), raw(`{"a":null}`), raw(`{"a":{"b":{}}}`), "x", many, map[string]any{"\x00": elem, strings.Repeat("k", 5000): elem, "\xff": elem})
	case shape.Structure, shape.Union:
		out = append(out, raw("[]"), "x", raw("7"))
	}
	return out
}

// required is a sample of a structure with the members that it must have.
func (c *caller) required(r shape.Ref, depth int) map[string]any {
	sh := c.s.Model.At(r)
	doc := map[string]any{}
	for i := range sh.Members {
		mem := &sh.Members[i]
		if mem.Required || mem.Location == shape.URI || needed[mem.Name] && depth == 0 {
			doc[mem.Name] = c.sample(mem.Shape, mem.Name, depth+1)
		}
	}
	return doc
}

// needed are members that models call optional.
var needed = map[string]bool{"TemplateBody": true, "StackName": true, "Runtime": true, "Handler": true, "ProtocolType": false, "Target": false,
	"AuthParameters": true, "ChallengeResponses": true, "Session": false, "ClientMetadata": false}

// sample is a value of the shape that may well be right.
func (c *caller) sample(r shape.Ref, name string, depth int) any {
	m := c.s.Model
	sh := m.At(r)
	known, ok := c.known[strings.ToLower(name)]
	switch sh.Kind {
	case shape.String:
		if ok && fits(sh, known) {
			return known
		}
		if sh.Enum != nil {
			if slices.Contains(sh.Enum, "USER_PASSWORD_AUTH") {
				return "USER_PASSWORD_AUTH"
			}
			return sh.Enum[0]
		}
		for _, s := range []string{"sample", "email", "arn:aws:iam::000000000000:role/sample", "https://example.com/x", "us-east-1_123456789", "/sample", "a@example.com", "1", "*", "0000000000"} {
			if fits(sh, s) {
				return s
			}
		}
		return "sample"
	case shape.Boolean:
		return raw("true")
	case shape.Integer, shape.Long, shape.Float, shape.Double:
		if l := sh.Limits; l != nil && l.HasMin {
			return raw(strconv.FormatInt(l.Min, 10))
		}
		return raw("1")
	case shape.Timestamp:
		return raw("1700000000")
	case shape.Blob:
		if ok {
			return known
		}
		return base64.StdEncoding.EncodeToString([]byte("sample"))
	case shape.List:
		if depth > 5 {
			return []any{}
		}
		return []any{c.sample(sh.Elem, name, depth+1)}
	case shape.Map:
		switch name {
		case "AuthParameters":
			return map[string]any{"USERNAME": c.known["username"], "PASSWORD": c.known["password"]}
		case "ChallengeResponses":
			return map[string]any{"USERNAME": c.known["username"], "NEW_PASSWORD": c.known["password"]}
		}
		if depth > 5 {
			return map[string]any{}
		}
		return map[string]any{"key": c.sample(sh.Elem, name, depth+1)}
	case shape.Structure, shape.Union:
		if depth > 6 {
			return map[string]any{}
		}
		return c.required(r, depth)
	}
	return map[string]any{}
}

func fits(sh *shape.Shape, s string) bool {
	if sh.Enum != nil {
		return slices.Contains(sh.Enum, s)
	}
	l := sh.Limits
	return l == nil || (!l.HasMin || int64(len(s)) >= l.Min) && (!l.HasMax || int64(len(s)) <= l.Max) && (l.Pattern == "" || l.Matches(s))
}
