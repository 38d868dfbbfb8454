package sigv4

import (
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// awsVector is one case of AWS's test suite for signature version 4, as it stands in two public
// repositories. It is read from ../shared where that folder stands beside the checkout.
type awsVector struct {
	Name    string
	Context struct {
		Credentials struct {
			AccessKeyID     string `json:"access_key_id"`
			SecretAccessKey string `json:"secret_access_key"`
			Token           string
		}
		Region, Service string
		Normalize       bool
	}
	Authorization          string // in the older form of the suite
	HeaderCanonicalRequest string `json:"header_canonical_request"`
	HeaderStringToSign     string `json:"header_string_to_sign"`
	HeaderSignedRequest    string `json:"header_signed_request"`
	QueryCanonicalRequest  string `json:"query_canonical_request"`
	QueryStringToSign      string `json:"query_string_to_sign"`
	QuerySignedRequest     string `json:"query_signed_request"`
}

func awsVectors(t *testing.T) []awsVector {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "vectors", "sigv4-vectors.json")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Logf("ran 0 of AWS's vectors: %v", err)
		return nil
	}
	var vs []awsVector
	if err := json.Unmarshal(data, &vs); err != nil {
		t.Fatal(err)
	}
	for i, v := range vs {
		// The signed request of get-vanilla-with-session-token has a signature that is not its own; the
		// header that stands beside it, which botocore's tests go by, is right.
		if head, _, ok := strings.Cut(v.HeaderSignedRequest, "Authorization: "); ok && v.Authorization != "" {
			_, body, _ := strings.Cut(v.HeaderSignedRequest, "\n\n")
			vs[i].HeaderSignedRequest = head + "Authorization: " + v.Authorization + "\n\n" + body
		}
	}
	return vs
}

// parseRaw reads a request that need not be valid HTTP: the suite has raw spaces and UTF-8 in targets.
func parseRaw(t *testing.T, raw string) (r *http.Request, body string) {
	t.Helper()
	head, body, _ := strings.Cut(raw, "\n\n")
	lines := strings.Split(strings.TrimRight(head, "\n"), "\n")
	method, rest, _ := strings.Cut(lines[0], " ")
	r = &http.Request{Method: method, RequestURI: strings.TrimSuffix(rest, " HTTP/1.1"), Header: http.Header{}, ContentLength: int64(len(body))}
	var last string
	for _, line := range lines[1:] {
		if strings.HasPrefix(line, " ") {
			vs := r.Header[last]
			vs[len(vs)-1] += " " + strings.TrimSpace(line)
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			t.Fatalf("header line %q", line)
		}
		last = textproto.CanonicalMIMEHeaderKey(name)
		r.Header.Add(last, value)
	}
	r.Host = strings.TrimSpace(r.Header.Get("Host"))
	r.Header.Del("Host")
	for k, vs := range r.Header {
		for i := range vs {
			if k != "My-Header1" && k != "My-Header2" && k != "P" { // net/http trims; these test our own trimming
				vs[i] = strings.TrimSpace(vs[i])
			}
		}
	}
	return r, body
}

