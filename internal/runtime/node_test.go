package runtime

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestNode runs handlers of all kinds. want is the payload, exactly or from the beginning if it
// ends with an ellipsis; log is what the log must hold.
func TestNode(t *testing.T) {
	need(t, "node")
	const id = "8f5f0000-0000-4000-8000-000000000042"
	for _, tt := range []struct {
		name    string
		files   map[string]string
		handler string // default index.handler
		runtime string // default nodejs20.x
		payload string
		fault   bool
		want    string
		log     []string
	}{
		{name: "async", files: map[string]string{"index.js": `exports.handler = async (e) => ({ got: e.a })`}, payload: `{"a":"ü"}`, want: `{"got":"ü"}`},
		{name: "promise", files: map[string]string{"index.js": `exports.handler = (e) => new Promise((r) => setTimeout(() => r(1), 5))`}, want: `1`},
		{name: "callback", files: map[string]string{"index.js": `exports.handler = (e, c, cb) => setTimeout(() => cb(null, { ok: true }), 5)`}, want: `{"ok":true}`},
		{name: "callback error", files: map[string]string{"index.js": `exports.handler = (e, c, cb) => cb(new TypeError('no'))`}, fault: true, want: `{"errorType":"TypeError","errorMessage":"no","trace":["TypeError: no","    at …`},
		{name: "callback string", files: map[string]string{"index.js": `exports.handler = (e, c, cb) => cb('no')`}, fault: true, want: `{"errorType":"string","errorMessage":"no","trace":[]}`},
		{name: "callback waits for the loop", files: map[string]string{"index.js": `let n = 0; exports.handler = (e, c, cb) => { setTimeout(() => { console.log('later') }, 20); cb(null, 1) }`}, want: `1`, log: []string{"INFO\tlater"}},
		{name: "callback does not wait", files: map[string]string{"index.js": `exports.handler = (e, c, cb) => { c.callbackWaitsForEmptyEventLoop = false; setInterval(() => {}, 1000); cb(null, 1) }`}, want: `1`},
		{name: "context done", files: map[string]string{"index.js": `exports.handler = (e, c) => c.done(null, 2)`}, want: `2`},
		{name: "context succeed", files: map[string]string{"index.js": `exports.handler = (e, c) => { c.succeed(3) }`}, want: `3`},
		{name: "context fail", files: map[string]string{"index.js": `exports.handler = (e, c) => { c.fail(new Error('f')) }`}, fault: true, want: `{"errorType":"Error","errorMessage":"f",…`},
		{name: "nothing", files: map[string]string{"index.js": `exports.handler = () => {}`}, want: `null`},
		{name: "undefined", files: map[string]string{"index.js": `exports.handler = async () => {}`}, want: `null`},
		{name: "module", files: map[string]string{"index.mjs": `import fs from 'node:fs'; const x = await Promise.resolve(4); export const handler = async () => x;`}, want: `4`},
		{name: "module by package.json", files: map[string]string{"package.json": `{"type":"module"}`, "index.js": `export const handler = async () => 5;`}, want: `5`},
		{name: "commonjs by extension", files: map[string]string{"index.cjs": `exports.handler = async () => 6;`}, want: `6`},
		{name: "default export", files: map[string]string{"index.mjs": `export default { handler: async () => 7 }`}, want: `7`},
		{name: "path and dots", files: map[string]string{"src/api/index.js": `exports.v1 = { handler: async () => 8 }`}, handler: "src/api/index.v1.handler", want: `8`},
		{name: "working directory", files: map[string]string{"index.js": `exports.handler = async () => require('fs').readFileSync('data.txt', 'utf8')`, "data.txt": "here"}, want: `"here"`},
		{name: "own modules", files: map[string]string{"index.js": `exports.handler = async () => require('dep')`, "node_modules/dep/index.js": `module.exports = 9`}, want: `9`},
		{name: "context", files: map[string]string{"index.js": `exports.handler = async (e, c) => [c.functionName, c.functionVersion, c.memoryLimitInMB, c.awsRequestId, c.invokedFunctionArn, c.logGroupName, c.logStreamName.slice(0, 2), c.identity.cognitoIdentityId, c.clientContext.client.app_title, c.getRemainingTimeInMillis() > 8000 && c.getRemainingTimeInMillis() <= 10000, process.env._X_AMZN_TRACE_ID]`},
			want: `["hello","$LATEST","256","` + id + `","arn:aws:lambda:us-east-1:000000000000:function:hello:live","/aws/lambda/hello","20","us-east-1:abc","app",true,"Root=1-2"]`},
		{name: "console", files: map[string]string{"index.js": `exports.handler = async () => { console.log('a %s', 'b', { c: 1 }); console.info('i'); console.warn('w'); console.error('e'); console.debug('d'); process.stdout.write('raw\n'); process.stderr.write('no end'); return 1 }`}, want: `1`,
			log: []string{"Z\t" + id + "\tINFO\ta b { c: 1 }\n", "\tINFO\ti\n", "\tWARN\tw\n", "\tERROR\te\n", "\tDEBUG\td\n", "\nraw\nno end\nEND RequestId: " + id + "\n"}},
		{name: "lines within one event", files: map[string]string{"index.js": `exports.handler = async () => { console.log('a\nb'); return 1 }`}, want: `1`, log: []string{"INFO\ta\nb\nEND"}},

		{name: "throws", files: map[string]string{"index.js": `class Own extends Error { constructor(m) { super(m); this.name = 'Own'; this.code = 7 } }; exports.handler = async () => { throw new Own('bad') }`}, fault: true, want: `{"errorType":"Own","errorMessage":"bad","trace":["Own: bad","    at exports.handler (…`,
			log: []string{"\tERROR\tInvoke Error \t{\"errorType\":\"Own\",\"errorMessage\":\"bad\",\"code\":7,\"stack\":["}},
		{name: "throws at once", files: map[string]string{"index.js": `exports.handler = () => { throw new RangeError('r') }`}, fault: true, want: `{"errorType":"RangeError","errorMessage":"r",…`},
		{name: "throws a string", files: map[string]string{"index.js": `exports.handler = async () => { throw 'text' }`}, fault: true, want: `{"errorType":"string","errorMessage":"text","trace":[]}`},
		{name: "throws undefined", files: map[string]string{"index.js": `exports.handler = async () => { throw undefined }`}, fault: true, want: `{"errorType":"undefined","errorMessage":"undefined","trace":[]}`},
		{name: "no JSON", files: map[string]string{"index.js": `exports.handler = async () => 1n`}, fault: true, want: `{"errorType":"Runtime.MarshalError","errorMessage":"Unable to stringify response body",…`},
		{name: "unhandled rejection", files: map[string]string{"index.js": `exports.handler = () => { Promise.reject(new Error('lost')); return new Promise(() => setTimeout(() => {}, 5000)) }`}, fault: true,
			want: `{"errorType":"Runtime.UnhandledPromiseRejection","errorMessage":"Error: lost","trace":["Runtime.UnhandledPromiseRejection: Error: lost",…`,
			log:  []string{"\tERROR\tUnhandled Promise Rejection \t{", "RequestId: " + id + " Error: Runtime exited with error: exit status 128\nRuntime.ExitError\n", "\tStatus: error\tError Type: Runtime.ExitError\n"}},
		{name: "uncaught exception", files: map[string]string{"index.js": `exports.handler = () => new Promise(() => setTimeout(() => { throw new Error('thrown') }, 1))`}, fault: true, want: `{"errorType":"Error","errorMessage":"thrown",…`, log: []string{"\tERROR\tUncaught Exception \t{", "exit status 129"}},
		{name: "exit", files: map[string]string{"index.js": `exports.handler = async () => { process.exit(3) }`}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: exit status 3"}`},
		{name: "exit without a reason", files: map[string]string{"index.js": `exports.handler = async () => { process.exit(0) }`}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited without providing a reason"}`},
		{name: "signal", files: map[string]string{"index.js": `exports.handler = async () => { process.kill(process.pid, 'SIGKILL'); await new Promise((r) => setTimeout(r, 1000)) }`}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: signal: killed"}`},
		{name: "never settled", files: map[string]string{"index.js": `exports.handler = () => new Promise(() => {})`}, want: `null`},

		{name: "handler not found", files: map[string]string{"index.js": `exports.other = 1`}, fault: true, want: `{"errorType":"Runtime.HandlerNotFound","errorMessage":"index.handler is undefined or not exported","trace":["Runtime.HandlerNotFound: index.handler is undefined or not exported"]}`},
		{name: "handler no function", files: map[string]string{"index.js": `exports.handler = 1`}, fault: true, want: `{"errorType":"Runtime.HandlerNotFound","errorMessage":"index.handler is not a function",…`},
		{name: "module not found", files: map[string]string{"other.js": ``}, fault: true, want: `{"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'index'\nRequire stack:\n…`},
		{name: "import not found", files: map[string]string{"index.js": `require('absent')`}, fault: true, want: `{"errorType":"Runtime.ImportModuleError","errorMessage":"Error: Cannot find module 'absent'\nRequire stack:\n…`},
		{name: "import not found in a module", files: map[string]string{"index.mjs": `import 'absent'`}, fault: true, want: `{"errorType":"Runtime.ImportModuleError","errorMessage":"Error [ERR_MODULE_NOT_FOUND]: Cannot find package 'absent' …`},
		{name: "syntax error", files: map[string]string{"index.js": `exports.handler = async () => { return 1 +; }`}, fault: true, want: `{"errorType":"Runtime.UserCodeSyntaxError","errorMessage":"SyntaxError: Unexpected token ';'",…`, log: []string{"undefined\tERROR\tUncaught Exception \t{\"errorType\":\"Runtime.UserCodeSyntaxError\""}},
		{name: "initialisation throws", files: map[string]string{"index.js": `throw new Error('early')`}, fault: true, want: `{"errorType":"Error","errorMessage":"early",…`, log: []string{"INIT_REPORT Init Duration: ", "Phase: invoke\tStatus: error\tError Type: Error\n"}},
		{name: "exits after initialisation", files: map[string]string{"index.js": `setImmediate(() => setImmediate(() => process.exit(5))); exports.handler = async () => { await new Promise((r) => setTimeout(r, 5000)) }`}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: exit status 5"}`},
		{name: "initialisation exits", files: map[string]string{"index.js": `process.exit(9)`}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: exit status 9"}`},
		{name: "malformed handler", files: map[string]string{"index.js": ``}, handler: "index", fault: true, want: `{"errorType":"Runtime.MalformedHandlerName","errorMessage":"Bad handler",…`},
		{name: "handler above", files: map[string]string{"index.js": ``}, handler: "../index.handler", fault: true, want: `{"errorType":"Runtime.MalformedHandlerName","errorMessage":"'../index.handler' is not a valid handler name. …`},
		{name: "streaming", files: map[string]string{"index.js": `exports.handler = awslambda.streamifyResponse(async () => {})`}, fault: true, want: `{"errorType":"Runtime.StreamingNotSupported","errorMessage":"awslambda.streamifyResponse: Gatehouse does not support response streaming",…`},
		{name: "callbacks are gone", files: map[string]string{"index.js": `exports.handler = (e, c, cb) => cb(null, 1)`}, runtime: "nodejs24.x", fault: true, want: `{"errorType":"Runtime.CallbackHandlerDeprecated",…`},
		{name: "answer too large", files: map[string]string{"index.js": `exports.handler = async () => 'x'.repeat(6 << 20)`}, want: `"xxx…`},
		{name: "answer much too large", files: map[string]string{"index.js": `exports.handler = async () => 'x'.repeat(7 << 20)`}, fault: true, want: `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`},
	} {
		for _, prefork := range []bool{false, true} {
			name := tt.name
			if prefork {
				if testing.Short() {
					continue
				}
				name += "/preforked"
			}
			t.Run(name, func(t *testing.T) {
				m, _ := newManager(t, Options{Prefork: prefork})
				if prefork {
					m.setup()
					path, _ := m.find.find(familyNode, "nodejs20.x")
					m.refill(familyNode, path)
					settle(m)
				}
				s := spec(or(tt.runtime, "nodejs20.x"), or(tt.handler, "index.handler"), code(t, tt.files))
				r, err := m.Invoke(t.Context(), s, &Invocation{
					RequestID: id, Payload: []byte(tt.payload), InvokedARN: s.ARN + ":live", TraceID: "Root=1-2",
					ClientContext: `{"client":{"app_title":"app"}}`, CognitoIdentity: `{"cognitoIdentityId":"us-east-1:abc"}`,
				})
				if err != nil {
					t.Fatal(err)
				}
				check(t, r, tt.fault, tt.want, tt.log)
			})
		}
	}
}

func check(t *testing.T, r *Result, fault bool, want string, log []string) {
	t.Helper()
	got := string(r.Payload)
	if beginning, ok := strings.CutSuffix(want, "…"); ok {
		if !strings.HasPrefix(got, beginning) {
			t.Errorf("payload\n got %.400s\nwant %s", got, want)
		}
	} else if got != want {
		t.Errorf("payload\n got %.400s\nwant %s", got, want)
	}
	if !json.Valid(r.Payload) {
		t.Errorf("the payload is not JSON: %.200s", got)
	}
	if (r.FunctionError != "") != fault || fault && r.FunctionError != "Unhandled" {
		t.Errorf("FunctionError %q, want fault %v", r.FunctionError, fault)
	}
	for _, l := range log {
		if !strings.Contains(string(r.Log), l) {
			t.Errorf("log\n%s\nlacks %q", r.Log, l)
		}
	}
}

func TestNodeTimeout(t *testing.T) {
	need(t, "node")
	m, _ := newManager(t, Options{})
	s := spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": `let n = 0; exports.handler = async (e) => { console.log('before'); if (e.loop) for (;;) {} ; if (e.wait) await new Promise(() => setTimeout(() => {}, 9000)); return ++n }`}))
	s.Timeout = 300 * time.Millisecond
	invoke(t, m, s, `{}`)
	for _, payload := range []string{`{"wait":true}`, `{"loop":true}`} {
		inv := event1(payload)
		began := time.Now()
		r, err := m.Invoke(t.Context(), s, inv)
		if err != nil {
			t.Fatal(err)
		}
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("it took %v", d)
		}
		check(t, r, true, `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: `+inv.RequestID+` Error: Task timed out after 0.30 seconds"}`,
			[]string{"INFO\tbefore\n", "Z " + inv.RequestID + " Task timed out after 0.30 seconds\n", "END RequestId: " + inv.RequestID + "\nREPORT ", "\tStatus: timeout\n"})
		if r := invoke(t, m, s, `{}`); string(r.Payload) != "1" {
			t.Errorf("after the time-out: %s, want a new environment", r.Payload)
		}
	}
}

// Functions of Node.js have surroundings of their own, which are made once; so have those that were
// started in advance.
func TestSurroundings(t *testing.T) {
	need(t, "node")
	need(t, "python3")
	calls := 0
	m, _ := newManager(t, Options{Prefork: true, Surroundings: func() (node, others []string, err error) {
		calls++
		return []string{"LED=node", "NODE_OPTIONS=--no-warnings"}, []string{"LED=others"}, nil
	}})
	for i := range 3 {
		s := spec("nodejs20.x", "index.handler", code(t, map[string]string{"index.js": "exports.handler = async () => process.env.LED + process.env.NODE_OPTIONS + process.execArgv"}))
		s.Revision = strconv.Itoa(i)
		if i > 0 {
			settle(m)
		}
		if r := invoke(t, m, s, `{}`); string(r.Payload) != `"node--no-warnings--max-http-header-size=81920"` {
			t.Errorf("Node.js: %s", r.Payload)
		}
	}
	s := spec("python3.11", "index.handler", code(t, map[string]string{"index.py": "import os\ndef handler(e, c): return os.environ['LED'] + os.environ.get('NODE_OPTIONS', '')"}))
	s.ARN += "python"
	if r := invoke(t, m, s, `{}`); string(r.Payload) != `"others"` {
		t.Errorf("Python: %s", r.Payload)
	}
	if calls != 1 {
		t.Errorf("Surroundings was called %d times", calls)
	}
}
