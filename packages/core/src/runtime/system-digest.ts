/** Keyed digests of secret values, by the host's WebCrypto. */

/** Marks a digest, so that one can be told from a value. */
export const DIGEST_PREFIX = 'hmac-sha256:';

/**
 * HMAC-SHA-256 of a value under the cluster's digest key, as `hmac-sha256:<hex>`. Keyed, so that nobody who sees the
 * digest can try out guesses of a weak secret.
 */
export async function keyedDigest(key: Uint8Array, value: Uint8Array): Promise<string> {
  const imported = await crypto.subtle.importKey(
    'raw',
    new Uint8Array(key),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['sign'],
  );
  const mac = new Uint8Array(await crypto.subtle.sign('HMAC', imported, new Uint8Array(value)));
  return DIGEST_PREFIX + Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
