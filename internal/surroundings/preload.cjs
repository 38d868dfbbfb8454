// Written by Gatehouse. Loaded first by Node.js (NODE_OPTIONS), it leads connections to the names of AWS
// services that Gatehouse serves to the server, and leaves all others alone. What is said on them is not
// touched: it is TLS to the same name, with a certificate of the local authority, which those connections
// alone are made to trust.
'use strict';

const { Socket } = require('net');

const names = new RegExp(NAMES);
const to = TARGET;
const authority = CA;
const { connect } = Socket.prototype;
const trusting = new WeakSet();

function ours(host, port) {
  if (port != 443 && port != 80) return false; // a number or a string
  if (typeof host !== 'string' || host.length > 255) return false;
  return names.test((host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase());
}

// trust adds the authority to what a TLS connection that begins accepts. NODE_EXTRA_CA_CERTS would do so
// too, but nearly doubles the time that Node.js 20 takes to start.
function trust(socket) {
  const context = socket._tlsOptions?.secureContext?.context;
  if (typeof context?.addCACert !== 'function' || trusting.has(context)) return;
  trusting.add(context);
  context.addCACert(authority);
}

// As Node.js has it: connect(options[, listener]), connect(path[, listener]), connect(port[, host][, listener]),
// or one array of such arguments, from inside.
Socket.prototype.connect = function (...args) {
  const list = Array.isArray(args[0]) ? args[0] : args;
  const first = list[0];
  if (typeof first === 'object' && first !== null) {
    if (!first.path && ours(first.host, first.port)) {
      list[0] = { ...first, ...to };
      trust(this);
    }
  } else if (ours(list[1], first)) {
    list[0] = to.port;
    list[1] = to.host;
  }
  return connect.apply(this, args);
};
