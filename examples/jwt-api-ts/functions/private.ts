import type { Event, Response } from "./event";

export async function handler(_event: Event): Promise<Response> {
  return {
    statusCode: 200,
    body: "Hello user!",
  };
}
