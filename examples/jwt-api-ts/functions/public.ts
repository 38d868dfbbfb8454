import type { Response } from "./event";

export async function handler(): Promise<Response> {
  return {
    statusCode: 200,
    body: "Hello stranger!",
  };
}
