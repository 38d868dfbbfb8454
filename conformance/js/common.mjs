// What the scripts share: where the server is, a pool to work with, the messages that were sent.
import { CognitoIdentityProviderClient, CreateUserPoolCommand, CreateUserPoolClientCommand } from "@aws-sdk/client-cognito-identity-provider";

export const conf = JSON.parse(process.env.GATEHOUSE_CONFORMANCE);

export const client = new CognitoIdentityProviderClient({
  endpoint: conf.endpoint,
  region: conf.region,
  credentials: { accessKeyId: conf.keyId, secretAccessKey: conf.secret },
  maxAttempts: 1,
});

// makePool makes a pool in which users sign in by e-mail address, and a client without a secret.
export async function makePool(poolSettings = {}, clientSettings = {}) {
  const { UserPool } = await client.send(
    new CreateUserPoolCommand({ PoolName: "js", UsernameAttributes: ["email"], AutoVerifiedAttributes: ["email"], ...poolSettings }),
  );
  const { UserPoolClient } = await client.send(
    new CreateUserPoolClientCommand({
      UserPoolId: UserPool.Id,
      ClientName: "js",
      ExplicitAuthFlows: ["ALLOW_USER_SRP_AUTH", "ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
      ...clientSettings,
    }),
  );
  return { poolId: UserPool.Id, clientId: UserPoolClient.ClientId };
}

// lastCode returns the code or password in the newest message to an address.
export async function lastCode(to) {
  const answer = await fetch(`${conf.endpoint}/_gatehouse/messages?to=${encodeURIComponent(to)}`);
  if (!answer.ok) throw new Error(`messages: ${answer.status} ${await answer.text()}`);
  const [newest] = await answer.json();
  if (!newest) throw new Error(`nothing was sent to ${to}`);
  return newest.code;
}

// otherCode returns a code that is not the given one.
export const otherCode = (code) => (code === "000000" ? "111111" : "000000");

export function claims(jwt) {
  return JSON.parse(Buffer.from(jwt.split(".")[1], "base64url").toString());
}
