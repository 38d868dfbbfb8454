// What an HTTP API sends to a function (payload format 2.0), as far as these functions read it. The
// package @types/aws-lambda has all of it.
export interface Event {
  requestContext: {
    authorizer?: { jwt: { claims: Record<string, string>; scopes: string[] | null } };
  };
}

export interface Response {
  statusCode: number;
  headers?: Record<string, string>;
  body: string;
}
