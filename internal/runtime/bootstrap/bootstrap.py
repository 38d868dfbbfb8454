"""The bootstrap of Python functions.

It starts as a process of no function, is told by the first frame on descriptor 3 which one it is,
and then handles one event after the other as Lambda's Python runtime does. Frames are described in
frames.go. Written for Python 3.8 and newer.
"""

import json
import logging
import os
import socket
import struct
import sys
import time
import traceback

MAX_RESPONSE = 6291556


class Link:
    """The frames on descriptor 3."""

    def __init__(self):
        os.set_inheritable(3, False)
        self.sock = socket.socket(fileno=3)
        self.sock.setblocking(True)
        self.file = self.sock.makefile("rb", buffering=64 * 1024)

    def receive(self):
        head = self.file.read(5)
        if len(head) < 5:
            return None, None
        (n,) = struct.unpack_from("<I", head)
        return head[4:5], self.file.read(n - 1)

    def send(self, kind, payload):
        sys.stdout.flush()
        sys.stderr.flush()
        self.sock.sendall(struct.pack("<I", len(payload) + 1) + kind + payload)


class Identity:
    def __init__(self, doc):
        self.cognito_identity_id = doc.get("cognitoIdentityId")
        self.cognito_identity_pool_id = doc.get("cognitoIdentityPoolId")

    def __repr__(self):
        return "CognitoIdentity([cognito_identity_id=%s,cognito_identity_pool_id=%s])" % (
            self.cognito_identity_id, self.cognito_identity_pool_id)


class Client:
    FIELDS = ("installation_id", "app_title", "app_version_name", "app_version_code", "app_package_name")

    def __init__(self, doc):
        for name in self.FIELDS:
            setattr(self, name, doc.get(name))


class ClientContext:
    def __init__(self, doc):
        self.custom = doc.get("custom")
        self.env = doc.get("env")
        self.client = Client(doc["client"]) if isinstance(doc.get("client"), dict) else None


class LambdaContext:
    def __init__(self, config, head):
        self.aws_request_id = head["id"]
        self.log_group_name = config["logGroup"]
        self.log_stream_name = config["logStream"]
        self.function_name = config["name"]
        self.memory_limit_in_mb = str(config["memory"])
        self.function_version = config["version"]
        self.invoked_function_arn = head["arn"]
        self.tenant_id = None
        client = head.get("client")
        self.client_context = ClientContext(json.loads(client)) if client else None
        self.identity = Identity(json.loads(head["cognito"]) if head.get("cognito") else {})
        self._deadline = head["deadline"]

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, msg):
        sys.stdout.write(str(msg))

    def __repr__(self):
        return "LambdaContext([aws_request_id=%s,log_group_name=%s,log_stream_name=%s,function_name=%s,memory_limit_in_mb=%s,function_version=%s,invoked_function_arn=%s,client_context=%s,identity=%s])" % (
            self.aws_request_id, self.log_group_name, self.log_stream_name, self.function_name, self.memory_limit_in_mb,
            self.function_version, self.invoked_function_arn, self.client_context, self.identity)


class RequestFilter(logging.Filter):
    request_id = ""

    def filter(self, record):
        record.aws_request_id = self.request_id
        return True


class Handler(logging.Handler):
    """Lambda's log format; a carriage return is a line break within one log event."""

    def emit(self, record):
        try:
            write_event(self.format(record))
        except Exception:
            self.handleError(record)


def write_event(text):
    sys.stdout.write(text.rstrip("\n").replace("\r\n", "\n").replace("\n", "\r") + "\n")


def error(message, kind, stack, request_id):
    doc = {"errorMessage": message, "errorType": kind, "requestId": request_id, "stackTrace": stack}
    return json.dumps(doc, ensure_ascii=False).encode("utf-8", "replace")


def log_error(message, kind, stack):
    text = "[ERROR] %s: %s" % (kind, message) if message else "[ERROR] %s" % kind
    if stack:
        text += "\nTraceback (most recent call last):\n" + "\n".join(line.rstrip("\n") for line in stack)
    write_event(text)


class InitError(Exception):
    def __init__(self, kind, message, stack=()):
        Exception.__init__(self, message)
        self.kind, self.message, self.stack = kind, message, list(stack)


