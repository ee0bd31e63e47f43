/** Who may ask what: the page is for whoever reaches it, what changes the cluster for holders of the token. */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { RefusedRequest } from './refusal.ts';

/**
 * Refuses requests for a name that is not ours: a page of somebody else could have its name lead here and read along.
 *
 * @throws RefusedRequest 421
 */
export function checkHost({ headers }: IncomingMessage, names: readonly string[]): void {
  const host = headers.host ?? '';
  const name = host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
  const isOurs = isIP(name) !== 0 || name === 'localhost' || name.endsWith('.localhost');
  if (isOurs || names.includes(name.toLowerCase())) return;
  throw new RefusedRequest(421, 'this view does not answer to that host name');
}

/** @throws RefusedRequest 403 when there is no token to act with, 401 without it */
export function checkToken({ headers }: IncomingMessage, token: string | undefined): void {
  if (token === undefined) {
    throw new RefusedRequest(403, 'this view only shows: it was started without a token for actions');
  }
  const [, given = ''] = /^Bearer (.+)$/.exec(headers.authorization ?? '') ?? [];
  // Of equal length, whatever was given.
  if (timingSafeEqual(digest(given), digest(token))) return;
  throw new RefusedRequest(401, 'the token for actions is missing, or another');
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
