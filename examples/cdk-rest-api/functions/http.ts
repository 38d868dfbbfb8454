/** What the functions read of an event of a REST API, and what they answer. */
export interface Event {
  body: string | null;
  requestContext: { authorizer?: { claims: Record<string, string> } };
}

export interface Answer {
  statusCode: number;
  body: string;
}

/** read returns the texts of a JSON body, or the names of those that are missing. */
export function read<K extends string>(event: Event, ...names: K[]): Record<K, string> | Answer {
  const body = JSON.parse(event.body ?? '{}') as Partial<Record<K, unknown>>;
  const missing = names.filter((n) => typeof body[n] !== 'string');
  if (missing.length > 0) return { statusCode: 400, body: `Missing: ${missing.join(', ')}` };
  return body as Record<K, string>;
}

export function isAnswer(v: object): v is Answer {
  return 'statusCode' in v;
}
