/** What stands in a request, checked: each fault is named by its field. */

import type { IncomingMessage } from 'node:http';
import { InvalidSpecError } from '@skep/core';
import type { ViewAction } from '../source/view-source.ts';
import { RefusedRequest } from './refusal.ts';

/** Longest body of a request, in bytes. */
const BODY_BYTES_MAX = 4_096;
const KINDS = ['scale', 'drain', 'activate', 'lose'] as const;

/** A whole number of the query. @throws InvalidSpecError */
export function numberOf(query: URLSearchParams, field: string, fallback?: number): number {
  const text = query.get(field);
  if (text === null && fallback !== undefined) return fallback;
  const value = Number(text ?? 'none');
  if (text !== '' && Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidSpecError([{ field, rule: 'must be a whole number' }]);
}

/** The moment that is asked for: `index`, or `date` in milliseconds since 1970. @throws InvalidSpecError */
export function momentOf(query: URLSearchParams): number | Date {
  return query.has('date') ? new Date(numberOf(query, 'date')) : numberOf(query, 'index');
}

/** @throws InvalidSpecError */
export function actionOf(fields: Readonly<Record<string, unknown>>): ViewAction {
  const { kind } = fields;
  const known = KINDS.find((each) => each === kind);
  if (known === undefined) {
    throw new InvalidSpecError([{ field: 'kind', rule: `must be one of ${KINDS.join(', ')}` }]);
  }
  if (known !== 'scale') return { kind: known, node: textOf(fields, 'node') };
  const replicas = Number(fields['replicas'] ?? 'none');
  if (fields['replicas'] === '' || !Number.isSafeInteger(replicas) || replicas < 0) {
    throw new InvalidSpecError([{ field: 'replicas', rule: 'must be a whole number' }]);
  }
  return { kind: known, service: textOf(fields, 'service'), replicas };
}

function textOf(fields: Readonly<Record<string, unknown>>, field: string): string {
  const text = fields[field];
  if (typeof text === 'string' && text !== '') return text;
  throw new InvalidSpecError([{ field, rule: 'must be an id or a name' }]);
}

/** The body, as the JSON object that it has to be. @throws RefusedRequest 413, 400 */
export async function bodyOf(request: IncomingMessage): Promise<Readonly<Record<string, unknown>>> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of request) {
    const piece = part as Uint8Array;
    bytes += piece.length;
    if (bytes > BODY_BYTES_MAX) throw new RefusedRequest(413, 'the body is too long');
    parts.push(piece);
  }
  try {
    const body: unknown = JSON.parse(Buffer.concat(parts).toString('utf8'));
    if (typeof body === 'object' && body !== null) return body as Readonly<Record<string, unknown>>;
  } catch {
    // Told below, as for any other text that is no object.
  }
  throw new RefusedRequest(400, 'the body must be a JSON object');
}
