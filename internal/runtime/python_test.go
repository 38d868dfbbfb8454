package runtime

import "testing"

func TestPython(t *testing.T) {
	need(t, "python3")
	const id = "8f5f0000-0000-4000-8000-000000000043"
	for _, tt := range []struct {
		name    string
		files   map[string]string
		handler string // default app.handler
		payload string
		fault   bool
		want    string
		log     []string
	}{
		{name: "echo", files: map[string]string{"app.py": "def handler(event, context):\n    return event"}, payload: `{"a":"ü"}`, want: `{"a": "\u00fc"}`},
		{name: "nothing", files: map[string]string{"app.py": "def handler(event, context):\n    pass"}, want: `null`},
		{name: "path", files: map[string]string{"src/app.py": "import lib\ndef handler(event, context):\n    return lib.x", "lib.py": "x = 2"}, handler: "src/app.handler", want: `2`},
		{name: "dots", files: map[string]string{"src/__init__.py": "", "src/app.py": "def handler(event, context):\n    return 3"}, handler: "src.app.handler", want: `3`},
		{name: "working directory", files: map[string]string{"app.py": "def handler(event, context):\n    return open('data.txt').read()", "data.txt": "here"}, want: `"here"`},
		{name: "context", files: map[string]string{"app.py": "import os\ndef handler(e, c):\n    ms = c.get_remaining_time_in_millis()\n    return [c.function_name, c.function_version, c.memory_limit_in_mb, c.aws_request_id, c.invoked_function_arn, c.log_group_name, c.log_stream_name[:2], c.identity.cognito_identity_id, c.client_context.client.app_title, 8000 < ms <= 10000, os.environ['_X_AMZN_TRACE_ID']]"},
			want: `["hello", "$LATEST", "256", "` + id + `", "arn:aws:lambda:us-east-1:000000000000:function:hello:live", "/aws/lambda/hello", "20", "us-east-1:abc", "app", true, "Root=1-2"]`},
		{name: "logs", files: map[string]string{"app.py": "import logging, sys, os\nlogger = logging.getLogger()\nlogger.setLevel('INFO')\ndef handler(e, c):\n    print('printed')\n    logger.info('a\\nb')\n    logging.getLogger('x').warning('w %d', 1)\n    sys.stderr.write('err\\n')\n    os.write(1, b'raw')\n    return 1"}, want: `1`,
			log: []string{"Version: $LATEST\nprinted\n[INFO]\t20", "Z\t" + id + "\ta\nb\n[WARNING]\t20", "\tw 1\nerr\nraw\nEND"}},
		{name: "raises", files: map[string]string{"app.py": "class Own(Exception): pass\ndef handler(event, context):\n    raise Own('bad')"}, fault: true,
			want: `{"errorMessage": "bad", "errorType": "Own", "requestId": "` + id + `", "stackTrace": ["  File \"…`,
			log:  []string{"[ERROR] Own: bad\nTraceback (most recent call last):\n  File \"", "/app.py\", line 3, in handler\n    raise Own('bad')\nEND"}},
		{name: "no JSON", files: map[string]string{"app.py": "def handler(event, context):\n    return {1, 2}"}, fault: true, want: `{"errorMessage": "Unable to marshal response: Object of type set is not JSON serializable", "errorType": "Runtime.MarshalError", "requestId": "` + id + `", "stackTrace": []}`},
		{name: "decimal", files: map[string]string{"app.py": "import decimal\ndef handler(event, context):\n    return decimal.Decimal('1.5')"}, want: `1.5`},
		{name: "exit", files: map[string]string{"app.py": "import sys\ndef handler(event, context):\n    sys.exit(3)"}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: exit status 3"}`},
		{name: "abort", files: map[string]string{"app.py": "import os\ndef handler(event, context):\n    os.kill(os.getpid(), 11)"}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: signal: segmentation fault"}`},
		{name: "handler not found", files: map[string]string{"app.py": "x = 1"}, fault: true, want: `{"errorMessage": "Handler 'handler' missing on module 'app'", "errorType": "Runtime.HandlerNotFound", "requestId": "", "stackTrace": []}`},
		{name: "module not found", files: map[string]string{"other.py": ""}, fault: true, want: `{"errorMessage": "Unable to import module 'app': No module named 'app'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}`},
		{name: "import not found", files: map[string]string{"app.py": "import absent"}, fault: true, want: `{"errorMessage": "Unable to import module 'app': No module named 'absent'", "errorType": "Runtime.ImportModuleError", "requestId": "", "stackTrace": []}`, log: []string{"[ERROR] Runtime.ImportModuleError: Unable to import module 'app': No module named 'absent'\n"}},
		{name: "syntax error", files: map[string]string{"app.py": "def handler(event, context):\n    return 1 +\n"}, fault: true, want: `{"errorMessage": "Syntax error in module 'app': invalid syntax (app.py, line 2)", "errorType": "Runtime.UserCodeSyntaxError", "requestId": "", "stackTrace": ["  File \"…`},
		{name: "initialisation raises", files: map[string]string{"app.py": "raise ValueError('early')"}, fault: true, want: `{"errorMessage": "early", "errorType": "ValueError", "requestId": "", "stackTrace": ["  File \"…`},
		{name: "initialisation exits", files: map[string]string{"app.py": "import sys\nsys.exit(4)"}, fault: true, want: `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ` + id + ` Error: Runtime exited with error: exit status 4"}`},
		{name: "malformed handler", files: map[string]string{"app.py": ""}, handler: "app", fault: true, want: `{"errorMessage": "Bad handler 'app': not enough values to unpack (expected 2, got 1)", "errorType": "Runtime.MalformedHandlerName", "requestId": "", "stackTrace": []}`},
		{name: "answer too large", files: map[string]string{"app.py": "def handler(event, context):\n    return 'x' * (7 << 20)"}, fault: true, want: `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes)."}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, _ := newManager(t, Options{})
			s := spec("python3.11", or(tt.handler, "app.handler"), code(t, tt.files))
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
