interface Answer {
  statusCode: number;
  headers: Record<string, string>;
  body: string;
}

export const handler = async (): Promise<Answer> => ({
  statusCode: 200,
  headers: { "Content-Type": "text/plain", "Access-Control-Allow-Origin": "*" },
  body: `Hello stranger, this is ${process.env.STAGE}!`,
});
