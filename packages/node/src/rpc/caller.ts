/**
 * Who calls, as far as the connection proves it: a node by its certificate, or a stranger. Whether a node may call a
 * method is asked for each call anew, since certificates expire and nodes are removed while connections last.
 */

import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import type { ClusterId, NodeId } from '@skep/core';
import { NodeError } from '../errors.ts';
import { identityOf, type NodeIdentity, type NodeRole, parseSubject } from '../security/identity.ts';
import { type Validity, validityOf } from '../security/pem.ts';
import type { AnyMethodRules } from './method.ts';

/** What a connection proves of its other side. */
export type Peer =
  | {
      readonly kind: 'node';
      readonly identity: NodeIdentity;
      readonly validity: Validity;
      readonly certificate: X509Certificate;
    }
  | {
      readonly kind: 'stranger';
      /** Why it is not taken for a node. */
      readonly refusal: NodeError;
    };

/** Who asks: the peer itself, or the one for whom a manager passes the call on. */
export interface Caller {
  readonly identity: NodeIdentity;
  /** The manager that has passed the call on, if any. */
  readonly via?: NodeId;
}

/** What OpenSSL says of a certificate that it does not take, in our words. */
const REFUSALS: Readonly<Record<string, readonly [NodeError['code'], string]>> = {
  CERT_HAS_EXPIRED: ['CERTIFICATE_EXPIRED', 'the certificate has expired'],
  CERT_NOT_YET_VALID: ['CERTIFICATE_NOT_YET_VALID', 'the certificate is not valid yet: is a clock wrong?'],
};

/** The refusal that belongs to a verification error of TLS. */
export function refusalOf(code: unknown): NodeError {
  const [own, message] = (typeof code === 'string' ? REFUSALS[code] : undefined) ?? [
    'CERTIFICATE_UNTRUSTED',
    "the certificate was not signed by this cluster's CA",
  ];
  return new NodeError(own, message);
}

/** What a connection proves, once its handshake is done. */
export function peerOf(socket: TLSSocket): Peer {
  const certificate = socket.getPeerX509Certificate();
  if (certificate === undefined) {
    return { kind: 'stranger', refusal: new NodeError('CERTIFICATE_MISSING', 'no certificate was shown') };
  }
  if (!socket.authorized) return { kind: 'stranger', refusal: refusalOf(codeOf(socket.authorizationError)) };
  try {
    return {
      kind: 'node',
      identity: identityOf(parseSubject(certificate.subject)),
      validity: validityOf(certificate),
      certificate,
    };
  } catch (error) {
    if (error instanceof NodeError) return { kind: 'stranger', refusal: error };
    throw error;
  }
}

/** What the replicated state says of nodes. */
export interface Membership {
  /** Undefined until this member has any state. */
  readonly clusterId: ClusterId | undefined;
  /** The role that a node is to have; undefined if the cluster has no such node. */
  roleOf(node: NodeId): NodeRole | undefined;
  /** Waits until this member holds all that was acknowledged anywhere before. */
  catchUp(): Promise<void>;
}

/**
 * Checks that a node may call a method now.
 *
 * @throws NodeError `WRONG_CLUSTER`, `WRONG_ROLE`, `NODE_REMOVED`, and what catching up throws.
 */
export async function authorize(
  identity: NodeIdentity,
  { callers, name }: AnyMethodRules,
  membership: Membership,
): Promise<void> {
  if (membership.clusterId !== undefined && identity.clusterId !== membership.clusterId) {
    throw new NodeError('WRONG_CLUSTER', `the caller belongs to cluster ${identity.clusterId}`);
  }
  let role = membership.roleOf(identity.nodeId);
  if (role === undefined || (role === 'worker' && identity.role === 'manager')) {
    // It may have joined or been promoted a moment ago, and the news of it be on its way.
    await membership.catchUp();
    role = membership.roleOf(identity.nodeId);
  }
  if (role === undefined) {
    throw new NodeError('NODE_REMOVED', `node ${identity.nodeId} is not part of the cluster`);
  }
  if (callers === 'anyone') return;
  // A manager that was demoted has its old certificate for a while; a worker that was promoted has not its new one yet.
  const acts = role === 'manager' && identity.role === 'manager' ? 'manager' : 'worker';
  if (!callers.includes(acts)) throw new NodeError('WRONG_ROLE', `a ${acts} may not call ${name}`);
}

/** Checks that a certificate is valid at a time. @throws NodeError */
export function checkValidity({ from, to }: Validity, now: number): void {
  if (now > to) throw refusalOf('CERT_HAS_EXPIRED');
  if (now < from) throw refusalOf('CERT_NOT_YET_VALID');
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : error;
}
