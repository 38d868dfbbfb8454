package trace

import (
	"fmt"
	"testing"
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

func TestNilTrace(t *testing.T) {
	tr := From(t.Context())
	tr.Pass("route", "GET /")
	tr.Fail("authorizer", "no token", "", "a token")
	if tr.Refused() {
		t.Error("a nil trace refused something")
	}
}
