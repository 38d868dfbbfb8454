// The merging half of sync: client model + v1 model + overlay → normal form.

const scalars = {
  0: "string", 1: "number", 2: "boolean", 4: "timestamp", 5: "date-time", 6: "http-date", 7: "epoch-seconds",
  15: "document", 17: "long", 19: "double", 21: "blob", 42: "blob",
};
const times = { iso8601: "date-time", rfc822: "http-date", unixTimestamp: "epoch-seconds" };
const bits = { label: 1, sensitive: 8, payload: 16, status: 32, queryMap: 64 };

export function merge(service, client, v1, overlay) {
  const notes = [];
  const shapes = {};
  const sameName = membersByName(v1);
  const numberKinds = new Set(["integer", "long", "float", "double"]);

  // The bindings to parts of an HTTP message hold at the top of inputs, outputs and errors only.
  const inputs = new Set(), outputs = new Set(client.errors);
  for (const op of Object.values(client.operations)) {
    if (Array.isArray(op.input)) inputs.add(op.input[2]);
    if (Array.isArray(op.output)) outputs.add(op.output[2]);
  }

  // v1Of finds the v1 shape that tells the constraints of a member.
  function v1Of(structure, member, ref) {
    const own = v1.shapes[structure]?.members?.[member]?.shape;
    if (own) return own;
    const named = (typeof ref === "function" ? ref() : ref)?.[2];
    if (v1.shapes[named]) return named;
    return byHand("apart", `${structure}.${member}`) ? undefined : sameName.get(member);
  }

  // byHand looks something up in the overlay; what nobody looks up is an error in the end.
  const taken = new Set();
  function byHand(kind, name) {
    taken.add(kind + " " + name);
    return overlay[kind]?.[name];
  }

  // define adds a shape under its name, or under a further one if that means something else.
  function define(name, def) {
    const text = JSON.stringify(def);
    for (let n = name, i = 2; ; n = name + i++) {
      if (!shapes[n]) shapes[n] = def;
      else if (JSON.stringify(shapes[n]) !== text) continue;
      if (n !== name) notes.push(`${name} has a second form: ${n}`);
      return n;
    }
  }

  // scalar resolves a string, number and so on to a builtin's name or a named shape.
  function scalar(kind, named, v1name, ts, where) {
    let old = v1name && v1.shapes[v1name];
    const enumName = ts && client.enums[ts] ? ts : undefined;
    let type = kind;
    if (kind === "number") {
      type = old && numberKinds.has(old.type) ? old.type : undefined;
      type ??= byHand("numbers", where)?.is;
      if (!type) {
        notes.push(`width of ${where} unknown, taken as integer`);
        type = "integer";
      }
    }
    if (old && old.type !== type && !(old.type === "timestamp" && ["date-time", "http-date", "epoch-seconds"].includes(type))) old = undefined;
    const def = { type };
    if (enumName) {
      // v1's order is the one that AWS prints; what v1 lacks comes after, in the client's order.
      const now = client.enums[enumName], before = v1.shapes[enumName]?.enum ?? old?.enum ?? [];
      def.enum = [...before.filter((v) => now.includes(v)), ...now.filter((v) => !before.includes(v))];
    } else if (old) {
      if (old.min !== undefined) def.min = old.min;
      if (old.max !== undefined) def.max = old.max;
      if (old.pattern !== undefined) def.pattern = old.pattern;
    }
    if (named?.sensitive || old?.sensitive) def.sensitive = true;
    if (named?.streaming) def.streaming = true;
    if (Object.keys(def).length === 1) return type; // a builtin
    return define(enumName ?? (old ? v1name : named.name), def);
  }

  // resolve turns a schema of the client into the name of a shape.
  function resolve(schema, v1name, ts, where, flat, owner) {
    if (typeof schema === "function") schema = schema();
    if (typeof schema === "number") {
      if (schema >= 64 && schema < 192) {
        const map = schema >= 128;
        return collection(map ? "map" : "list", undefined, {}, map ? 0 : undefined, schema & 63, v1name, ts, where, flat);
      }
      return scalar(scalars[schema], schema === 42 ? { name: "StreamingBlob", streaming: true } : undefined, v1name, ts, where);
    }
    const [kind, , name, traits] = schema;
    const t = trait(traits);
    switch (kind) {
      case 0:
        return scalar(scalars[schema[4]] ?? fail(where), { name, sensitive: t.sensitive, streaming: schema[4] === 42 }, v1name, ts, where);
      case 1:
        return collection("list", name, t, undefined, schema[4], v1name, ts, where, flat);
      case 2:
        return collection("map", name, t, schema[4], schema[5], v1name, ts, where, flat);
      case 3: case 4: case -3:
        structure(schema);
        return name;
    }
    fail(where);
  }

  function collection(type, name, traits, key, value, v1name, ts, where, flat) {
    let old = v1name && v1.shapes[v1name];
    if (old?.type !== type) old = undefined;
    let tsElem = ts?.replace(/^\((.*)\)\[\]$/, "$1").replace(/\[\]$/, "").replace(/ \| null$/, ""), tsKey;
    const record = ts?.match(/^(?:Partial<)?Record<(\w+), (.*?)>>?$/);
    if (record) [, tsKey, tsElem] = record;
    const def = { type };
    const [keyRef, keyTraits] = member(key), [elemRef, elemTraits] = member(value);
    if (type === "map") {
      def.key = resolve(keyRef, old?.key.shape, tsKey, where + ".key");
      if (keyTraits.xmlName) def.keyName = keyTraits.xmlName;
    }
    def.elem = resolve(elemRef, (old?.member ?? old?.value)?.shape, tsElem, where + (type === "map" ? ".value" : ".member"));
    if (elemTraits.xmlName) def.elemName = elemTraits.xmlName;
    if (flat || traits.xmlFlattened) def.flat = true;
    if (traits.sparse) def.sparse = true;
    if (old?.min !== undefined) def.min = old.min;
    if (old?.max !== undefined) def.max = old.max;
    const n = name ?? (old ? v1name : type === "map" ? `MapOf_${def.key}_${def.elem}` : `ListOf_${def.elem}`);
    return define(n, def);
  }

  function structure(schema) {
    const [kind, , name, traits, names, refs, required = 0] = schema;
    if (shapes[name]) return;
    const def = (shapes[name] = { type: kind === 4 ? "union" : "structure" });
    const t = trait(traits);
    if (t.sensitive) def.sensitive = true;
    if (t.streaming) def.streaming = true;
    const old = v1.shapes[name];
    if (kind === -3) {
      const [code, status] = t.awsQueryError ?? [];
      const server = t.error === "server";
      const hand = byHand("errors", name) ?? {};
      // The JSON protocols have no bindings: every client error is a 400, whatever its httpError.
      const bound = client.settings.protocol.startsWith("AwsJson") ? undefined : t.httpError ?? status ?? old?.error?.httpStatusCode;
      def.error = { status: hand.status ?? bound ?? (server ? 500 : 400) };
      if (code && code !== name) def.error.code = code;
      if (server) def.error.server = true;
    }
    if (old?.xmlNamespace) def.xmlNamespace = old.xmlNamespace.prefix ? `${old.xmlNamespace.prefix}=${old.xmlNamespace.uri}` : old.xmlNamespace.uri;
    def.members = names.map((m, i) => {
      const [ref, mt] = member(refs[i]);
      const where = `${name}.${m}`;
      const out = { name: m, shape: resolve(ref, v1Of(name, m, ref), client.types[name]?.[m], where, mt.xmlFlattened) };
      if (i < required) out.required = true;
      const hand = byHand("members", where);
      if (hand) {
        const was = shapes[out.shape]?.type ?? out.shape;
        if (was !== hand.is.type) throw new Error(`overlay: ${where} is ${was}, not ${hand.is.type}`);
        out.shape = define(hand.shape, { ...shapes[out.shape], ...hand.is });
      }
      if (inputs.has(name) || outputs.has(name)) {
        if (mt.httpHeader) set(out, "header", mt.httpHeader);
        if (mt.httpPrefixHeaders !== undefined) set(out, "headerPrefix", mt.httpPrefixHeaders);
        if (mt.payload || mt.httpPayload) set(out, "payload", mt.xmlName);
      }
      if (inputs.has(name)) {
        if (mt.httpQuery) set(out, "query", mt.httpQuery);
        if (mt.queryMap) set(out, "queryMap");
        if (mt.label || mt.httpLabel) set(out, "uri");
      }
      if (outputs.has(name) && (mt.status || mt.httpResponseCode)) set(out, "status");
      const wire = out.in ? undefined : mt.jsonName ?? mt.xmlName;
      if (wire && wire !== m) out.wire = wire;
      if (mt.xmlAttribute) out.attr = true;
      if (old?.members?.[m]?.xmlAttribute) { out.attr = true; out.wire = old.members[m].locationName; }
      return out;
    });
    function set(out, where, wire) {
      out.in = where;
      if (wire !== undefined && wire !== out.name) out.wire = wire;
    }
  }

  const operations = {};
  for (const [name, op] of Object.entries(client.operations).sort(byKey)) {
    const [method, path, status] = op.traits.http ?? ["POST", "/", 200];
    const out = { method, path: fixPath(service, path, op.input), input: io(op.input, name + "Request"), output: io(op.output, name + "Response") };
    if (status !== 200) out.status = status;
    if (op.unsigned) out.unsigned = true;
    if (op.errors.length) out.errors = op.errors;
    operations[name] = out;
  }
  for (const e of client.errors.sort()) structure(client.structures[e]);
  function io(schema, fallback) {
    if (!Array.isArray(schema)) return define(fallback, { type: "structure", members: [] });
    structure(schema);
    return schema[2];
  }

  for (const [kind, entries] of Object.entries(overlay)) {
    for (const name of Object.keys(entries)) {
      if (!taken.has(kind + " " + name)) throw new Error(`overlay: nothing asks for ${service.name} ${kind} ${name}`);
    }
  }

  const meta = v1.metadata, s = client.settings;
  const protocol = {
    AwsJson1_0Protocol: "json-1.0", AwsJson1_1Protocol: "json-1.1", AwsRestJsonProtocol: "rest-json",
    AwsQueryProtocol: "query", S3RestXmlProtocol: "rest-xml", AwsRestXmlProtocol: "rest-xml",
  }[s.protocol] ?? fail(s.protocol);
  const model = {
    name: service.name, package: service.package, id: s.id, endpoint: meta.endpointPrefix,
    signingName: s.signingName ?? meta.signingName ?? meta.endpointPrefix, apiVersion: s.apiVersion, protocol,
    validationCode: service.validationCode, malformedCode: service.malformedCode ?? "SerializationException",
    elementNull: service.elementNull,
  };
  if (protocol.startsWith("json")) model.targetPrefix = s.target;
  if (protocol === "query" || protocol === "rest-xml") model.xmlNamespace = s.xmlNamespace;
  model.operations = operations;
  model.shapes = Object.fromEntries(Object.entries(shapes).sort(byKey));
  return { model, notes: [...new Set(notes)] };
}

