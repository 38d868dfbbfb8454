import type { Answer, Event } from './http';

export async function handler(event: Event): Promise<Answer> {
  return { statusCode: 200, body: `The notes of ${event.requestContext.authorizer?.claims.email}` };
}
