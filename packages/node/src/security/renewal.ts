/**
 * When a node asks for its next certificate: at a random moment between 50 and 80 % of the validity of the one that it
 * has, so that nodes which joined together don't come together; as in Swarm mode. What was forced, or has failed,
 * comes with growing waits.
 */

import type { Random } from '@skep/core';
import type { Validity } from './pem.ts';

const EARLIEST = 0.5;
const LATEST = 0.8;

/** First and longest wait after an attempt that failed, in milliseconds. */
const RETRY_MS_MIN = 5_000;
const RETRY_MS_MAX = 3_600_000;

/** When to renew, milliseconds since 1970. */
export function renewalTime({ from, to }: Validity, random: Random): number {
  const share = EARLIEST + random.next() * (LATEST - EARLIEST);
  return from + (to - from) * share;
}

/** How long to wait before the next attempt, after so many that failed in a row (1 or more). */
export function renewalRetryMs(failures: number, random: Random): number {
  const longest = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** Math.min(failures - 1, 20));
  return longest * (0.5 + random.next() / 2);
}
