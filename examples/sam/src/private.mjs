// Who asks stands in the token's claims, which the two kinds of API pass on in their own ways.
export const handler = async (event) => {
  const authorizer = event.requestContext.authorizer;
  const claims = authorizer.jwt?.claims ?? authorizer.claims;
  return {
    statusCode: 200,
    headers: { "Content-Type": "text/plain", "Access-Control-Allow-Origin": "*" },
    body: `Hello ${claims.email}!`,
  };
};
