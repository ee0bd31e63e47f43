/** Requests to a socket, as small as tests need them. */

import { type IncomingMessage, type RequestOptions, request } from 'node:http';

/** An answer, read to its end. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  /** What the text is as JSON; undefined where it is none. */
  readonly json: unknown;
}

/** Sends a request to a socket, and reads the answer. A body that is no text is sent as JSON. */
export async function ask(
  socketPath: string,
  method: string,
  path: string,
  body?: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<HttpAnswer> {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  const type = text === undefined ? {} : { 'content-type': 'application/json' };
  const response = await begin({ socketPath, method, path, headers: { ...type, ...headers } }, text);
  const read = Buffer.concat(await response.toArray()).toString();
  return { status: response.statusCode ?? 0, headers: response.headers, text: read, json: parsed(read) };
}

/** Sends a request, and gives the answer as it begins. */
export function begin(options: RequestOptions, body?: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const outgoing = request({ ...options, agent: false }, resolve);
    outgoing.once('error', reject);
    outgoing.end(body);
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
