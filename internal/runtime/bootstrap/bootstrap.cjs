// The bootstrap of Node.js functions. It starts as a process of no function, is told by the first
// frame on descriptor 3 which one it is, and then handles one event after the other as Lambda's
// Node.js runtime does. Frames are described in frames.go. Written for Node.js 14 and newer.
'use strict';

const fs = require('fs');
const net = require('net');
const path = require('path');
const util = require('util');
const { pathToFileURL } = require('url');

const MAX_RESPONSE = 6291556;
const sleeper = new Int32Array(new SharedArrayBuffer(4));
const exit = process.exit.bind(process);

let config; // the function's, from the first frame
let handler;
let current = null; // the invocation in progress
let requestId; // of the last one

// ---- output ----

function writeOut(text) {
  const b = Buffer.from(text, 'utf8');
  for (let n = 0; n < b.length; ) {
    try {
      n += fs.writeSync(1, b, n);
    } catch (e) {
      if (e.code !== 'EAGAIN') return;
      Atomics.wait(sleeper, 0, 0, 1); // somebody made the pipe non-blocking
    }
  }
}

// A carriage return is a line break within one log event.
function log(level, message) {
  const text = `${new Date().toISOString()}\t${requestId}\t${level}\t${message}`;
  writeOut(text.replace(/\r?\n/g, '\r') + '\n');
}

function patchConsole() {
  const at = (level) => (...args) => log(level, util.format(...args));
  console.log = at('INFO');
  console.info = at('INFO');
  console.debug = at('DEBUG');
  console.warn = at('WARN');
  console.error = at('ERROR');
  console.fatal = at('FATAL');
  console.trace = (...args) => {
    const e = { name: 'Trace', message: util.format(...args) };
    Error.captureStackTrace(e, console.trace);
    log('TRACE', e.stack);
  };
}

// ---- errors ----

function runtimeError(name, message, stack) {
  const e = new Error(message);
  e.name = name;
  if (stack !== undefined) e.stack = stack;
  else e.stack = `${name}: ${message}`;
  return e;
}

function isError(e) {
  return util.types.isNativeError(e) || (e !== null && typeof e === 'object' && 'name' in e && 'message' in e && 'stack' in e);
}

function errorPayload(e) {
  let v;
  try {
    v = isError(e)
      ? { errorType: e.name, errorMessage: e.message, trace: String(e.stack).split('\n') }
      : { errorType: typeof e, errorMessage: String(e), trace: [] };
    return JSON.stringify(v);
  } catch (_) {
    return '{"errorType":"handled","errorMessage":"callback called with Error argument, but there was a problem while retrieving one or more of its message, name, and stack"}';
  }
}

function errorLog(e) {
  try {
    if (!isError(e)) return JSON.stringify({ errorType: typeof e, errorMessage: String(e), trace: [] });
    const v = { errorType: e.name, errorMessage: e.message };
    for (const k of Object.keys(e)) if (k !== 'name' && k !== 'message' && k !== 'stack') v[k] = e[k];
    v.stack = String(e.stack).split('\n');
    return JSON.stringify(v);
  } catch (_) {
    return String(e && e.stack);
  }
}

// ---- frames ----

const socket = new net.Socket({ fd: 3, readable: true, writable: true });

function send(kind, payload, then) {
  const n = Buffer.byteLength(payload);
  const b = Buffer.allocUnsafe(5 + n);
  b.writeUInt32LE(n + 1, 0);
  b.write(kind, 4, 'latin1');
  b.write(payload, 5, 'utf8');
  socket.write(b, then);
}

let held = null; // the beginning of a frame
let chunks = [];
let have = 0;
let want = 4;

function onData(chunk) {
  for (;;) {
    if (chunks.length === 0) {
      held = chunk;
    } else {
      chunks.push(chunk);
      have += chunk.length;
      if (have < want) return;
      held = Buffer.concat(chunks, have);
      chunks = [];
    }
    if (held.length >= 4) want = 4 + held.readUInt32LE(0);
    else want = 4;
    if (held.length < want || want === 4) {
      chunks = [held];
      have = held.length;
      return;
    }
    const frame = held.subarray(4, want);
    chunk = held.subarray(want);
    onFrame(String.fromCharCode(frame[0]), frame.subarray(1));
    want = 4;
    have = 0;
    if (chunk.length === 0) return;
  }
}

function onFrame(kind, body) {
  if (kind === 'C') configure(JSON.parse(body.toString('utf8')));
  else if (kind === 'E') onEvent(body);
}

socket.on('data', onData);
socket.on('error', () => exit(0));
socket.on('close', () => exit(0)); // the server has gone

// ---- initialisation ----

