// What web pages do with amazon-cognito-identity-js: sign up, sign in with SRP, and the rest of a session.
import assert from "node:assert/strict";
import test from "node:test";
import cognito from "amazon-cognito-identity-js";
import { AdminCreateUserCommand } from "@aws-sdk/client-cognito-identity-provider";
import { client, conf, makePool, lastCode, otherCode, claims } from "./common.mjs";

const { CognitoUserPool, CognitoUser, AuthenticationDetails, CognitoUserAttribute, CognitoRefreshToken } = cognito;
const password = "Passw0rd!";

class Memory {
  #m = new Map();
  setItem(k, v) { this.#m.set(k, v); return v; }
  getItem(k) { return this.#m.has(k) ? this.#m.get(k) : null; }
  removeItem(k) { return this.#m.delete(k); }
  clear() { this.#m.clear(); }
}

async function newPool(poolSettings) {
  const ids = await makePool(poolSettings);
  const storage = new Memory();
  const pool = new CognitoUserPool({ UserPoolId: ids.poolId, ClientId: ids.clientId, endpoint: conf.endpoint, Storage: storage });
  return { ...ids, pool, user: (name) => new CognitoUser({ Username: name, Pool: pool, Storage: storage }) };
}

// call turns a function that takes a callback as its last argument into a promise.
const call = (f) => new Promise((resolve, reject) => f((err, result) => (err ? reject(err) : resolve(result))));

// authenticate signs in with SRP and answers with what happened.
function authenticate(user, name, secret) {
  return new Promise((resolve, reject) => {
    user.authenticateUser(new AuthenticationDetails({ Username: name, Password: secret }), {
      onSuccess: (session) => resolve({ session }),
      onFailure: reject,
      newPasswordRequired: (attributes, required) => resolve({ attributes, required }),
    });
  });
}

const refused = (promise, name, message) =>
  assert.rejects(promise, (err) => {
    assert.equal(err.name ?? err.code, name, err.message);
    if (message) assert.equal(err.message, message);
    return true;
  });

async function signedUp(p, name) {
  const up = await call((cb) => p.pool.signUp(name, password, [new CognitoUserAttribute({ Name: "name", Value: "Jane" })], [], cb));
  assert.equal(up.userConfirmed, false);
  assert.equal(up.codeDeliveryDetails.Destination, "j***@e***");
  const user = p.user(name);
  await refused(authenticate(user, name, password), "UserNotConfirmedException", "User is not confirmed.");
  await call((cb) => user.resendConfirmationCode(cb));
  const code = await lastCode(name);
  await refused(call((cb) => user.confirmRegistration(otherCode(code), false, cb)), "CodeMismatchException");
  assert.equal(await call((cb) => user.confirmRegistration(code, false, cb)), "SUCCESS");
  return { user, sub: up.userSub };
}

test("sign-up, SRP, session", async () => {
  const p = await newPool();
  const name = "jane@example.com";
  const { user, sub } = await signedUp(p, name);
  await refused(authenticate(user, name, "Passw0rd?"), "NotAuthorizedException", "Incorrect username or password.");
  await refused(authenticate(p.user("nobody@example.com"), "nobody@example.com", password), "UserNotFoundException", "User does not exist.");

  const { session } = await authenticate(user, name, password);
  assert.ok(session.isValid());
  assert.equal(session.getIdToken().payload.sub, sub);
  assert.equal(session.getIdToken().payload.email, name);
  assert.equal(session.getAccessToken().payload.client_id, p.clientId);
  assert.equal(user.getUsername(), sub); // the library takes over the name that the pool has for the user

  const attributes = Object.fromEntries((await call((cb) => user.getUserAttributes(cb))).map((a) => [a.getName(), a.getValue()]));
  assert.deepEqual(attributes, { sub, name: "Jane", email: name, email_verified: "true" });
  await call((cb) => user.updateAttributes([new CognitoUserAttribute({ Name: "name", Value: "Joan" })], cb));
  await call((cb) => user.deleteAttributes(["name"], cb));
  const data = await call((cb) => user.getUserData(cb, { bypassCache: true }));
  assert.deepEqual(data.UserAttributes.map((a) => a.Name).sort(), ["email", "email_verified", "sub"]);

  const refreshed = await call((cb) => user.refreshSession(new CognitoRefreshToken({ RefreshToken: session.getRefreshToken().getToken() }), cb));
  assert.ok(refreshed.isValid());
  assert.notEqual(refreshed.getAccessToken().getJwtToken(), session.getAccessToken().getJwtToken());
  assert.equal(claims(refreshed.getIdToken().getJwtToken()).sub, sub);

  await refused(call((cb) => user.changePassword("Passw0rd?", "N3w-Passw0rd", cb)), "NotAuthorizedException");
  await refused(call((cb) => user.changePassword(password, "weakweak", cb)), "InvalidPasswordException");
  assert.equal(await call((cb) => user.changePassword(password, "N3w-Passw0rd", cb)), "SUCCESS");
  await refused(authenticate(p.user(name), name, password), "NotAuthorizedException");

  const again = p.user(name);
  const second = await authenticate(again, name, "N3w-Passw0rd");
  await new Promise((onSuccess, onFailure) => again.globalSignOut({ onSuccess, onFailure }));
  const stale = p.user(name);
  stale.setSignInUserSession(second.session);
  await refused(call((cb) => stale.getUserAttributes(cb)), "NotAuthorizedException", "Access Token has been revoked");
});

test("a forgotten password", async () => {
  const p = await newPool();
  const name = "jane@example.com";
  const { user } = await signedUp(p, name);
  const delivery = await new Promise((resolve, reject) => user.forgotPassword({ onSuccess: resolve, onFailure: reject, inputVerificationCode: resolve }));
  assert.equal(delivery.CodeDeliveryDetails.Destination, "j***@e***");
  const code = await lastCode(name);
  const confirm = (c, secret) => new Promise((onSuccess, onFailure) => user.confirmPassword(c, secret, { onSuccess, onFailure }));
  await refused(confirm(otherCode(code), "An0ther-0ne"), "CodeMismatchException");
  await refused(confirm(code, "weakweak"), "InvalidPasswordException");
  await confirm(code, "An0ther-0ne");
  await refused(confirm(code, "Y3t-Another"), "ExpiredCodeException");
  await refused(authenticate(user, name, password), "NotAuthorizedException");
  assert.ok((await authenticate(user, name, "An0ther-0ne")).session.isValid());
});

test("an invited user chooses a password", async () => {
  const p = await newPool({ Schema: [{ Name: "given_name", Required: true, Mutable: true }] });
  const name = "jim@example.com";
  await client.send(new AdminCreateUserCommand({ UserPoolId: p.poolId, Username: name, UserAttributes: [{ Name: "email_verified", Value: "true" }] }));
  const user = p.user(name);
  const { session, attributes, required } = await authenticate(user, name, await lastCode(name));
  assert.equal(session, undefined);
  assert.equal(attributes.email, name);
  assert.deepEqual(required, ["given_name"]);
  const complete = (secret, given) => new Promise((onSuccess, onFailure) => user.completeNewPasswordChallenge(secret, given, { onSuccess, onFailure }));
  await refused(complete("weakweak", { given_name: "Jim" }), "InvalidPasswordException");
  const done = await complete(password, { given_name: "Jim" });
  assert.equal(done.getIdToken().payload.given_name, "Jim");
  assert.ok((await authenticate(p.user(name), name, password)).session.isValid());
});

// Names, passwords and keys of many lengths: SRP pads numbers by their first byte, so one try proves little.
test("SRP with many users", async () => {
  const p = await newPool({ UsernameAttributes: undefined, AutoVerifiedAttributes: [] });
  for (let i = 0; i < 8; i++) {
    const name = `user-${"ü".repeat(i)}${i}`;
    const secret = `Pä$$w0rd${"x".repeat(i * 7)}`;
    await client.send(new AdminCreateUserCommand({ UserPoolId: p.poolId, Username: name, TemporaryPassword: secret, MessageAction: "SUPPRESS" }));
    const answer = await authenticate(p.user(name), name, secret);
    assert.deepEqual(answer.required, []);
    await refused(authenticate(p.user(name), name, secret + "!"), "NotAuthorizedException");
  }
});
