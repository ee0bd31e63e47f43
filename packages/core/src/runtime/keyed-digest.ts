/** Keyed digests of secret values. Synchronous and the same everywhere, so that a simulated run stays repeatable. */

import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

/** Marks a digest, so that one can be told from a value. */
export const DIGEST_PREFIX = 'hmac-sha256:';

/**
 * HMAC-SHA-256 (RFC 2104) of a value under the cluster's digest key, as `hmac-sha256:<hex>`. Keyed, so that nobody who
 * sees the digest can try out guesses of a weak secret.
 */
export function keyedDigest(key: Uint8Array, value: Uint8Array): string {
  return DIGEST_PREFIX + bytesToHex(hmac(sha256, key, value));
}