def user_frames(tb):
    """The frames of the function, without the bootstrap's and the importer's."""
    frames = traceback.extract_tb(tb)
    return [f for f in frames if f.filename != __file__ and "importlib" not in f.filename]


def configure(config):
    env = config["env"]
    for name in list(os.environ):
        if name not in env:
            del os.environ[name]
    os.environ.update(env)
    time.tzset()
    os.chdir(config["root"])
    sys.argv = [""]
    sys.dont_write_bytecode = False
    sys.pycache_prefix = config["cache"]
    own = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [p for p in sys.path if p != own]
    for p in reversed(env.get("PYTHONPATH", "").split(os.pathsep)):
        if p and p not in sys.path:
            sys.path.insert(0, p)
    sys.path.insert(0, config["root"])

    handler = Handler()
    handler.setFormatter(logging.Formatter("[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s", "%Y-%m-%dT%H:%M:%S"))
    handler.formatter.converter = time.gmtime
    requests = RequestFilter()
    handler.addFilter(requests)
    logging.root.addHandler(handler)
    return requests


def load(config):
    name = config["handler"]
    try:
        modname, function = name.rsplit(".", 1)
    except ValueError as e:
        raise InitError("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, e))
    import importlib

    try:
        if modname.split(".")[0] in sys.builtin_module_names:
            raise InitError("Runtime.BuiltInModuleConflict", "Cannot use built-in module %s as a handler module" % modname)
        module = importlib.import_module(modname.replace("/", "."))
    except ImportError as e:
        raise InitError("Runtime.ImportModuleError", "Unable to import module '%s': %s" % (modname, e))
    except SyntaxError as e:
        line = (e.text or "").rstrip("\n")
        raise InitError("Runtime.UserCodeSyntaxError", "Syntax error in module '%s': %s" % (modname, e), ['  File "%s" Line %s\n    %s\n' % (e.filename, e.lineno, line)])
    except InitError:
        raise
    except Exception as e:
        raise InitError(type(e).__name__, str(e), traceback.format_list(user_frames(e.__traceback__)))
    try:
        return getattr(module, function)
    except AttributeError:
        raise InitError("Runtime.HandlerNotFound", "Handler '%s' missing on module '%s'" % (function, modname))


def to_json(value):
    if hasattr(value, "as_integer_ratio") and type(value).__name__ == "Decimal":
        return float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


def invoke(link, config, handler, head, body):
    request_id = head["id"]
    try:
        try:
            event = json.loads(body)
        except Exception as e:
            raise InitError("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % e)
        result = handler(event, LambdaContext(config, head))
        try:
            answer = json.dumps(result, default=to_json).encode("utf-8")
        except Exception as e:
            raise InitError("Runtime.MarshalError", "Unable to marshal response: %s" % e)
    except InitError as e:
        log_error(e.message, e.kind, e.stack)
        link.send(b"F", error(e.message, e.kind, e.stack, request_id))
    except Exception as e:
        stack = traceback.format_list(user_frames(e.__traceback__))
        log_error(str(e), type(e).__name__, stack)
        link.send(b"F", error(str(e), type(e).__name__, stack, request_id))
    else:
        link.send(b"O", answer)


def main():
    link = Link()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace", line_buffering=True)
    if len(sys.argv) > 1 and sys.argv[1] == "spare":
        # What most functions load is loaded while nobody waits.
        import base64, datetime, decimal, hashlib, http.client, importlib, re, ssl, urllib.request, uuid  # noqa: F401,E401

        link.send(b"B", b"")
    kind, body = link.receive()
    if kind != b"C":
        return
    config = json.loads(body)
    requests = configure(config)
    try:
        handler = load(config)
    except InitError as e:
        log_error(e.message, e.kind, e.stack)
        link.send(b"X", error(e.message, e.kind, e.stack, ""))
        sys.exit(1)
    link.send(b"R", b"")
    while True:
        kind, body = link.receive()
        if kind != b"E":
            return
        (n,) = struct.unpack_from("<I", body)
        head = json.loads(body[4:4 + n])
        requests.request_id = head["id"]
        if head.get("trace"):
            os.environ["_X_AMZN_TRACE_ID"] = head["trace"]
        else:
            os.environ.pop("_X_AMZN_TRACE_ID", None)
        invoke(link, config, handler, head, body[4 + n:])


if __name__ == "__main__":
    main()
