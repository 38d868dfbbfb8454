// What a REST API sends to a function, and takes from it, as far as these functions care. The package
// @types/aws-lambda has all of it.
export interface Event {
  body: string | null;
}

export interface Response {
  statusCode: number;
  body: string;
}

// fields reads texts from a JSON body; undefined if one of them is missing.
export function fields<Name extends string>(event: Event, ...names: Name[]): Record<Name, string> | undefined {
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(event.body ?? "");
  } catch {
    return undefined;
  }
  if (!body || !names.every((name) => typeof body[name] === "string")) return undefined;
  return body as Record<Name, string>;
}

// answer turns what Cognito refuses, a wrong code or password, into the caller's fault.
export async function answer(work: () => Promise<Response>): Promise<Response> {
  try {
    return await work();
  } catch (e) {
    const { name, message, $fault } = e as Error & { $fault?: string };
    if ($fault !== "client") throw e;
    return { statusCode: 400, body: `${name}: ${message}` };
  }
}
