/** Roots as users bring them along, right and wrong. */

import { createPrivateKey } from 'node:crypto';
import * as x509 from '@peculiar/x509';

const DAY_MS = 24 * 3_600_000;

/** Kinds of keys. */
export const KEYS = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  RSA: {
    ...{ name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048 },
    publicExponent: Uint8Array.of(1, 0, 1),
  },
} as const;

/** What to make. */
export interface OwnRoot {
  readonly key?: keyof typeof KEYS;
  readonly days?: number;
  readonly isAuthority?: boolean;
  readonly pathLength?: number;
}

/** A certificate that signs itself, and its key; PEM. */
export async function ownRoot(options: OwnRoot = {}): Promise<{ certificate: string; privateKey: string }> {
  const { key = 'P-256', days = 3650, isAuthority = true, pathLength } = options;
  const algorithm = KEYS[key];
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    name: 'O=Example, CN=Example Root',
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + days * DAY_MS),
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(isAuthority, pathLength, true)],
  });
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', keys.privateKey));
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  return {
    certificate: certificate.toString('pem'),
    privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}
