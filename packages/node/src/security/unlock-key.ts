/**
 * The unlock key, in Swarm mode's format `SWMKEY-1-<base64>`: 32 random bytes that the private key and the keys of the
 * log are sealed under while autolock is on. It is in the replicated log and in somebody's drawer, never on a disk.
 */

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import type { Random } from '@skep/core';
import { NodeError } from '../errors.ts';

const PREFIX = 'SWMKEY-1-';
const KEY_BYTES = 32;
const CIPHER = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A new unlock key, drawn from `random`, which must be the system's. */
export function newUnlockKey(random: Random): Uint8Array {
  return random.bytes(KEY_BYTES);
}

/** The key as people keep it. */
export function formatUnlockKey(key: Uint8Array): string {
  return `${PREFIX}${Buffer.from(key).toString('base64').replace(/=+$/, '')}`;
}

/** The key in a text. @throws NodeError `UNLOCK_KEY_REFUSED`, which says nothing of the text. */
export function parseUnlockKey(text: string): Uint8Array {
  const body = text.trim();
  const key = body.startsWith(PREFIX) ? Buffer.from(body.slice(PREFIX.length), 'base64') : undefined;
  if (key?.length !== KEY_BYTES) {
    throw new NodeError('UNLOCK_KEY_REFUSED', `an unlock key is ${PREFIX} and ${KEY_BYTES} bytes in base64`);
  }
  return new Uint8Array(key);
}

/** Seals a file's content. `purpose` is bound to it: what was sealed as one thing does not open as another. */
export function sealUnder(key: Uint8Array, purpose: string, content: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, keyFor(key, purpose), nonce);
  return Buffer.concat([nonce, cipher.update(content), cipher.final(), cipher.getAuthTag()]);
}

/** Opens what {@link sealUnder} made. @throws NodeError `UNLOCK_KEY_REFUSED` if it is another key, or was changed. */
export function openUnder(key: Uint8Array, purpose: string, sealed: Uint8Array): Uint8Array {
  try {
    const decipher = createDecipheriv(CIPHER, keyFor(key, purpose), sealed.subarray(0, NONCE_BYTES));
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
    const body = decipher.update(sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES));
    return Buffer.concat([body, decipher.final()]);
  } catch (error) {
    throw new NodeError('UNLOCK_KEY_REFUSED', 'the unlock key does not open this node', error);
  }
}

function keyFor(key: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(
    hkdfSync('sha256', key, new Uint8Array(0), `skep unlock key, version 1: ${purpose}`, 32),
  );
}
