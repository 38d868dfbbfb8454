import { CognitoIdentityProviderClient, InitiateAuthCommand } from "@aws-sdk/client-cognito-identity-provider";
import { answer, fields, type Event, type Response } from "./api";

const cognito = new CognitoIdentityProviderClient({});

// The answer is an ID token, which opens /secret.
export async function handler(event: Event): Promise<Response> {
  const input = fields(event, "username", "password");
  if (!input) return { statusCode: 400, body: "Missing username or password" };
  return answer(async () => {
    const { AuthenticationResult } = await cognito.send(
      new InitiateAuthCommand({
        AuthFlow: "USER_PASSWORD_AUTH",
        ClientId: process.env.USER_POOL_CLIENT_ID,
        AuthParameters: { USERNAME: input.username, PASSWORD: input.password },
      }),
    );
    const token = AuthenticationResult?.IdToken;
    return token ? { statusCode: 200, body: token } : { statusCode: 401, body: "Authentication failed" };
  });
}
