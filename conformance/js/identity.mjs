// From a sign-in to credentials of a role, through the AWS SDK for JavaScript: user pool, identity pool, STS.
import assert from "node:assert/strict";
import test from "node:test";
import { AdminCreateUserCommand, AdminSetUserPasswordCommand, InitiateAuthCommand } from "@aws-sdk/client-cognito-identity-provider";
import * as ci from "@aws-sdk/client-cognito-identity";
import { STSClient, GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { client, conf, makePool } from "./common.mjs";

const settings = { endpoint: conf.endpoint, region: conf.region, maxAttempts: 1 };
const admin = new ci.CognitoIdentityClient({ ...settings, credentials: { accessKeyId: conf.keyId, secretAccessKey: conf.secret } });
const pools = new ci.CognitoIdentityClient(settings); // without credentials, as a page

async function refused(type, message, command) {
  await assert.rejects(pools.send(command), (err) => {
    assert.ok(err instanceof type, `${err.name}: ${err.message} is no ${type.name}`);
    assert.equal(err.message, message);
    assert.equal(err.$metadata.httpStatusCode, 400);
    return true;
  });
}

async function caller(c) {
  assert.ok(c.Expiration instanceof Date && Math.abs(c.Expiration - Date.now() - 3_600_000) < 60_000);
  const sts = new STSClient({ ...settings, credentials: { accessKeyId: c.AccessKeyId, secretAccessKey: c.SecretKey, sessionToken: c.SessionToken } });
  return (await sts.send(new GetCallerIdentityCommand({}))).Arn;
}

test("guest, then user, then the same user again", async () => {
  const { poolId: UserPoolId, clientId: ClientId } = await makePool();
  const Username = "jane@example.com";
  await client.send(new AdminCreateUserCommand({ UserPoolId, Username, MessageAction: "SUPPRESS" }));
  await client.send(new AdminSetUserPasswordCommand({ UserPoolId, Username, Password: "Passw0rd!", Permanent: true }));
  const signIn = async () =>
    (await client.send(new InitiateAuthCommand({ ClientId, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: Username, PASSWORD: "Passw0rd!" } }))).AuthenticationResult;
  const ProviderName = `cognito-idp.${conf.region}.amazonaws.com/${UserPoolId}`;
  const { IdentityPoolId } = await admin.send(
    new ci.CreateIdentityPoolCommand({ IdentityPoolName: "js", AllowUnauthenticatedIdentities: true, CognitoIdentityProviders: [{ ProviderName, ClientId }] }),
  );
  await admin.send(new ci.SetIdentityPoolRolesCommand({ IdentityPoolId, Roles: conf.roles }));

  const { IdentityId } = await pools.send(new ci.GetIdCommand({ IdentityPoolId }));
  const guest = await pools.send(new ci.GetCredentialsForIdentityCommand({ IdentityId }));
  assert.match(await caller(guest.Credentials), /:assumed-role\/js-unauthenticated\/CognitoIdentityCredentials$/);

  const tokens = await signIn();
  const Logins = { [ProviderName]: tokens.IdToken };
  const user = await pools.send(new ci.GetCredentialsForIdentityCommand({ IdentityId, Logins }));
  assert.equal(user.IdentityId, IdentityId);
  assert.match(await caller(user.Credentials), /:assumed-role\/js-authenticated\/CognitoIdentityCredentials$/);
  const again = await pools.send(new ci.GetIdCommand({ IdentityPoolId, Logins: { [ProviderName]: (await signIn()).IdToken } }));
  assert.equal(again.IdentityId, IdentityId);

  await refused(ci.NotAuthorizedException, `Access to Identity '${IdentityId}' is forbidden.`, new ci.GetCredentialsForIdentityCommand({ IdentityId }));
  await refused(
    ci.NotAuthorizedException,
    "Invalid login token. Missing a required claim: aud",
    new ci.GetIdCommand({ IdentityPoolId, Logins: { [ProviderName]: tokens.AccessToken } }),
  );
  await refused(
    ci.ResourceNotFoundException,
    `Identity '${conf.region}:00000000-0000-4000-8000-000000000000' not found.`,
    new ci.GetCredentialsForIdentityCommand({ IdentityId: `${conf.region}:00000000-0000-4000-8000-000000000000` }),
  );
});
