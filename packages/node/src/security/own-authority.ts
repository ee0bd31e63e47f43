/** A root that users bring along, looked at before anything depends on it. */

import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { NodeError } from '../errors.ts';
import {
  exportKey,
  pathLengthOf,
  type RootAuthority,
  SIGNING_KEYS,
  signsWith,
} from './certificate-authority.ts';
import { certificatesOf, joinPem, validityOf } from './pem.ts';

/** A root may end so soon at the earliest, in ms. As in Swarm mode. */
const REMAINING_MS_MIN = 365 * 24 * 3_600_000;

/** What users give: their root with its key. */
export interface OwnAuthority {
  /** One certificate, PEM: a root, which signs itself. */
  readonly certificate: string;
  /** Its key, PEM, not encrypted. */
  readonly privateKey: string;
}

/**
 * The authority that these make.
 *
 * @param now - milliseconds since 1970.
 * @throws NodeError `CA_REFUSED`, which names the rule, and holds nothing of the key.
 */
export function checkAuthority(given: OwnAuthority, now: number): RootAuthority {
  const certificate = rootOf(given.certificate);
  const key = keyOf(given.privateKey);
  const { from, to } = validityOf(certificate);
  if (pathLengthOf(given.certificate) === 0) {
    // While a rotation lasts, the old root vouches for the new one, which signs.
    throw refused('certificate', 'must allow authorities below it: its path length is 0');
  }
  if (!certificate.checkPrivateKey(key)) throw refused('privateKey', 'is not the key of the certificate');
  if (!signsWith(key)) throw refused('privateKey', `must be of one of these kinds: ${SIGNING_KEYS}`);
  if (from > now) throw refused('certificate', 'is not valid yet: is a clock wrong?');
  if (to - now < REMAINING_MS_MIN) throw refused('certificate', 'must be valid for a year or more');
  return { certificate: joinPem(certificate.toString()), privateKey: exportKey(key) };
}

function rootOf(pem: string): X509Certificate {
  let found: readonly X509Certificate[];
  try {
    found = certificatesOf(pem);
  } catch (error) {
    throw refused('certificate', 'can not be read', error);
  }
  const [root] = found;
  if (root === undefined || found.length > 1) {
    throw refused('certificate', `must be one certificate in PEM, not ${found.length}`);
  }
  if (!root.ca) throw refused('certificate', 'must be that of an authority');
  if (!root.checkIssued(root) || !root.verify(root.publicKey)) {
    throw refused('certificate', 'must be a root, which signs itself');
  }
  return root;
}

function keyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    // What OpenSSL says may repeat what it was given.
    throw refused('privateKey', 'can not be read: it must be in PEM, and not encrypted');
  }
}

function refused(field: keyof OwnAuthority, rule: string, cause?: unknown): NodeError {
  return new NodeError('CA_REFUSED', `ca.${field} ${rule}`, cause);
}
