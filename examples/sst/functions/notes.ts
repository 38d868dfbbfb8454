interface Event {
  requestContext: { authorizer: { jwt: { claims: Record<string, string> } } };
}

export async function handler(event: Event) {
  return { statusCode: 200, body: `The notes of ${event.requestContext.authorizer.jwt.claims.email}` };
}
