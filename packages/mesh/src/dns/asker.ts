/** Who asks for a name, by the address that the question came from. */

import { BlockList, isIPv6 } from 'node:net';
import type { NetworkId } from '@skep/core';
import { plainAddress } from '../balancer/proxy-header.ts';
import type { MeshNode } from '../data-plane.ts';
import type { MeshIndex } from '../mesh-index.ts';
import type { Scope } from './name-table.ts';

/** What somebody may ask. */
export interface Asker {
  readonly scope: Scope;
  /** Questions about names elsewhere are passed on. Not for whoever is in internal networks alone: names can carry data out. */
  readonly mayAskOutside: boolean;
}

/**
 * A task is known by its addresses, a container that is none by the subnet that it is in, and the node itself by
 * loopback or its own address. Undefined: a stranger.
 */
export function askerAt(address: string, index: MeshIndex, { address: own }: MeshNode): Asker | undefined {
  const plain = plainAddress(address);
  if (plain === own || plain.startsWith('127.') || plain === '::1')
    return { scope: 'all', mayAskOutside: true };
  for (const { attachments } of index.clients.values()) {
    if (!attachments.some(({ addresses }) => addresses.includes(plain))) continue;
    return askerIn(
      attachments.map(({ networkId }) => networkId),
      index,
    );
  }
  for (const { id, subnets } of index.networks.values()) {
    if (subnets.some(({ subnet }) => contains(subnet, plain))) return askerIn([id], index);
  }
  return undefined;
}

function askerIn(networks: readonly NetworkId[], index: MeshIndex): Asker {
  const mayAskOutside = networks.some((id) => index.networks.get(id)?.isInternal !== true);
  return { scope: new Set(networks), mayAskOutside };
}

function contains(subnet: string, address: string): boolean {
  const [base = '', prefix] = subnet.split('/');
  const family = isIPv6(base) ? 'ipv6' : 'ipv4';
  const list = new BlockList();
  list.addSubnet(base, Number(prefix), family);
  return (isIPv6(address) ? 'ipv6' : 'ipv4') === family && list.check(address, family);
}
