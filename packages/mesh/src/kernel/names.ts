/**
 * Names of what the kernel is given. All of them are made from ids, so that a node finds what is its own after a restart,
 * and several nodes of one machine stay out of each other's way.
 */

import { createHash } from 'node:crypto';
import type { NetworkId, NodeId, ServiceId } from '@skep/core';
import type { Protocol } from '../data-plane.ts';

/** The kernel's longest name of a device has 15 characters. */
const DIGEST_LENGTH = 10;

/** Beginnings of the names of devices. */
export const BRIDGE_PREFIX = 'skb-';
export const VXLAN_PREFIX = 'skx-';
export const WIREGUARD_PREFIX = 'skw-';

/** Where VXLAN is spoken (RFC 7348), and where it is spoken inside of WireGuard: nothing else may come in there. */
export const VXLAN_PORT = 4789;
export const ENCRYPTED_VXLAN_PORT = 4790;

/** The table that holds all rules of a node, once in the family `inet` and once in `bridge`. */
export function tableName(nodeId: NodeId): string {
  return `skep-${digest(nodeId)}`;
}

/** The bridge of a network. On a machine that several nodes share, it is theirs together. */
export function bridgeName(networkId: NetworkId): string {
  return `${BRIDGE_PREFIX}${digest(networkId)}`;
}

/** The second name that a bridge has for each node that uses it. */
export function bridgeMark(nodeId: NodeId, networkId: NetworkId): string {
  return `${markPrefix(nodeId)}${digest(networkId)}`;
}

/** How all of a node's marks begin. */
export function markPrefix(nodeId: NodeId): string {
  return `${tableName(nodeId)}-`;
}

/** The VXLAN device of a network. */
export function vxlanName(networkId: NetworkId): string {
  return `${VXLAN_PREFIX}${digest(networkId)}`;
}

/** The WireGuard device of a node. */
export function wireGuardName(nodeId: NodeId): string {
  return `${WIREGUARD_PREFIX}${digest(nodeId)}`;
}

/** The chain of a service's virtual address in a network. */
export function vipChain(serviceId: ServiceId, networkId: NetworkId): string {
  return `vip-${digest(serviceId)}-${digest(networkId)}`;
}

/** The chain of a published port. */
export function portChain(protocol: Protocol, port: number): string {
  return `port-${protocol}-${port}`;
}

/** Ids are random, but their text comes from elsewhere: what goes into a rule is of 10 hexadecimal digits. */
function digest(id: string): string {
  return createHash('sha256').update(id).digest('hex').slice(0, DIGEST_LENGTH);
}
