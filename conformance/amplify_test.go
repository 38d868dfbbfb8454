package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/evanw/esbuild/pkg/api"
)

// page serves a web page that has run js/FILE, bundled for browsers.
func page(t *testing.T, file string) string {
	t.Helper()
	built := api.Build(api.BuildOptions{EntryPoints: []string{"js/" + file}, Bundle: true, Format: api.FormatESModule, Platform: api.PlatformBrowser,
		Define: map[string]string{"global": "globalThis"}, LogLevel: api.LogLevelSilent, Outdir: "out"})
	if len(built.Errors) > 0 {
		t.Fatalf("js/%s: %s", file, built.Errors[0].Text)
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/script.js" {
			w.Header().Set("Content-Type", "text/javascript")
			w.Write(built.OutputFiles[0].Contents)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Write([]byte(`<!doctype html><title>page</title><script type="module" src="/script.js"></script>`))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// browser returns a context for chromedp in a headless Chromium of its own.
func browser(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		path = need(t, "google-chrome")
	}
	allocator, cancel := chromedp.NewExecAllocator(t.Context(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()))...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() { chromedp.Cancel(ctx); cancel() })
	if _, err := chromedp.Run(ctx, chromedp.Navigate("about:blank")); err != nil { // starts it
		t.Fatal(err)
	}
	ctx, cancel = context.WithTimeout(ctx, time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// steps are what the page found; see js/amplify.mjs.
type steps struct{ Public, Stranger, Guest, IdentityID, Private, Renewed, Error string }

// amplify lets a web page with aws-amplify sign in and call the API, as the document's closing words
// say that an app would.
func amplify(t *testing.T, s *server, o outputs001, identity string) {
	t.Helper()
	ctx := browser(t)
	conf, err := json.Marshal(map[string]string{"server": s.URL, "endpoint": o.ApiEndpoint, "userPoolId": o.UserPoolId, "clientId": o.UserPoolClientId,
		"identityPoolId": o.IdentityPoolId, "username": email, "password": password})
	ok(t, err)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(page(t, "amplify.mjs"))); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Run(ctx, chromedp.Poll[bool]("typeof window.steps === 'function'")); err != nil {
		t.Fatal(err)
	}
	got, err := chromedp.Run(ctx, chromedp.Evaluate[steps]("window.steps("+string(conf)+")", chromedp.EvalAwaitPromise))
	if err != nil || got.Error != "" {
		t.Fatalf("the page: %v %s", err, got.Error)
	}
	same(t, "the public route, in a page", got.Public, "200 Hello stranger!")
	same(t, "the private route, not signed, in a page", got.Stranger, `403 {"message":"Forbidden"}`)
	same(t, "the private route for a guest, in a page", got.Guest, `403 {"message":"Forbidden"}`)
	same(t, "identity id in a page", got.IdentityID, identity)
	same(t, "the private route, in a page", got.Private, "200 Hello "+identity+"!")
	same(t, "the private route with renewed tokens, in a page", got.Renewed, "200 Hello "+identity+"!")
}

// screen returns what a browser shows of an address.
func screen(t *testing.T, url string) string {
	t.Helper()
	ctx := browser(t)
	if _, err := chromedp.Run(ctx, chromedp.Navigate(url)); err != nil {
		t.Fatal(err)
	}
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(text)
}
