/**
 * Who a node is, as its certificate says: CN is the node's id, OU its role, O the cluster's id. The names of the roles
 * are those of Swarm mode, so that tools which read its certificates read these.
 */

import type { ClusterId, NodeId } from '@skep/core';
import { NodeError } from '../errors.ts';

/** What a node may be in its cluster. */
export type NodeRole = 'manager' | 'worker';

/** One node. */
export interface NodeIdentity {
  readonly nodeId: NodeId;
  readonly role: NodeRole;
  readonly clusterId: ClusterId;
}

/** The parts of a certificate's subject that matter, as Node's TLS gives them. */
export interface CertificateSubject {
  readonly CN?: string | string[];
  readonly OU?: string | string[];
  readonly O?: string | string[];
}

const ORGANIZATIONAL_UNIT: Readonly<Record<NodeRole, string>> = {
  manager: 'swarm-manager',
  worker: 'swarm-worker',
};

/** The name by which a role stands in a certificate. */
export function organizationalUnitOf(role: NodeRole): string {
  return ORGANIZATIONAL_UNIT[role];
}

/** The identity in a certificate's subject. @throws NodeError `CERTIFICATE_UNTRUSTED` if it is no node's. */
export function identityOf({ CN, OU, O: organization }: CertificateSubject): NodeIdentity {
  const role = OU === ORGANIZATIONAL_UNIT.manager ? 'manager' : 'worker';
  const isNode = typeof CN === 'string' && typeof organization === 'string';
  if (!isNode || CN === '' || OU !== ORGANIZATIONAL_UNIT[role]) {
    throw new NodeError('CERTIFICATE_UNTRUSTED', "the certificate's subject is not that of a node");
  }
  return { nodeId: CN as NodeId, role, clusterId: organization as ClusterId };
}

/** A subject as Node prints it, `CN=…` a line each. */
export function parseSubject(printed: string): CertificateSubject {
  const lines = printed.split('\n').map((line) => line.split('=', 2));
  return Object.fromEntries(lines.map(([name = '', value = '']) => [name, value]));
}

const SEPARATOR = '.';

/** The id of one membership in Raft of a node. `suffix` is drawn anew each time the node becomes a manager. */
export function memberIdOf(nodeId: NodeId, suffix: string): string {
  return `${nodeId}${SEPARATOR}${suffix}`;
}

/** The node that a member of Raft is. */
export function nodeOfMember(member: string): NodeId {
  const end = member.lastIndexOf(SEPARATOR);
  return (end < 0 ? member : member.slice(0, end)) as NodeId;
}
