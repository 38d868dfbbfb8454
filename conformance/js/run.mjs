// Clients of AWS that were told nothing: no endpoint, no keys, no certificates. They run under
// `gatehouse run`, and all that they do must reach the server.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { Worker } from "node:worker_threads";
import https from "node:https";
import http2 from "node:http2";
import test from "node:test";
import { CognitoJwtVerifier } from "aws-jwt-verify";

const require = createRequire(import.meta.url);
const { pool, client, idToken, api } = JSON.parse(process.env.GATEHOUSE_CONFORMANCE);
const named = (r) => r.UserPools.map((p) => p.Name);

test("the SDK v2", async () => {
  const AWS = require("aws-sdk");
  const who = await new AWS.STS().getCallerIdentity().promise();
  assert.equal(who.Arn, "arn:aws:iam::000000000000:root");
  assert.deepEqual(named(await new AWS.CognitoIdentityServiceProvider().listUserPools({ MaxResults: 5 }).promise()), ["surroundings"]);
  const s3 = new AWS.S3({ signatureVersion: "v4" }); // BUCKET.s3.amazonaws.com
  await s3.createBucket({ Bucket: "from-v2" }).promise();
  await s3.upload({ Bucket: "from-v2", Key: "a/b c", Body: Buffer.alloc(6 << 20, "x") }).promise(); // in parts
  assert.equal((await s3.getObject({ Bucket: "from-v2", Key: "a/b c" }).promise()).Body.length, 6 << 20);
  const url = s3.getSignedUrl("getObject", { Bucket: "from-v2", Key: "a/b c" });
  assert.match(url, /^https:\/\/from-v2\.s3\.amazonaws\.com\//);
  assert.equal((await (await fetch(url)).arrayBuffer()).byteLength, 6 << 20);
  await s3.deleteObject({ Bucket: "from-v2", Key: "a/b c" }).promise();
  await s3.deleteBucket({ Bucket: "from-v2" }).promise();
});

for (const name of ["@aws-sdk/client-cognito-identity-provider", "sdk-3.43", "sdk-3.363"]) {
  test(`the SDK v3, ${name}`, async () => {
    const { CognitoIdentityProviderClient, ListUserPoolsCommand } = require(name);
    assert.deepEqual(named(await new CognitoIdentityProviderClient({}).send(new ListUserPoolsCommand({ MaxResults: 5 }))), ["surroundings"]);
  });
}

test("aws-jwt-verify fetches the pool's keys from AWS's own address", async () => {
  const verifier = CognitoJwtVerifier.create({ userPoolId: pool, clientId: client, tokenUse: "id" });
  assert.equal((await verifier.verify(idToken)).token_use, "id");
  await assert.rejects(verifier.verify(idToken.slice(0, -4) + "AAAA"), /Invalid signature/);
});

const host = `${api}.execute-api.us-east-1.amazonaws.com`;

test("an API by its own name", async (t) => {
  await t.test("fetch", async () => assert.equal(await (await fetch(`https://${host}/fetch`)).text(), `${host} /fetch`));
  await t.test("https", async () => {
    const body = await new Promise((done, fail) => https.get(`https://${host}/https`, (r) => r.on("data", (d) => done(String(d)))).on("error", fail));
    assert.equal(body, `${host} /https`);
  });
  await t.test("a worker", async () => {
    const worker = new Worker(`fetch("https://${host}/worker").then((r) => r.text()).then((x) => require("worker_threads").parentPort.postMessage(x))`, { eval: true });
    assert.equal(await new Promise((done, fail) => worker.on("message", done).on("error", fail)), `${host} /worker`);
  });
  await t.test("HTTP/2", async () => {
    const session = http2.connect(`https://${host}`);
    const stream = session.request({ ":path": "/h2" });
    let body = "";
    for await (const d of stream) body += d;
    session.close();
    assert.equal(body, `${host} /h2`);
  });
  await t.test("the name is checked against the certificate", async () => {
    await assert.rejects(
      new Promise((done, fail) => https.get(`https://${host}/`, { servername: "example.com" }, done).on("error", fail)),
    );
  });
});