function configure(c) {
  config = c;
  for (const k of Object.keys(process.env)) if (!(k in c.env)) delete process.env[k];
  for (const k of Object.keys(c.env)) process.env[k] = c.env[k];
  const Module = require('module');
  if (c.env.NODE_PATH) Module._initPaths();
  if (/(^|\s)--enable-source-maps(\s|$)/.test(c.env.NODE_OPTIONS || '') && process.setSourceMapsEnabled) process.setSourceMapsEnabled(true);
  if (Module.enableCompileCache) Module.enableCompileCache(c.cache);
  require('v8').setFlagsFromString(`--max-old-space-size=${Math.max(32, Math.floor(c.memory * 0.9))}`);
  process.argv.splice(1);
  process.chdir(c.root);
  patchConsole();
  process.on('uncaughtException', (e) => fatal('Uncaught Exception', e, 129));
  process.on('unhandledRejection', (reason, promise) => {
    const e = runtimeError('Runtime.UnhandledPromiseRejection', String(reason), isError(reason) ? `Runtime.UnhandledPromiseRejection: ${reason.stack}` : undefined);
    e.reason = isError(reason) ? JSON.parse(errorLog(reason)) : reason;
    e.promise = {};
    fatal('Unhandled Promise Rejection', e, 128);
  });
  process.on('beforeExit', () => current && current.onEmptyLoop());
  globalThis.awslambda = {
    streamifyResponse() {
      throw runtimeError('Runtime.StreamingNotSupported', 'awslambda.streamifyResponse: Gatehouse does not support response streaming');
    },
    HttpResponseStream: {
      from() {
        throw runtimeError('Runtime.StreamingNotSupported', 'awslambda.HttpResponseStream: Gatehouse does not support response streaming');
      },
    },
  };
  load().then(
    (h) => {
      handler = h;
      if (Module.flushCompileCache) setImmediate(Module.flushCompileCache);
      send('R', '');
    },
    (e) => {
      log('ERROR', `Uncaught Exception \t${errorLog(e)}`);
      ending = true;
      send('X', errorPayload(e), () => exit(1));
    }
  );
}

async function load() {
  const full = config.handler;
  if (full.includes('..')) {
    throw runtimeError('Runtime.MalformedHandlerName', `'${full}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`);
  }
  const base = path.basename(full);
  const folder = full.substring(0, full.length - base.length);
  const m = /^([^.]*)\.(.*)$/.exec(base);
  if (!m || !m[1] || !m[2]) throw runtimeError('Runtime.MalformedHandlerName', 'Bad handler');
  let app;
  try {
    app = await importModule(config.root, folder, m[1]);
  } catch (e) {
    if (e instanceof SyntaxError) throw runtimeError('Runtime.UserCodeSyntaxError', String(e), e.stack);
    if (e && (e.code === 'MODULE_NOT_FOUND' || e.code === 'ERR_MODULE_NOT_FOUND')) throw runtimeError('Runtime.ImportModuleError', String(e), e.stack);
    throw e;
  }
  let f = m[2].split('.').reduce((o, k) => (o === undefined || o === null ? undefined : o[k]), app);
  if (f === undefined && app && app.default) f = m[2].split('.').reduce((o, k) => (o === undefined || o === null ? undefined : o[k]), app.default);
  if (!f) throw runtimeError('Runtime.HandlerNotFound', `${full} is undefined or not exported`);
  if (typeof f !== 'function') throw runtimeError('Runtime.HandlerNotFound', `${full} is not a function`);
  const major = +((/^nodejs(\d+)/.exec(config.runtime) || [])[1] || 0);
  if (major >= 24 && f.length >= 3) {
    throw runtimeError('Runtime.CallbackHandlerDeprecated', 'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to modify this function to use a supported handler signature to use Node.js 24 or later.');
  }
  return f;
}

async function importModule(root, folder, name) {
  const file = path.resolve(root, folder, name);
  if (isFile(file)) return require(file);
  if (isFile(file + '.js')) return isModule(path.dirname(file)) ? import(pathToFileURL(file + '.js')) : require(file + '.js');
  if (isFile(file + '.mjs')) return import(pathToFileURL(file + '.mjs'));
  if (isFile(file + '.cjs')) return require(file + '.cjs');
  // A layer's or a package's module, by Node's own rules; the error, if any, is the one to show.
  let found;
  try {
    found = require.resolve(name, { paths: [root, path.join(root, folder)] });
  } catch (e) {
    const missing = new Error(`Cannot find module '${path.join(folder, name)}'\nRequire stack:\n- ${path.join(root, 'index.mjs')}`);
    missing.code = 'MODULE_NOT_FOUND';
    throw missing;
  }
  return require(found);
}

