// Sync writes models/SERVICE.json, the one normal form of AWS's public API models that the generator
// reads, from ordinary packages:
//
//   - npm @aws-sdk/client-*: operations, shapes, bindings, errors, enums. The newest, without constraints.
//   - github.com/aws/aws-sdk-go v1 (models/apis/*/*/api-2.json): the constraints (length, range,
//     pattern), the widths of numbers, AWS's order of enum values. Frozen in 2024.
//   - models/overlay.json, by hand: what neither knows, each line with the page that says so.
//
// Constraints go to a member by (structure, member); where v1 lacks the pair, by the member's name if
// nine in ten of the service's members of that name (two at least) agree on them.
//
//	node tools/sync/sync.mjs [SERVICE ...]
//
// It needs npm and go for the downloads, works in a temporary directory and writes models/*.json
// and models/SOURCES.md. Versions are pinned in sources.json beside this file.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { clientModel } from "./client.mjs";
import { merge } from "./merge.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const models = join(here, "..", "..", "models");
const sources = JSON.parse(readFileSync(join(here, "sources.json"), "utf8"));
const overlay = JSON.parse(readFileSync(join(models, "overlay.json"), "utf8"));
const only = new Set(process.argv.slice(2));

const work = mkdtempSync(join(tmpdir(), "gatehouse-sync-"));
try {
  const goModule = `${sources.constraints.module}@${sources.constraints.version}`;
  const v1dir = JSON.parse(execFileSync("go", ["mod", "download", "-json", goModule], { cwd: work, encoding: "utf8" })).Dir;
  const rows = [];
  for (const s of sources.services) {
    rows.push(`| ${s.name} | \`${s.npm}\` ${s.version} | \`models/apis/${s.v1}/api-2.json\` |`);
    if (only.size && !only.has(s.name)) continue;
    const client = await clientModel(unpack(`${s.npm}@${s.version}`), s);
    const v1 = JSON.parse(readFileSync(join(v1dir, "models/apis", s.v1, "api-2.json"), "utf8"));
    const { model, notes } = merge(s, client, v1, overlay[s.name] ?? {});
    writeFileSync(join(models, s.name + ".json"), JSON.stringify(model, null, 1) + "\n");
    console.log(`${s.name}: ${Object.keys(model.operations).length} operations, ${Object.keys(model.shapes).length} shapes`);
    for (const n of notes) console.log("  " + n);
  }
  writeFileSync(join(models, "SOURCES.md"), `# Where the models come from

Written by tools/sync. Shapes, operations, errors and enums are those of the npm packages, constraints
those of \`${goModule}\` (both Apache-2.0, Copyright Amazon.com, Inc. or its affiliates), then
\`overlay.json\`, written by hand. No documentation text is taken over.

| model | shapes | constraints |
|---|---|---|
${rows.join("\n")}
`);
} finally {
  rmSync(work, { recursive: true });
}

// unpack fetches an npm package and returns its directory.
function unpack(spec) {
  const tgz = execFileSync("npm", ["pack", "--silent", spec], { cwd: work, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim().split("\n").pop();
  const dir = join(work, tgz.replace(/\.tgz$/, ""));
  execFileSync("mkdir", [dir]);
  execFileSync("tar", ["xzf", tgz, "-C", dir, "--strip", "1"], { cwd: work });
  return dir;
}
