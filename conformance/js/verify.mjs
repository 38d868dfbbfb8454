// aws-jwt-verify checks tokens of a pool, unmodified but for where it fetches the keys.
import assert from "node:assert/strict";
import test from "node:test";
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { SimpleJwksCache } from "aws-jwt-verify/jwk";
import { conf } from "./common.mjs";

const { poolId, clientId, idToken, accessToken } = conf;

// The library only fetches over HTTPS, from AWS's host, and that name does not lead here.
class Here {
  asked = [];
  async fetch(uri) {
    this.asked.push(uri);
    const { pathname } = new URL(uri);
    return (await fetch(conf.endpoint + pathname)).arrayBuffer();
  }
}

function verifier(props) {
  const fetcher = new Here();
  return { fetcher, v: CognitoJwtVerifier.create({ userPoolId: poolId, ...props }, { jwksCache: new SimpleJwksCache({ fetcher }) }) };
}

test("ID and access tokens of the pool", async () => {
  for (const [tokenUse, token] of [["id", idToken], ["access", accessToken]]) {
    const { v, fetcher } = verifier({ tokenUse, clientId });
    const payload = await v.verify(token);
    assert.equal(payload.token_use, tokenUse);
    assert.deepEqual(fetcher.asked, [`https://cognito-idp.us-east-1.amazonaws.com/${poolId}/.well-known/jwks.json`]);
  }
});

test("what does not fit", async () => {
  await assert.rejects(verifier({ tokenUse: "id", clientId }).v.verify(accessToken), /Token use not allowed/);
  await assert.rejects(verifier({ tokenUse: "id", clientId: "other" }).v.verify(idToken), /audience/i);
  const [head, body, signature] = idToken.split(".");
  const changed = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, "base64url")), email: "other@example.com" })).toString("base64url");
  await assert.rejects(verifier({ tokenUse: "id", clientId }).v.verify([head, changed, signature].join(".")), /Invalid signature/);
});
