// The core of user pools through the AWS SDK for JavaScript, with the errors that it has classes for.
import assert from "node:assert/strict";
import test from "node:test";
import * as cip from "@aws-sdk/client-cognito-identity-provider";
import { client, makePool, lastCode, otherCode, claims } from "./common.mjs";

const password = "Passw0rd!";

// refused expects an error of the SDK's own class.
async function refused(type, message, command) {
  await assert.rejects(client.send(command), (err) => {
    assert.ok(err instanceof type, `${err.name}: ${err.message} is no ${type.name}`);
    assert.ok(err instanceof cip.CognitoIdentityProviderServiceException);
    assert.equal(err.name, type.name);
    if (message) assert.equal(err.message, message);
    assert.equal(err.$fault, "client");
    assert.equal(err.$metadata.httpStatusCode, 400);
    assert.match(err.$metadata.requestId, /^[0-9a-f-]{36}$/);
    return true;
  });
}

test("sign-up, codes, sign-in, refresh, sign-out", async () => {
  const { poolId: UserPoolId, clientId: ClientId } = await makePool();
  const Username = "jane@example.com";
  const signIn = (PASSWORD) =>
    new cip.InitiateAuthCommand({ ClientId, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: Username, PASSWORD } });

  await refused(cip.InvalidPasswordException, "Password did not conform with policy: Password not long enough", new cip.SignUpCommand({ ClientId, Username, Password: "Sh0rt!" }));
  await refused(cip.InvalidParameterException, "Username should be an email.", new cip.SignUpCommand({ ClientId, Username: "jane", Password: password }));
  await refused(cip.ResourceNotFoundException, "User pool client abcdefghijklmnopqrstuvwxyz does not exist.", new cip.SignUpCommand({ ClientId: "abcdefghijklmnopqrstuvwxyz", Username, Password: password }));
  const up = await client.send(new cip.SignUpCommand({ ClientId, Username, Password: password }));
  assert.equal(up.UserConfirmed, false);
  assert.deepEqual({ ...up.CodeDeliveryDetails }, { AttributeName: "email", DeliveryMedium: "EMAIL", Destination: "j***@e***" });
  await refused(cip.UsernameExistsException, undefined, new cip.SignUpCommand({ ClientId, Username, Password: password }));
  await refused(cip.UserNotConfirmedException, "User is not confirmed.", signIn(password));

  const code = await lastCode(Username);
  await refused(cip.CodeMismatchException, "Invalid verification code provided, please try again.", new cip.ConfirmSignUpCommand({ ClientId, Username, ConfirmationCode: otherCode(code) }));
  await client.send(new cip.ConfirmSignUpCommand({ ClientId, Username, ConfirmationCode: code }));
  await refused(cip.NotAuthorizedException, "Incorrect username or password.", signIn("Passw0rd?"));

  const { AuthenticationResult: r, ChallengeName, ChallengeParameters } = await client.send(signIn(password));
  assert.equal(ChallengeName, undefined);
  assert.deepEqual({ ...ChallengeParameters }, {});
  assert.equal(r.ExpiresIn, 3600);
  assert.equal(r.TokenType, "Bearer");
  assert.equal(claims(r.IdToken).sub, up.UserSub);
  assert.equal(claims(r.IdToken).email_verified, true);
  assert.equal(claims(r.AccessToken).client_id, ClientId);

  const me = await client.send(new cip.GetUserCommand({ AccessToken: r.AccessToken }));
  assert.equal(me.Username, up.UserSub);
  const refreshed = await client.send(new cip.InitiateAuthCommand({ ClientId, AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: { REFRESH_TOKEN: r.RefreshToken } }));
  assert.equal(claims(refreshed.AuthenticationResult.AccessToken).origin_jti, claims(r.AccessToken).origin_jti);
  await refused(cip.NotAuthorizedException, "Invalid Refresh Token", new cip.InitiateAuthCommand({ ClientId, AuthFlow: "REFRESH_TOKEN_AUTH", AuthParameters: { REFRESH_TOKEN: r.AccessToken } }));
  await client.send(new cip.GlobalSignOutCommand({ AccessToken: r.AccessToken }));
  await refused(cip.NotAuthorizedException, "Access Token has been revoked", new cip.GetUserCommand({ AccessToken: r.AccessToken }));

  await refused(cip.UserNotFoundException, "User does not exist.", new cip.AdminGetUserCommand({ UserPoolId, Username: "nobody@example.com" }));
  await client.send(new cip.AdminDeleteUserCommand({ UserPoolId, Username }));
  await client.send(new cip.DeleteUserPoolCommand({ UserPoolId }));
  await refused(cip.ResourceNotFoundException, `User pool ${UserPoolId} does not exist.`, new cip.DescribeUserPoolCommand({ UserPoolId }));
});

test("admin-created users and pages of users", async () => {
  const { poolId: UserPoolId, clientId: ClientId } = await makePool();
  for (let i = 0; i < 5; i++) {
    await client.send(new cip.AdminCreateUserCommand({ UserPoolId, Username: `user${i}@example.com`, MessageAction: "SUPPRESS", TemporaryPassword: "Temp0rary!" }));
  }
  const found = [];
  for await (const page of cip.paginateListUsers({ client, pageSize: 2 }, { UserPoolId })) {
    assert.ok(page.Users.length <= 2);
    for (const u of page.Users) {
      assert.equal(u.UserStatus, "FORCE_CHANGE_PASSWORD");
      assert.ok(u.UserCreateDate instanceof Date && Math.abs(u.UserCreateDate - Date.now()) < 60_000);
      found.push(u.Attributes.find((a) => a.Name === "email").Value);
    }
  }
  assert.deepEqual(found.sort(), [0, 1, 2, 3, 4].map((i) => `user${i}@example.com`));

  const challenge = await client.send(
    new cip.InitiateAuthCommand({ ClientId, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: "user0@example.com", PASSWORD: "Temp0rary!" } }),
  );
  assert.equal(challenge.ChallengeName, "NEW_PASSWORD_REQUIRED");
  const done = await client.send(
    new cip.RespondToAuthChallengeCommand({ ClientId, ChallengeName: "NEW_PASSWORD_REQUIRED", Session: challenge.Session, ChallengeResponses: { USERNAME: "user0@example.com", NEW_PASSWORD: password } }),
  );
  assert.ok(done.AuthenticationResult.IdToken);
});
