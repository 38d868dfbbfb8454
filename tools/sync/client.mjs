// The npm half of sync: reads one unpacked @aws-sdk/client-* package.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

// clientModel returns {settings, operations, structures, enums, types}:
//   operations: name → {schema traits, input schema, output schema, errors, unsigned}
//   structures: name → schema array
//   enums:      name → values
//   types:      structure → member → its TypeScript type, which alone names enums
export async function clientModel(dir, service) {
  const source = readFileSync(join(dir, "dist-es/schemas/schemas_0.js"), "utf8");
  // The tables need nothing but themselves: leave out the imports and the registration of classes.
  const bare = source
    .replace(/^import .*?;$/gms, "")
    .replace(/^.*_registry(\.registerError\(.*\)| = new TypeRegistry\(.*\));$/gm, "")
    .replace(/^export const errorTypeRegistries = \[[^\]]*\];$/gms, "");
  const file = join(dir, "schemas.mjs");
  writeFileSync(file, bare);
  const exported = await import(pathToFileURL(file));

  const shared = readFileSync(join(dir, "dist-es/runtimeConfig.shared.js"), "utf8");
  const setting = (re) => shared.match(re)?.[1];
  const settings = {
    id: setting(/serviceId: config\?\.serviceId \?\? "(.*)"/),
    apiVersion: setting(/apiVersion: "(.*)"/),
    protocol: setting(/protocol: config\?\.protocol \?\? (\w+)/),
    target: setting(/serviceTarget: "(.*)"/),
    xmlNamespace: setting(/xmlNamespace: "(.*)"/),
    signingName: readFileSync(join(dir, "dist-es/auth/httpAuthSchemeProvider.js"), "utf8").match(/signingProperties: \{\s*name: "(.*?)"/)?.[1],
  };

  const unsigned = new Set();
  const auth = readFileSync(join(dir, "dist-es/auth/httpAuthSchemeProvider.js"), "utf8");
  for (const m of auth.matchAll(/case "(\w+)":\s*\{\s*options\.push\(createSmithyApiNoAuthHttpAuthOption/g)) unsigned.add(m[1]);

  const operations = {}, structures = {}, errors = [];
  for (const schema of Object.values(exported)) {
    if (!Array.isArray(schema)) continue;
    const [kind, namespace, name] = schema;
    if (namespace.startsWith("smithy.ts.sdk.synthetic")) continue;
    if (kind === 9) {
      const [, , , traits, input, output] = schema;
      const decl = readFileSync(join(dir, "dist-types/commands", name + "Command.d.ts"), "utf8");
      operations[name] = {
        traits: traits || {},
        input: input(),
        output: output(),
        unsigned: unsigned.has(name),
        errors: [...decl.matchAll(/@throws \{@link (\w+)\}/g)].map((m) => m[1]),
      };
    } else if (kind === 3 || kind === 4 || kind === -3) {
      structures[name] = schema;
      if (kind === -3) errors.push(name);
    }
  }
  for (const op of Object.values(operations)) op.errors = op.errors.filter((e) => structures[e]);

  const enums = {}, types = {};
  for (const f of readdirSync(join(dir, "dist-types/models"))) {
    const text = readFileSync(join(dir, "dist-types/models", f), "utf8").replace(/\/\*\*.*?\*\//gs, "");
    for (const m of text.matchAll(/^export declare const (\w+): \{(.*?)^\};/gms)) {
      enums[m[1]] = [...m[2].matchAll(/readonly \w+: "(.*)";/g)].map((v) => v[1]);
    }
    for (const m of text.matchAll(/^export (?:interface|declare class) (\w+)[^{]*\{(.*?)^\}/gms)) {
      types[m[1]] = {};
      for (const f of m[2].matchAll(/^    (?:readonly )?(\w+)\??: (.*?)( \| undefined)?;$/gm)) types[m[1]][f[1]] = f[2];
    }
  }
  return { settings, operations, structures, errors, enums, types };
}
