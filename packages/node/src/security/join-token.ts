/**
 * Join tokens, in Swarm mode's format: `SWMTKN-1-<digest>-<secret>`. The digest is the SHA-256 of the root certificate
 * (DER), as 50 letters of base 36: by it the one who joins proves the cluster before the secret leaves its hands. The
 * secret is 16 random bytes, 25 letters; which of a cluster's two tokens it is of decides the role.
 */

import { createHash, timingSafeEqual } from 'node:crypto';
import type { Random } from '@skep/core';
import { NodeError } from '../errors.ts';
import { fromBase36, toBase36 } from './base36.ts';

const PREFIX = 'SWMTKN-1';
const DIGEST_BYTES = 32;
const DIGEST_LENGTH = 50;
const SECRET_BYTES = 16;
const SECRET_LENGTH = 25;

/** A token taken apart. */
export interface JoinToken {
  /** SHA-256 of the root certificate. */
  readonly rootDigest: Uint8Array;
  /** What admits. */
  readonly secret: string;
}

/** The digest by which tokens name a root certificate. */
export function rootDigestOf(rootDer: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(rootDer).digest());
}

/** A new secret, drawn from `random`, which must be the system's. */
export function newTokenSecret(random: Random): string {
  return toBase36(random.bytes(SECRET_BYTES), SECRET_LENGTH);
}

/** The token as people copy it. */
export function formatJoinToken({ rootDigest, secret }: JoinToken): string {
  return `${PREFIX}-${toBase36(rootDigest, DIGEST_LENGTH)}-${secret}`;
}

/** Takes a token apart. @throws NodeError `TOKEN_MALFORMED`, which says what is wrong but nothing of the token. */
export function parseJoinToken(text: string): JoinToken {
  const malformed = (what: string) => new NodeError('TOKEN_MALFORMED', `the join token ${what}`);
  if (typeof text !== 'string' || text === '') throw malformed('is empty');
  const parts = text.trim().split('-');
  const [name, version, digest = '', secret = ''] = parts;
  if (`${name}-${version}` !== PREFIX) throw malformed(`must begin with ${PREFIX}`);
  if (parts.length !== 4) throw malformed('must have four parts between dashes: was it cut short?');
  if (digest.length !== DIGEST_LENGTH) {
    throw malformed(`has a digest of ${digest.length} letters, not ${DIGEST_LENGTH}`);
  }
  if (secret.length !== SECRET_LENGTH) {
    throw malformed(`has a secret of ${secret.length} letters, not ${SECRET_LENGTH}: was it cut short?`);
  }
  const rootDigest = fromBase36(digest, DIGEST_BYTES);
  if (rootDigest === undefined) throw malformed('has a digest that is no number in base 36');
  if (fromBase36(secret, SECRET_BYTES) === undefined) {
    throw malformed('has a secret that is no number in base 36');
  }
  return { rootDigest, secret };
}

/** Compares two secrets in a time that says nothing of where they differ. */
export function isSameSecret(one: string, other: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
