import { CognitoIdentityProviderClient, SignUpCommand } from '@aws-sdk/client-cognito-identity-provider';
import { type Answer, type Event, isAnswer, read } from './http';

const cognito = new CognitoIdentityProviderClient({});

export async function handler(event: Event): Promise<Answer> {
  const who = read(event, 'email', 'password');
  if (isAnswer(who)) return who;
  await cognito.send(new SignUpCommand({ ClientId: process.env.CLIENT_ID, Username: who.email, Password: who.password }));
  return { statusCode: 200, body: 'User created' };
}
