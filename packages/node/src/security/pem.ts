/** PEM, the little that is needed: blocks in, blocks out. What is in them, others read. */

import { X509Certificate } from 'node:crypto';
import { NodeError } from '../errors.ts';

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** The certificates of a bundle, in order. @throws NodeError `CERTIFICATE_UNTRUSTED` if one can't be read. */
export function certificatesOf(bundle: string): readonly X509Certificate[] {
  try {
    return (bundle.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block));
  } catch (error) {
    throw new NodeError('CERTIFICATE_UNTRUSTED', 'a certificate can not be read', error);
  }
}

/** The first certificate of a chain: the one that the others vouch for. @throws NodeError `CERTIFICATE_UNTRUSTED` */
export function leafOf(chain: string): X509Certificate {
  const [leaf] = certificatesOf(chain);
  if (leaf === undefined) throw new NodeError('CERTIFICATE_UNTRUSTED', 'there is no certificate');
  return leaf;
}

/** Several PEM texts as one. */
export function joinPem(...texts: readonly string[]): string {
  return texts.map((text) => `${text.trim()}\n`).join('');
}

/** When a certificate is valid, in milliseconds since 1970, both ends included. */
export interface Validity {
  readonly from: number;
  readonly to: number;
}

/** When this certificate is valid. */
export function validityOf(certificate: X509Certificate): Validity {
  return { from: Date.parse(certificate.validFrom), to: Date.parse(certificate.validTo) };
}