function byKey([a], [b]) { return a < b ? -1 : a > b ? 1 : 0; }
function fail(what) { throw new Error("not understood: " + what); }

// member splits a reference with traits.
function member(ref) {
  if (Array.isArray(ref) && ref.length === 2) return [ref[0], trait(ref[1])];
  return [ref, {}];
}

function trait(t) {
  if (!t) return {};
  if (typeof t === "number") return Object.fromEntries(Object.entries(bits).map(([k, b]) => [k, (t & b) !== 0]));
  return t;
}

// S3's host names carry the bucket in the newer models; put it back into the path, and leave out
// x-id, which only names the operation.
function fixPath(service, path, input) {
  if (service.name !== "s3") return path;
  path = path.replace(/([?&])x-id=\w+&?/, "$1").replace(/[?&]$/, "");
  const names = Array.isArray(input) ? input[4] : [];
  if (names.includes("Bucket") && !path.includes("{Bucket}")) path = "/{Bucket}" + (path === "/" ? "" : path.replace(/^\/\?/, "?"));
  return path;
}

// membersByName tells for each member name of v1 the shape that nine in ten of its members have, two
// at least. Shapes of the same constraints count as one.
function membersByName(v1) {
  const uses = new Map();
  for (const s of Object.values(v1.shapes)) {
    for (const [name, m] of Object.entries(s.members ?? {})) uses.set(name, [...(uses.get(name) ?? []), m.shape]);
  }
  const alike = (n) => {
    const { type, min, max, pattern, enum: values, member, key, value } = v1.shapes[n];
    return type === "structure" ? n : JSON.stringify({ type, min, max, pattern, values, member, key, value });
  };
  const out = new Map();
  for (const [name, shapes] of uses) {
    for (const n of new Set(shapes)) {
      const same = shapes.filter((o) => alike(o) === alike(n)).length;
      if (same > 1 && same >= 0.9 * shapes.length && !out.has(name)) out.set(name, n);
    }
  }
  return out;
}
