import type { Response } from "./api";

export async function handler(): Promise<Response> {
  return { statusCode: 200, body: "This is very secret." };
}
