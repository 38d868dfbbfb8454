package authorizer

import (
	"errors"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func lambdaOf(answer string, change func(*Lambda)) Authorizer {
	c := Lambda{ID: "z", Token: true, Sources: []IdentitySource{{In: "header", Name: "authorization"}}, TTL: time.Minute, Cache: &Cache{},
		API: &API{ID: "api", Stage: "prod", Region: "us-east-1", Account: "123456789012"},
		ARN: func(r *Request) string {
			return "arn:aws:execute-api:us-east-1:123456789012:api/prod/" + r.HTTP.Method + r.Path
		},
		Event: func(*Request, string, string) ([]byte, error) { return nil, nil },
		Call:  func(*Request, []byte) ([]byte, string, error) { return []byte(answer), "", nil }}
	if change != nil {
		change(&c)
	}
	return NewLambda(c)
}

func ask(z Authorizer, token string, now time.Time) Result {
	r := httptest.NewRequest("GET", "/pets", nil)
	if token != "" {
		r.Header.Set("Authorization", token)
	}
	var out Result
	z.Authorize(&Request{HTTP: r, API: &API{ID: "api", Stage: "prod", Region: "us-east-1", Account: "123456789012"}, Path: "/pets", SourceIP: "203.0.113.7", Start: now, Logger: slog.New(slog.DiscardHandler)}, &out)
	return out
}

func TestSimpleAnswers(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		answer string
		want   Refusal
	}{
		{`{"isAuthorized":true,"context":{"deep":{"a":[1]}}}`, None},
		{`{"isAuthorized":false}`, Forbidden},
		{`{}`, Fault},
		{`{"isAuthorized":"true"}`, Fault},
		{`{"isAuthorized":true,"context":[]}`, Fault},
		{`null`, Fault},
		{`true`, Fault},
		{`{"isAuthorized":true,"context":{"big":"` + strings.Repeat("x", MaxLambdaContext) + `"}}`, Fault},
	} {
		z := lambdaOf(tt.answer, func(c *Lambda) { c.Format = SimpleAnswer })
		if got := ask(z, "t", now); got.Refusal != tt.want {
			t.Errorf("%.60s: %d %s, want %d", tt.answer, got.Refusal, got.Why, tt.want)
		}
	}
	z := lambdaOf(`{"isAuthorized":true,"context":{"deep": {"a": [1]}, "s": "x"}}`, func(c *Lambda) { c.Format = SimpleAnswer })
	l := ask(z, "t", now).Lambda
	if len(l.Context) != 2 || string(l.Context[0].JSON) != `{"a":[1]}` || l.Context[1].Text() != "x" {
		t.Errorf("%+v", l.Context)
	}
}

func TestLambdaCache(t *testing.T) {
	asked := 0
	cache := &Cache{}
	z := lambdaOf("", func(c *Lambda) {
		c.Format, c.Cache = SimpleAnswer, cache
		c.Call = func(*Request, []byte) ([]byte, string, error) {
			asked++
			return []byte(`{"isAuthorized":true}`), "", nil
		}
	})
	now := time.Now()
	for range 3 {
		ask(z, "a", now)
	}
	ask(z, "b", now)
	if asked != 2 {
		t.Error("asked", asked)
	}
	cache.Flush("api", "dev")
	if ask(z, "a", now); asked != 2 {
		t.Error("another stage's results were flushed")
	}
	cache.Flush("api", "prod")
	if ask(z, "a", now); asked != 3 {
		t.Error("the results were not flushed")
	}
	if ask(z, "a", now.Add(time.Minute)); asked != 4 {
		t.Error("a result outlives its time")
	}
	// However many identities there are, and however long, the cache stays small.
	for i := range 40_000 {
		ask(z, strings.Repeat("x", 2000)+string(rune('a'+i%26))+itoa(i), now)
	}
	if cache.bytes > maxCacheBytes || len(cache.results) == 0 {
		t.Error(cache.bytes, len(cache.results))
	}
	if got := ask(z, strings.Repeat("y", 1<<20), now); got.Refusal != None {
		t.Error("a long token is refused", got)
	}
	// A failure is not kept.
	z = lambdaOf("", func(c *Lambda) {
		c.Cache = &Cache{}
		c.Call = func(*Request, []byte) ([]byte, string, error) {
			asked++
			return nil, "", errors.New("down")
		}
	})
	asked = 0
	ask(z, "a", now)
	if ask(z, "a", now); asked != 2 {
		t.Error("a failure was kept")
	}
}

// FuzzLambdaAnswer looks for an answer that lets somebody in and is none.
func FuzzLambdaAnswer(f *testing.F) {
	for _, s := range []string{`{"isAuthorized":true}`, `{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}}`, `{"principalId":"me","policyDocument":{"Statement":{}}}`, `null`, `[]`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, answer string) {
		for _, format := range []Format{PolicyAnswer, SimpleAnswer} {
			got := ask(lambdaOf(answer, func(c *Lambda) { c.Format = format }), "t", time.Unix(1, 0))
			if got.Refusal != None {
				continue
			}
			if format == SimpleAnswer && !strings.Contains(strings.ToLower(answer), "true") || format == PolicyAnswer && (!strings.Contains(answer, "Allow") && !strings.Contains(answer, `\u`) || got.Lambda.Principal == "") {
				t.Fatalf("%s lets in", answer)
			}
		}
	})
}

func BenchmarkLambdaWarm(b *testing.B) {
	z := lambdaOf(`{"principalId":"me","policyDocument":{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"execute-api:Invoke","Resource":"arn:aws:execute-api:*:*:*/prod/GET/*"}]}}`, nil)
	r := httptest.NewRequest("GET", "/pets", nil)
	r.Header.Set("Authorization", "token")
	req := &Request{HTTP: r, API: &API{ID: "api", Stage: "prod", Region: "us-east-1", Account: "123456789012"}, Path: "/pets", SourceIP: "203.0.113.7", Start: time.Now(), Logger: slog.New(slog.DiscardHandler)}
	b.ReportAllocs()
	for b.Loop() {
		var out Result
		if z.Authorize(req, &out); out.Refusal != None {
			b.Fatal(out.Why)
		}
	}
}
