package sigv4

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const (
	testKey    = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
)

var testTime = time.Date(2026, 11, 21, 12, 36, 0, 0, time.UTC)

func at(t time.Time) *Verifier { return &Verifier{Now: func() time.Time { return t }} }

// received makes of a request that was signed the one that a server reads.
func received(t testing.TB, r *http.Request) *http.Request {
	t.Helper()
	got := httptest.NewRequestWithContext(t.Context(), r.Method, r.URL.RequestURI(), nil)
	got.Host = r.Host
	got.Header = r.Header.Clone()
	return got
}

func verify(v *Verifier, r *http.Request, payload string, services ...string) error {
	s, err := Parse(r)
	if err != nil {
		return err
	}
	return v.Verify(r, s, testSecret, payload, services...)
}

func newRequest(t testing.TB, method, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSignVerify(t *testing.T) {
	for _, service := range []string{"cognito-idp", "execute-api", "s3"} {
		for _, token := range []string{"", "to/ken+with=odd&chars"} {
			for _, target := range []string{
				"/", "", "/a/b", "/a%20b/%E1%88%B4", "/a//b/../c/./d/", "/a%2Fb", "/$default/@me:x", "/%25", "/?a=b+c&a=b%20c&=x&y", "/?a=%zz&b=%2B",
				"/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A000000000000%3Afunction%3Ax/invocations",
			} {
				name := service + " " + target + " " + token
				r := newRequest(t, "POST", "https://example.amazonaws.com"+strings.ReplaceAll(target, "%zz", ""))
				if strings.Contains(target, "%zz") {
					r.URL.RawQuery = target[2:]
				}
				r.Header.Set("Content-Type", "application/x-amz-json-1.1")
				r.Header.Set("X-Amz-Target", "Service.Operation")
				payload := PayloadHash([]byte("{}"))
				presigned := r.Clone(t.Context())
				Sign(r, payload, testKey, testSecret, token, service, "eu-west-1", testTime)
				if err := verify(at(testTime), received(t, r), payload, service); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				s, err := Parse(received(t, r))
				if err != nil || s.AccessKey != testKey || s.Region != "eu-west-1" || s.Service != service || s.SessionToken != token ||
					!s.Time.Equal(testTime) || s.Presigned || !s.Covers("content-type") {
					t.Errorf("%s: parsed as %+v, %v", name, s, err)
				}

				Presign(presigned, payload, testKey, testSecret, token, service, "eu-west-1", testTime, time.Hour)
				p := received(t, presigned)
				s, err = Parse(p)
				if err != nil || !s.Presigned || s.Expires != time.Hour || s.SessionToken != token {
					t.Errorf("%s presigned: parsed as %+v, %v", name, s, err)
					continue
				}
				if payload, err = s.PayloadHash(p, func() (string, error) { return payload, nil }); err != nil {
					t.Error(err)
				}
				if err := verify(at(testTime.Add(59*time.Minute)), p, payload, service); err != nil {
					t.Errorf("%s presigned: %v", name, err)
				}
			}
		}
	}
}

// execute-api is called by clients that encode the path once, and by ones that do it twice.
func TestExecuteAPIPathForms(t *testing.T) {
	for _, raw := range []string{"/prod/a%20b/%24x", "/prod//x", "/prod/a@b.com"} {
		for _, f := range []form{{normalize: true, twice: true}, {}, {normalize: true}, {twice: true}} {
			for _, service := range []string{"execute-api", "lambda"} {
				r := httptest.NewRequestWithContext(t.Context(), "GET", raw+"?q=a+b", nil)
				r.Host = "abc.execute-api.us-east-1.amazonaws.com"
				r.Header.Set("X-Amz-Date", testTime.Format(timeLayout))
				r.Header.Set("X-Amz-Security-Token", "unsigned, as aws-api-gateway-cli-test sends it")
				s := &Signature{AccessKey: testKey, Date: "20261121", Region: "us-east-1", Service: service, Time: testTime, SignedHeaders: []string{"accept", "host", "x-amz-date"}}
				sign(r, s, f)
				err := verify(at(testTime), r, EmptyPayload)
				same := s.canonical(r, EmptyPayload, f) == s.CanonicalRequest(r, EmptyPayload)
				if want := service == "execute-api" || same; (err == nil) != want {
					t.Errorf("%s %s %+v: %v", service, raw, f, err)
				}
			}
		}
	}
	// An encoded slash is not a slash.
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/prod/a%2Fb", nil)
	r.Header.Set("X-Amz-Date", testTime.Format(timeLayout))
	s := &Signature{AccessKey: testKey, Date: "20261121", Region: "us-east-1", Service: "execute-api", Time: testTime, SignedHeaders: []string{"host"}}
	sign(r, s, form{})
	r.RequestURI = "/prod/a/b"
	if err := verify(at(testTime), r, EmptyPayload); err == nil {
		t.Error("a signature for /a%2Fb is good for /a/b")
	}
}

func sign(r *http.Request, s *Signature, f form) {
	sig := mac(signingKey(testSecret, s.Date, s.Region, s.Service), s.StringToSign(s.canonical(r, EmptyPayload, f)))
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%x", algorithm, s.AccessKey, s.Scope(), strings.Join(s.SignedHeaders, ";"), sig))
}

func TestAbsoluteForm(t *testing.T) {
	r := newRequest(t, "GET", "http://sts.amazonaws.com/?Action=GetCallerIdentity")
	Sign(r, EmptyPayload, testKey, testSecret, "", "sts", "us-east-1", testTime)
	got := received(t, r)
	for _, uri := range []string{"http://sts.amazonaws.com/?Action=GetCallerIdentity", "http://sts.amazonaws.com?Action=GetCallerIdentity"} {
		got.RequestURI = uri
		if err := verify(at(testTime), got, EmptyPayload); err != nil {
			t.Errorf("%s: %v", uri, err)
		}
	}
}

func TestTimes(t *testing.T) {
	header := newRequest(t, "GET", "https://a.example/x")
	Sign(header, EmptyPayload, testKey, testSecret, "", "lambda", "us-east-1", testTime)
	s3 := newRequest(t, "GET", "https://a.example/x")
	Sign(s3, EmptyPayload, testKey, testSecret, "", "s3", "us-east-1", testTime)
	short := newRequest(t, "GET", "https://a.example/x")
	Presign(short, EmptyPayload, testKey, testSecret, "", "lambda", "us-east-1", testTime, time.Minute)
	zero := newRequest(t, "GET", "https://a.example/x")
	Presign(zero, EmptyPayload, testKey, testSecret, "", "lambda", "us-east-1", testTime, 0)
	for _, c := range []struct {
		name  string
		r     *http.Request
		after time.Duration
		kind  Kind
		want  string // "" if it is in time
	}{
		{"now", header, 0, 0, ""},
		{"4:59 late", header, 4*time.Minute + 59*time.Second, 0, ""},
		{"5:01 late", header, 5*time.Minute + time.Second, Expired, "Signature expired: 20261121T123600Z is now earlier than 20261121T123601Z (20261121T124101Z - 5 min.)"},
		{"5:01 early", header, -5*time.Minute - time.Second, NotYetValid, "Signature not yet current: 20261121T123600Z is still later than 20261121T123559Z (20261121T123059Z + 5 min.)"},
		{"s3 14 min late", s3, 14 * time.Minute, 0, ""},
		{"s3 16 min late", s3, 16 * time.Minute, Expired, "Signature expired: 20261121T123600Z is now earlier than 20261121T123700Z (20261121T125200Z - 15 min.)"},
		{"presigned in time", short, time.Minute, 0, ""},
		{"presigned late", short, time.Minute + time.Second, Expired, "Signature expired: 20261121T123700Z is now earlier than 20261121T123701Z."},
		{"presigned early", short, -6 * time.Minute, NotYetValid, "Signature not yet current: 20261121T123600Z is still later than 20261121T123500Z (20261121T123000Z + 5 min.)"},
		{"presigned for no time", zero, time.Second, Expired, "Signature expired: 20261121T123600Z is now earlier than 20261121T123601Z."},
	} {
		err := verify(at(testTime.Add(c.after)), received(t, c.r), EmptyPayload)
		var e *Error
		switch {
		case c.want == "" && err != nil, c.want != "" && (!errors.As(err, &e) || e.Kind != c.kind || e.Message != c.want):
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	const (
		date = "20261121T123600Z"
		cred = "Credential=AKID/20261121/us-east-1/lambda/aws4_request"
		all  = "Signature=abc, SignedHeaders=host"
		tail = " (Hashed with SHA-256 and encoded with Base64) Authorization="
	)
	h := func(auth, date string) http.Header {
		hd := http.Header{}
		if auth != "" {
			hd.Set("Authorization", auth)
		}
		if date != "" {
			hd.Set("X-Amz-Date", date)
		}
		return hd
	}
	target := h("AWS4-HMAC-SHA256 "+cred+", "+all, date)
	target.Set("X-Amz-Target", "A.B")
	twice := h("AWS4-HMAC-SHA256 "+cred+", "+all, date)
	twice.Add("Authorization", "Bearer x")
	q := "?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKID/20261121/us-east-1/lambda/aws4_request&X-Amz-Date=" + date + "&X-Amz-SignedHeaders=host&X-Amz-Signature=00"
	for _, c := range []struct {
		name, target string
		header       http.Header
		kind         Kind
		want         string
	}{
		{"unsigned", "/", h("", ""), Missing, "Missing Authentication Token"},
		{"blank", "/", h(" ", date), Missing, "Missing Authentication Token"},
		{"version 2", "/", h("AWS AKID:c2VjcmV0", ""), Version2, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."},
		{"version 2 in the query", "/?AWSAccessKeyId=AKID&Signature=c2VjcmV0&Expires=1795258330", h("", ""), Version2, "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."},
		{"bearer", "/", h("Bearer secret.token", ""), Incomplete, "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with Base64): '" + hashed("secret.token") + "'."},
		{"basic", "/", h("Basic c2VjcmV0=", ""), Incomplete, "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header." + tail + hashed("Basic c2VjcmV0=")},
		{"no algorithm", "/", h(cred+", "+all, date), Incomplete, "Authorization header must begin with the algorithm name, which cannot include an equal-sign."},
		{"no date", "/", h("AWS4-HMAC-SHA256 "+cred+", "+all, ""), Incomplete, "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header." + tail + hashed("AWS4-HMAC-SHA256 "+cred+", "+all)},
		{"no signature", "/", h("AWS4-HMAC-SHA256 "+cred+", SignedHeaders=host", date), Incomplete, "Authorization header requires 'Signature' parameter." + tail + hashed("AWS4-HMAC-SHA256 "+cred+", SignedHeaders=host")},
		{"algorithm", "/", h("AWS4-ECDSA-P256-SHA256 "+cred+", "+all, date), Incomplete, "Unsupported AWS 'algorithm': 'AWS4-ECDSA-P256-SHA256'."},
		{"credential", "/", h("AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/aws4_request, "+all, date), Incomplete, "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got 'AKID/20261121/us-east-1/aws4_request'."},
		{"terminator", "/", h("AWS4-HMAC-SHA256 Credential=AKID/20261121/us-east-1/lambda/aws5_request, "+all, date), Scope, "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."},
		{"date form", "/", h("AWS4-HMAC-SHA256 "+cred+", "+all, "2026-11-21"), Incomplete, "Date must be in ISO-8601 'basic format'. Got '2026-11-21'. See http://en.wikipedia.org/wiki/ISO_8601."},
		{"date of scope", "/", h("AWS4-HMAC-SHA256 "+cred+", "+all, "20261122T000000Z"), Scope, "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '20261121' != '20261122', from '20261122T000000Z'."},
		{"host unsigned", "/", h("AWS4-HMAC-SHA256 "+cred+", Signature=abc, SignedHeaders=x-amz-date", date), Scope, "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."},
		{"target unsigned", "/", target, Scope, "'X-Amz-Target' must be a 'SignedHeader' in the AWS Authorization."},
		{"parameter twice", "/", h("AWS4-HMAC-SHA256 "+cred+", "+all+", Signature=def", date), Incomplete, "Authorization header has more than one 'Signature' parameter."},
		{"two headers", "/", twice, Incomplete, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"},
		{"header and query", q, h("AWS4-HMAC-SHA256 "+cred+", "+all, date), Incomplete, "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter or the Authorization header should be specified"},
		{"query incomplete", "?X-Amz-Signature=00&X-Amz-Date=" + date, h("", ""), Incomplete, "AWS query-string parameters must include 'X-Amz-Algorithm'. AWS query-string parameters must include 'X-Amz-Credential'. AWS query-string parameters must include 'X-Amz-SignedHeaders'. Re-examine the query-string parameters."},
		{"query twice", q + "&X-Amz-Signature=01", h("", ""), Incomplete, "AWS query-string parameters must include 'X-Amz-Signature' once."},
		{"query algorithm", strings.Replace(q, "HMAC", "HMEC", 1), h("", ""), Incomplete, "Unsupported AWS 'algorithm': 'AWS4-HMEC-SHA256'."},
		{"too long", q + "&X-Amz-Expires=604801", h("", ""), Incomplete, "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than 604800 seconds"},
		{"negative", q + "&X-Amz-Expires=-1", h("", ""), Incomplete, "X-Amz-Expires must be non-negative"},
		{"no number", q + "&X-Amz-Expires=1h", h("", ""), Incomplete, "X-Amz-Expires should be a number"},
		{"s3 without expiry", strings.Replace(q, "lambda", "s3", 1), h("", ""), Incomplete, "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters."},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/"+strings.TrimPrefix(c.target, "/"), nil)
		r.Header = c.header
		s, err := Parse(r)
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Message != c.want {
			t.Errorf("%s: %+v, %v\nwant %s", c.name, s, err, c.want)
		}
		if err != nil && (strings.Contains(err.Error(), "secret.token") || strings.Contains(err.Error(), "c2VjcmV0")) {
			t.Errorf("%s: the error shows a credential", c.name)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	r := newRequest(t, "POST", "https://example.amazonaws.com/path?a=b")
	r.Header.Set("X-Amz-Target", "Service.Operation")
	payload := PayloadHash([]byte("body"))
	Sign(r, payload, testKey, testSecret, "token", "lambda", "us-east-1", testTime)
	v := at(testTime)
	if err := verify(v, received(t, r), payload, "s3", "lambda"); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*http.Request){
		"method":         func(r *http.Request) { r.Method = "GET" },
		"path":           func(r *http.Request) { r.RequestURI = "/path/?a=b" },
		"query":          func(r *http.Request) { r.RequestURI = "/path?a=c" },
		"query added":    func(r *http.Request) { r.RequestURI = "/path?a=b&c" },
		"host":           func(r *http.Request) { r.Host = "other.amazonaws.com" },
		"target":         func(r *http.Request) { r.Header.Set("X-Amz-Target", "Service.Delete") },
		"target removed": func(r *http.Request) { r.Header.Del("X-Amz-Target") },
		"token":          func(r *http.Request) { r.Header.Set("X-Amz-Security-Token", "other") },
		"date":           func(r *http.Request) { r.Header.Set("X-Amz-Date", "20261121T123601Z") },
		"header twice":   func(r *http.Request) { r.Header.Add("X-Amz-Target", "Service.Delete") },
	} {
		r2 := received(t, r)
		change(r2)
		var e *Error
		if err := verify(v, r2, payload); !errors.As(err, &e) || e.Kind != Mismatch || e.Message != mismatch || e.StringToSign == "" {
			t.Errorf("changed %s: %v", name, err)
		}
	}
	var e *Error
	if err := verify(v, received(t, r), PayloadHash([]byte("Body"))); !errors.As(err, &e) || e.Kind != Mismatch {
		t.Errorf("changed body: %v", err)
	}
	s, _ := Parse(received(t, r))
	if err := v.Verify(received(t, r), s, testSecret+"x", payload); !errors.As(err, &e) || e.Kind != Mismatch {
		t.Errorf("other secret: %v", err)
	}
	if strings.Contains(e.CanonicalRequest+e.StringToSign+e.Message, testSecret) {
		t.Error("the error shows the secret")
	}
	if err := verify(v, received(t, r), payload, "execute-api"); !errors.As(err, &e) || e.Kind != Scope ||
		e.Message != "Credential should be scoped to correct service: 'execute-api'." {
		t.Errorf("other service: %v", err)
	}
}

func TestS3Payload(t *testing.T) {
	body := PayloadHash([]byte("body"))
	hash := func() (string, error) { return body, nil }
	for _, c := range []struct {
		declared string
		want     string
		bad      bool
	}{
		{body, body, false},
		{PayloadHash([]byte("x")), "", true},
		{"", "", true},
		{strings.ToUpper(body), "", true},
		{UnsignedPayload, UnsignedPayload, false},
		{StreamingSigned, StreamingSigned, false},
		{"STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "", true},
	} {
		r := httptest.NewRequestWithContext(t.Context(), "PUT", "/b/k", nil)
		r.Header.Set("X-Amz-Content-Sha256", c.declared)
		got, err := (&Signature{Service: "s3"}).PayloadHash(r, hash)
		var e *Error
		if got != c.want || (err != nil) != c.bad || c.bad && (!errors.As(err, &e) || e.Kind != Payload) {
			t.Errorf("%q: %q, %v", c.declared, got, err)
		}
		if got, err := (&Signature{Service: "lambda"}).PayloadHash(r, hash); got != body || err != nil {
			t.Errorf("%q for lambda: %q, %v", c.declared, got, err)
		}
	}
}

// The first chunk of AWS's example of a signed stream.
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
func TestSigner(t *testing.T) {
	s := &Signature{Date: "20130524", Region: "us-east-1", Service: "s3"}
	sign := new(Verifier).Signer(s, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
	got := sign("AWS4-HMAC-SHA256-PAYLOAD\n20130524T000000Z\n" + s.Scope() +
		"\n4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9\n" + EmptyPayload + "\n" + PayloadHash([]byte(strings.Repeat("a", 65536))))
	if got != "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648" {
		t.Error(got)
	}
}

func TestErrorStyles(t *testing.T) {
	mm := &Error{Kind: Mismatch, Message: mismatch, CanonicalRequest: "CANON", StringToSign: "STS"}
	for _, c := range []struct {
		err     *Error
		style   Style
		code    string
		message string
		status  int
	}{
		{&Error{Kind: Missing}, JSON, "MissingAuthenticationTokenException", "Missing Authentication Token", 400},
		{&Error{Kind: Missing}, RESTJSON, "MissingAuthenticationTokenException", "Missing Authentication Token", 403},
		{&Error{Kind: Missing}, Query, "MissingAuthenticationToken", "Request is missing Authentication Token", 403},
		{&Error{Kind: Missing}, S3, "AccessDenied", "Access Denied", 403},
		{&Error{Kind: Incomplete, Message: "m"}, RESTJSON, "IncompleteSignatureException", "m", 403},
		{&Error{Kind: Incomplete, Message: "m"}, Query, "IncompleteSignature", "m", 400},
		{mm, RESTJSON, "InvalidSignatureException", mismatch + "\n\nThe Canonical String for this request should have been\n'CANON'\n\nThe String-to-Sign should have been\n'STS'\n", 403},
		{mm, Query, "SignatureDoesNotMatch", mismatch, 403},
		{mm, S3, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided. Check your key and signing method.", 403},
		{&Error{Kind: Expired, Message: "m"}, JSON, "InvalidSignatureException", "m", 400},
		{&Error{Kind: Expired, Message: "m"}, Query, "SignatureDoesNotMatch", "m", 403},
		{&Error{Kind: Expired, Message: "m"}, S3, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.", 403},
		{&Error{Kind: Expired, Presigned: true}, S3, "AccessDenied", "Request has expired", 403},
		{&Error{Kind: Payload, Message: missingPayload}, S3, "InvalidRequest", missingPayload, 400},
		{&Error{Kind: Version2, Message: "m"}, S3, "InvalidRequest", "m", 400},
		{&Error{Kind: Version2, Message: "m"}, JSON, "IncompleteSignatureException", "m", 400},
		{&Error{Kind: Version2, Message: "m"}, Query, "IncompleteSignature", "m", 400},
		{&Error{Kind: Payload, Message: "m"}, S3, "XAmzContentSHA256Mismatch", "m", 400},
	} {
		code, message, status := c.err.AWS(c.style)
		if code != c.code || message != c.message || status != c.status {
			t.Errorf("kind %d style %d: %s %q %d", c.err.Kind, c.style, code, message, status)
		}
	}
}

func TestKeyCacheIsBounded(t *testing.T) {
	var c keyCache
	for i := range 20 * maxKeys {
		c.put(keyID{secret: fmt.Sprint(i)}, []byte{1})
		if c.get(keyID{secret: "0"}) == nil {
			t.Fatalf("a key in use was dropped after %d others", i)
		}
	}
	if n := len(c.new) + len(c.old); n > 2*maxKeys {
		t.Errorf("%d keys are kept", n)
	}
	if c.get(keyID{secret: "1"}) != nil {
		t.Error("an old key is still there")
	}
}

func FuzzParse(f *testing.F) {
	r, _ := http.NewRequest("GET", "https://example.amazonaws.com/a?b=c", nil)
	Presign(r, EmptyPayload, testKey, testSecret, "t", "lambda", "us-east-1", testTime, time.Hour)
	f.Add("/a?"+r.URL.RawQuery, "", "")
	Sign(r, EmptyPayload, testKey, testSecret, "t", "lambda", "us-east-1", testTime)
	f.Add("/a", r.Header.Get("Authorization"), r.Header.Get("X-Amz-Date"))
	f.Add("http://h?X-Amz-Signature", "AWS4-HMAC-SHA256 Credential=////,,Signature=,=", "x")
	var v Verifier
	f.Fuzz(func(t *testing.T, target, auth, date string) {
		r := &http.Request{Method: "GET", RequestURI: target, URL: &url.URL{}, Header: http.Header{"Authorization": {auth}, "X-Amz-Date": {date}}}
		s, err := Parse(r)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || e.Message == "" {
				t.Errorf("error %T %v", err, err)
			}
			return
		}
		v.Now = func() time.Time { return s.Time }
		if v.Verify(r, s, "a secret nobody knows", EmptyPayload) == nil {
			t.Error("verified")
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	r := newRequest(b, "POST", "https://cognito-idp.us-east-1.amazonaws.com/")
	r.Header.Set("Content-Type", "application/x-amz-json-1.1")
	r.Header.Set("X-Amz-Target", "AWSCognitoIdentityProviderService.AdminGetUser")
	Sign(r, EmptyPayload, testKey, testSecret, "", "cognito-idp", "us-east-1", testTime)
	got := received(b, r)
	v := at(testTime)
	b.ReportAllocs()
	for b.Loop() {
		if err := verify(v, got, EmptyPayload, "cognito-idp"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSigningKey(b *testing.B) {
	for b.Loop() {
		signingKey(testSecret, "20261121", "us-east-1", "cognito-idp")
	}
}

func BenchmarkSign(b *testing.B) {
	r := newRequest(b, "POST", "https://cognito-idp.us-east-1.amazonaws.com/")
	for b.Loop() {
		Sign(r, EmptyPayload, testKey, testSecret, "", "cognito-idp", "us-east-1", testTime)
	}
}

// TestLikely changes signed requests as clients and proxies do, and wants to be told.
func TestLikely(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	v := &Verifier{Now: func() time.Time { return now }}
	for _, tt := range []struct {
		name, secret string
		change       func(r *http.Request)
		body         string // that arrives
		want         string
	}{
		{"body", "secret", func(*http.Request) {}, "other", "the body is not the one that was signed"},
		{"host", "secret", func(r *http.Request) { r.Host = "127.0.0.1:4566" }, "body", "the signature fits localhost:4566, the request came for 127.0.0.1:4566"},
		{"forwarded host", "secret", func(r *http.Request) { r.Host = "inner:80"; r.Header.Set("X-Forwarded-Host", "localhost:4566") }, "body", "a proxy has changed the host"},
		{"content type", "secret", func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") }, "body", `the signature fits "application/json"`},
		{"method", "secret", func(r *http.Request) { r.Method = "PUT" }, "body", "the signature fits POST"},
		{"secret", "another", func(*http.Request) {}, "body", "another secret"},
		{"path", "secret", func(r *http.Request) { r.URL.Path = "/elsewhere" }, "body", "another secret"},
	} {
		r := httptest.NewRequest("POST", "http://localhost:4566/a%20b", nil)
		r.RequestURI = ""
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("X-Amz-Content-Sha256", PayloadHash([]byte("body")))
		Sign(r, PayloadHash([]byte("body")), "AKIDEXAMPLE", "secret", "", "lambda", "us-east-1", now)
		tt.change(r)
		sig, err := Parse(r)
		if err != nil {
			t.Fatal(err)
		}
		var e *Error
		if err := v.Verify(r, sig, tt.secret, PayloadHash([]byte(tt.body)), "lambda"); !errors.As(err, &e) || !strings.Contains(e.Likely, tt.want) {
			t.Errorf("%s: %+v", tt.name, err)
		}
	}
}
