/** A node's WireGuard key pair (X25519, RFC 7748). */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto';

/** Base64, as WireGuard's tools have them. */
export interface NodeKey {
  readonly privateKey: string;
  readonly publicKey: string;
}

/** What stands before the 32 bytes of a key in PKCS #8 (RFC 8410). */
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** A new one. */
export function newNodeKey(): NodeKey {
  return toNodeKey(generateKeyPairSync('x25519').privateKey);
}

/** The pair of a private key. Undefined: it is none. */
export function nodeKeyOf(privateKey: string): NodeKey | undefined {
  const bytes = Buffer.from(privateKey, 'base64');
  if (bytes.length !== 32) return undefined;
  const key = Buffer.concat([PKCS8_PREFIX, bytes]);
  return toNodeKey(createPrivateKey({ key, format: 'der', type: 'pkcs8' }));
}

function toNodeKey(key: KeyObject): NodeKey {
  const raw = (part: KeyObject, type: 'pkcs8' | 'spki') =>
    part
      .export({ format: 'der', type } as { format: 'der'; type: 'spki' })
      .subarray(-32)
      .toString('base64');
  return { privateKey: raw(key, 'pkcs8'), publicKey: raw(createPublicKey(key), 'spki') };
}
