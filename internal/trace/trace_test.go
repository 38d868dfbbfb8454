package trace

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestRecorderKeepsTheNewest(t *testing.T) {
	r := NewRecorder(3)
	for i := range 5 {
		r.Record(&Trace{RequestID: fmt.Sprint(i)})
	}
	if r.Get("1") != nil {
		t.Error("the second of five is still there in a recorder of three")
	}
	for i, want := range []string{"4", "3", "2"} {
		if got := r.Recent(10)[i].RequestID; got != want {
			t.Errorf("Recent[%d] = %s, want %s", i, got, want)
		}
	}
	if len(r.byID) != 3 {
		t.Errorf("index holds %d entries, want 3", len(r.byID))
	}
}

// Of very many steps the first and the last are kept.
func TestRecorderKeepsFewSteps(t *testing.T) {
	tr := &Trace{RequestID: "1"}
	for i := range 1000 {
		tr.Pass("asked", fmt.Sprint(i))
	}
	tr.Fail("policy", "no", "", "")
	r := NewRecorder(1)
	r.Record(tr)
	steps := r.Get("1").Steps
	if len(steps) != maxSteps || steps[0].Detail != "0" || steps[49].Detail != "902 steps are left out" || steps[50].Detail != "951" || steps[99].Name != "policy" || !tr.Refused() {
		t.Errorf("%d steps: %v %v %v %v", len(steps), steps[0], steps[49], steps[50], steps[99])
	}
}

// Calls that succeed push out only each other.
func TestRecorderKeepsRefusals(t *testing.T) {
	r := NewRecorder(10)
	r.Record(&Trace{RequestID: "refused", Operation: "iam:CreateUser", Status: 403})
	r.Record(&Trace{RequestID: "api", Status: 200})
	for i := range 100 {
		r.Record(&Trace{RequestID: fmt.Sprint(i), Operation: "cloudformation:DescribeStackEvents", Status: 200})
	}
	r.Record(&Trace{RequestID: "last", Status: 500})
	for id, want := range map[string]bool{"refused": true, "api": true, "99": true, "98": true, "97": false, "last": true} {
		if got := r.Get(id) != nil; got != want {
			t.Errorf("%s: %v, want %v", id, got, want)
		}
	}
	var ids []string
	for _, t := range r.Recent(10) {
		ids = append(ids, t.RequestID)
	}
	if got := strings.Join(ids, " "); got != "last 99 98 api refused" {
		t.Errorf("newest first: %s", got)
	}
	if got := r.Recent(2); len(got) != 2 || got[1].RequestID != "99" {
		t.Errorf("two: %v", got)
	}
	r.Reset()
	if len(r.Recent(10)) != 0 || r.Get("last") != nil {
		t.Error("something is left")
	}
}

func TestNilTrace(t *testing.T) {
	tr := From(t.Context())
	tr.Pass("route", "GET /")
	tr.Fail("authorizer", "no token", "", "a token")
	if tr.Refused() {
		t.Error("a nil trace refused something")
	}
}

// What a request brings along is kept in part only, whatever its size.
func TestRecorderCuts(t *testing.T) {
	long := strings.Repeat("ä", 50000)
	tr := &Trace{RequestID: "1", Method: long, Host: long, Path: long, API: long, Stage: long}
	tr.Fail("route", long, long, long)
	tr.Pass("short", "text")
	r := NewRecorder(1)
	r.Record(tr)
	got := r.Get("1")
	for _, s := range []string{got.Method, got.Host, got.Path, got.API, got.Stage, got.Steps[0].Detail, got.Steps[0].Got, got.Steps[0].Want} {
		if len(s) > maxText+3 || !utf8.ValidString(s) || !strings.HasSuffix(s, "ä…") {
			t.Errorf("%d bytes are kept: …%q", len(s), s[len(s)-10:])
		}
	}
	if got.Steps[1].Detail != "text" {
		t.Error(got.Steps[1])
	}
}
