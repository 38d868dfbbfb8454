package trace

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-dev/gatehouse/internal/sigv4"
)

// What the server made of a request stands beside what the request shows, without what may be a secret.
func TestSignatureOf(t *testing.T) {
	r := httptest.NewRequest("GET", "/a:b/c=d?q=geheim", nil)
	r.Host = "example.com"
	r.Header.Set("Cookie", "a=geheim")
	sigv4.Sign(r, sigv4.EmptyPayload, "AKID", "x", "geheim", "execute-api", "us-east-1", time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC))
	sig, err := sigv4.Parse(r)
	if err != nil {
		t.Fatal(err)
	}
	canonical := sig.CanonicalRequest(r, sigv4.EmptyPayload)
	out := SignatureOf(r, sig, &sigv4.Error{Kind: sigv4.Mismatch, CanonicalRequest: canonical, StringToSign: sig.StringToSign(canonical)})
	text, err := json.Marshal(out)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(text), "geheim") {
		t.Errorf("a secret is shown: %s", text)
	}
	got := map[string]Line{}
	for _, l := range out.Lines {
		got[l.Name] = l
	}
	for _, want := range []Line{
		{Name: "method", Server: "GET", Client: "GET"},
		{Name: "query", Server: "q=…", Client: "q=…"},
		{Name: "host", Server: "example.com", Client: "example.com"},
		{Name: "x-amz-date", Server: "20261121T120000Z", Client: "20261121T120000Z"},
		{Name: "payload hash", Server: sigv4.EmptyPayload, Client: "(not declared)"},
		{Name: "session token", Server: "there, and signed", Client: "there, and signed"},
	} {
		if got[want.Name] != want {
			t.Errorf("%s: %+v, want %+v", want.Name, got[want.Name], want)
		}
	}
}
