// Written by Gatehouse. Loaded first by Node.js (NODE_OPTIONS), it leads connections to the names of AWS
// services that Gatehouse serves to the server, and leaves all others alone. What is said on them is not
// touched: it is TLS to the same name, with a certificate of the local authority.
'use strict';

const { Socket } = require('net');

const names = new RegExp(NAMES);
const to = TARGET;
const { connect } = Socket.prototype;

function ours(host, port) {
  if (port != 443 && port != 80) return false; // a number or a string
  if (typeof host !== 'string' || host.length > 255) return false;
  return names.test((host.endsWith('.') ? host.slice(0, -1) : host).toLowerCase());
}

// As Node.js has it: connect(options[, listener]), connect(path[, listener]), connect(port[, host][, listener]),
// or one array of such arguments, from inside.
Socket.prototype.connect = function (...args) {
  const list = Array.isArray(args[0]) ? args[0] : args;
  const first = list[0];
  if (typeof first === 'object' && first !== null) {
    if (!first.path && ours(first.host, first.port)) list[0] = { ...first, ...to };
  } else if (ours(list[1], first)) {
    list[0] = to.port;
    list[1] = to.host;
  }
  return connect.apply(this, args);
};