func TestAWSVectors(t *testing.T) {
	vs := awsVectors(t)
	signatures := 0
	for _, v := range vs {
		run := func(name, signed, canonical, sts string) {
			if signed == "" {
				return
			}
			signatures++
			t.Run(v.Name+"/"+name, func(t *testing.T) {
				r, body := parseRaw(t, signed)
				s, err := Parse(r)
				if err != nil {
					t.Fatal(err)
				}
				forms := s.forms()
				if !v.Context.Normalize {
					forms = []form{{twice: true}}
				}
				// Which parameters of the query are signed differs between the cases.
				i := slices.IndexFunc(forms, func(f form) bool { return s.canonical(r, PayloadHash([]byte(body)), f) == canonical })
				if i < 0 {
					t.Fatalf("canonical request\n%s\nwant\n%s", s.canonical(r, PayloadHash([]byte(body)), forms[0]), canonical)
				}
				if got := s.StringToSign(canonical); got != sts {
					t.Fatalf("string to sign\n%s\nwant\n%s", got, sts)
				}
				secret := v.Context.Credentials.SecretAccessKey
				if got := hex.EncodeToString(mac(signingKey(secret, s.Date, s.Region, s.Service), sts)); got != s.signature {
					t.Fatalf("signature %s, want %s", got, s.signature)
				}
				if s.AccessKey != v.Context.Credentials.AccessKeyID || s.Region != v.Context.Region ||
					v.Context.Credentials.Token != "" && v.Context.Credentials.Token != s.SessionToken {
					t.Errorf("parsed as %+v", s)
				}
				if !v.Context.Normalize {
					return
				}
				verifier := Verifier{Now: func() time.Time { return s.Time.Add(time.Minute) }}
				if err := verifier.Verify(r, s, secret, PayloadHash([]byte(body)), "service"); err != nil {
					t.Error(err)
				}
			})
		}
		run("header", v.HeaderSignedRequest, v.HeaderCanonicalRequest, v.HeaderStringToSign)
		run("query", v.QuerySignedRequest, v.QueryCanonicalRequest, v.QueryStringToSign)
	}
	t.Logf("ran %d of AWS's vectors, %d signatures", len(vs), signatures)
}

// Any change to what is signed must show. Every byte of every vector's request is changed in turn.
func TestAWSVectorsChanged(t *testing.T) {
	changes := 0
	for _, v := range awsVectors(t) {
		if !v.Context.Normalize {
			continue
		}
		for _, signed := range []string{v.HeaderSignedRequest, v.QuerySignedRequest} {
			if signed == "" {
				continue
			}
			r, body := parseRaw(t, signed)
			s, err := Parse(r)
			if err != nil {
				t.Fatal(err)
			}
			verifier := Verifier{Now: func() time.Time { return s.Time }}
			// The access key and its token are not signed in every form, but the secret belongs to them.
			verify := func(r *http.Request, body string) bool {
				got, err := Parse(r)
				return err == nil && got.AccessKey == s.AccessKey && got.SessionToken == s.SessionToken &&
					verifier.Verify(r, got, v.Context.Credentials.SecretAccessKey, PayloadHash([]byte(body))) == nil
			}
			if !verify(r, body) {
				t.Fatalf("%s does not verify unchanged", v.Name)
			}
			want, _ := json.Marshal(canonicals(r, s, body))
			try := func(what, text string, set func(r *http.Request, text string)) {
				for i := range len(text) {
					for _, c := range []byte{text[i] ^ 1, text[i] ^ 0x20, 'Z', '%'} {
						if c == text[i] {
							continue
						}
						changed := text[:i] + string(c) + text[i+1:]
						r2 := r.Clone(t.Context())
						set(r2, changed)
						b2 := body
						if what == "body" {
							b2 = changed
						}
						changes++
						if verify(r2, b2) {
							// Fine only if it is the same request in another spelling.
							s2, _ := Parse(r2)
							got, _ := json.Marshal(canonicals(r2, s2, b2))
							if string(got) != string(want) || s2.signature != s.signature {
								t.Fatalf("%s: %s changed to %q still verifies", v.Name, what, changed)
							}
						}
					}
				}
			}
			try("method", r.Method, func(r *http.Request, s string) { r.Method = s })
			try("target", r.RequestURI, func(r *http.Request, s string) { r.RequestURI = s })
			try("host", r.Host, func(r *http.Request, s string) { r.Host = s })
			try("body", body, func(r *http.Request, s string) {})
			for name, values := range r.Header {
				if name != "Authorization" && !s.Covers(name) {
					continue
				}
				for i := range values {
					try(name, values[i], func(r *http.Request, s string) { r.Header[name][i] = s })
				}
			}
		}
	}
	t.Logf("tried %d changes", changes)
}

func canonicals(r *http.Request, s *Signature, body string) []string {
	var out []string
	for _, f := range s.forms() {
		out = append(out, s.canonical(r, PayloadHash([]byte(body)), f))
	}
	return out
}
