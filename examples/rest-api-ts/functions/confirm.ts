import { CognitoIdentityProviderClient, ConfirmSignUpCommand } from "@aws-sdk/client-cognito-identity-provider";
import { answer, fields, type Event, type Response } from "./api";

const cognito = new CognitoIdentityProviderClient({});

export async function handler(event: Event): Promise<Response> {
  const input = fields(event, "username", "code");
  if (!input) return { statusCode: 400, body: "Missing username or confirmation code" };
  return answer(async () => {
    await cognito.send(
      new ConfirmSignUpCommand({
        ClientId: process.env.USER_POOL_CLIENT_ID,
        Username: input.username,
        ConfirmationCode: input.code,
      }),
    );
    return { statusCode: 200, body: "User confirmed" };
  });
}
