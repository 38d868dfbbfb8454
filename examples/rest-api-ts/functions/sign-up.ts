import { CognitoIdentityProviderClient, SignUpCommand } from "@aws-sdk/client-cognito-identity-provider";
import { answer, fields, type Event, type Response } from "./api";

const cognito = new CognitoIdentityProviderClient({});

export async function handler(event: Event): Promise<Response> {
  const input = fields(event, "username", "password", "email");
  if (!input) return { statusCode: 400, body: "Missing username, email or password" };
  return answer(async () => {
    await cognito.send(
      new SignUpCommand({
        ClientId: process.env.USER_POOL_CLIENT_ID,
        Username: input.username,
        Password: input.password,
        UserAttributes: [{ Name: "email", Value: input.email }],
      }),
    );
    return { statusCode: 200, body: "User created" };
  });
}