function isFile(p) {
  try {
    return fs.statSync(p).isFile();
  } catch (_) {
    return false;
  }
}

// isModule says whether the nearest package.json makes .js files ECMAScript modules.
function isModule(dir) {
  for (;;) {
    try {
      return JSON.parse(fs.readFileSync(path.join(dir, 'package.json'), 'utf8')).type === 'module';
    } catch (e) {
      if (e.code !== 'ENOENT') return false;
    }
    const up = path.dirname(dir);
    if (up === dir || path.basename(dir) === 'node_modules') return false;
    dir = up;
  }
}

// ---- events ----

let ending = false;

// fatal answers what is in progress with an error, and ends the process.
function fatal(what, e, code) {
  if (ending) return;
  ending = true;
  log('ERROR', `${what} \t${errorLog(e)}`);
  if (current) send('D', errorPayload(e), () => exit(code));
  else if (handler) exit(code);
  else send('X', errorPayload(e), () => exit(code));
}

class Invocation {
  constructor(head) {
    this.head = head;
    this.replied = false;
    this.waits = true; // callbackWaitsForEmptyEventLoop
    this.pending = null; // an answer that waits for the event loop to empty
  }

  reply(kind, payload) {
    if (this.replied || ending) return;
    this.replied = true;
    current = null;
    socket.ref();
    if (Buffer.byteLength(payload) > MAX_RESPONSE) payload = payload.slice(0, MAX_RESPONSE + 1); // its size says enough
    send(kind, payload);
  }

  succeed(result) {
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result);
      if (text === undefined) text = 'null';
    } catch (e) {
      return this.fail(runtimeError('Runtime.MarshalError', 'Unable to stringify response body', e.stack));
    }
    this.reply('O', text);
  }

  fail(e) {
    if (this.replied || ending) return;
    log('ERROR', `Invoke Error \t${errorLog(e)}`);
    this.reply('F', errorPayload(e));
  }

  // callback is the third argument of a handler, and done of its context.
  callback(e, result) {
    if (this.replied || this.pending) return;
    const answer = e !== undefined && e !== null ? () => this.fail(e) : () => this.succeed(result);
    if (this.waits) this.pending = answer;
    else answer();
  }

  onEmptyLoop() {
    if (this.pending) this.pending();
    else this.succeed(null);
  }

  context() {
    const inv = this;
    const { head } = this;
    const c = {
      get callbackWaitsForEmptyEventLoop() {
        return inv.waits;
      },
      set callbackWaitsForEmptyEventLoop(v) {
        inv.waits = v;
      },
      functionVersion: config.version,
      functionName: config.name,
      memoryLimitInMB: String(config.memory),
      logGroupName: config.logGroup,
      logStreamName: config.logStream,
      clientContext: head.client ? parse(head.client) : undefined,
      identity: head.cognito ? parse(head.cognito) : undefined,
      invokedFunctionArn: head.arn,
      awsRequestId: head.id,
      getRemainingTimeInMillis: () => head.deadline - Date.now(),
      done: (e, result) => inv.callback(e, result),
      succeed: (result) => inv.callback(null, result),
      fail: (e) => inv.callback(e === undefined || e === null ? 'handled' : e),
    };
    return c;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch (_) {
    return undefined;
  }
}

function onEvent(body) {
  const n = body.readUInt32LE(0);
  const head = JSON.parse(body.toString('utf8', 4, 4 + n));
  const inv = new Invocation(head);
  current = inv;
  requestId = head.id;
  if (head.trace) process.env._X_AMZN_TRACE_ID = head.trace;
  else delete process.env._X_AMZN_TRACE_ID;
  socket.unref(); // so that an empty event loop shows
  let result;
  try {
    const event = JSON.parse(body.toString('utf8', 4 + n));
    result = handler(event, inv.context(), (e, r) => inv.callback(e, r));
  } catch (e) {
    inv.fail(e);
    return;
  }
  if (result && typeof result.then === 'function') {
    result.then(
      (r) => inv.succeed(r),
      (e) => inv.fail(e)
    );
  }
}

// ---- waiting for a function ----

if (process.argv[2] === 'spare') {
  // What most functions load is loaded, and what every start does is done once, while nobody waits.
  for (const m of ['v8', 'module', 'http', 'https', 'crypto', 'stream', 'zlib', 'events', 'os', 'querystring', 'child_process', 'dns', 'async_hooks']) require(m);
  const warm = path.join(__dirname, 'warm.cjs');
  require(warm);
  delete require.cache[warm];
  isModule(__dirname);
  util.format('%s', { warm });
  new Date().toISOString();
  import('data:text/javascript,').then(() => send('B', ''));
}
