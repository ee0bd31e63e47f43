/** The body of a request: JSON of a bounded size. */

import type { IncomingMessage } from 'node:http';
import { Refusal } from './refusal.ts';

/** Most bytes of a body: a secret or config of the largest kind in base64, and room for its labels. */
export const BODY_BYTES_MAX = 4 * 1024 * 1024;

/**
 * Reads a JSON body; undefined when there is none.
 *
 * @throws Refusal 400 for another type or for what is no JSON, 413 for one that is too large.
 */
export async function readBody(request: IncomingMessage, signal: AbortSignal): Promise<unknown> {
  const text = await readText(request, signal);
  if (text.trim() === '') return undefined;
  checkType(request.headers['content-type']);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // The parser's message quotes what it read, which may hold a secret.
    const position = /position (\d+)/.exec((error as Error).message)?.[1];
    throw new Refusal(
      400,
      `invalid JSON: ${position === undefined ? 'unexpected end' : `at byte ${position}`}`,
    );
  }
}

async function readText(request: IncomingMessage, signal: AbortSignal): Promise<string> {
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > BODY_BYTES_MAX) throw tooLarge();
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    signal.throwIfAborted();
    bytes += (chunk as Uint8Array).length;
    if (bytes > BODY_BYTES_MAX) throw tooLarge();
    chunks.push(chunk as Uint8Array);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function tooLarge(): Refusal {
  return new Refusal(413, `request body is larger than ${BODY_BYTES_MAX} bytes`);
}

function checkType(header: string | undefined): void {
  const type = header?.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  // Absent: the oldest clients send none.
  if (type === '' || type === 'application/json') return;
  throw new Refusal(400, `unsupported Content-Type header (${type}): must be 'application/json'`);
}
