import { CognitoIdentityProviderClient, ConfirmSignUpCommand } from '@aws-sdk/client-cognito-identity-provider';
import { type Answer, type Event, isAnswer, read } from './http';

const cognito = new CognitoIdentityProviderClient({});

export async function handler(event: Event): Promise<Answer> {
  const who = read(event, 'email', 'code');
  if (isAnswer(who)) return who;
  await cognito.send(new ConfirmSignUpCommand({ ClientId: process.env.CLIENT_ID, Username: who.email, ConfirmationCode: who.code }));
  return { statusCode: 200, body: 'User confirmed' };
}
