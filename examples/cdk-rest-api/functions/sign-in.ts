import { CognitoIdentityProviderClient, InitiateAuthCommand } from '@aws-sdk/client-cognito-identity-provider';
import { type Answer, type Event, isAnswer, read } from './http';

const cognito = new CognitoIdentityProviderClient({});

export async function handler(event: Event): Promise<Answer> {
  const who = read(event, 'email', 'password');
  if (isAnswer(who)) return who;
  const { AuthenticationResult } = await cognito.send(
    new InitiateAuthCommand({
      ClientId: process.env.CLIENT_ID,
      AuthFlow: 'USER_PASSWORD_AUTH',
      AuthParameters: { USERNAME: who.email, PASSWORD: who.password },
    }),
  );
  return AuthenticationResult?.IdToken ? { statusCode: 200, body: AuthenticationResult.IdToken } : { statusCode: 401, body: 'Not signed in' };
}
