/** Pure: what the kernel is to do with the connections of one service. */

import type { NetworkId } from '@skep/core';
import type { MeshEndpoint, MeshPort, MeshService } from '../data-plane.ts';
import { type Family, familyOf } from './address-text.ts';
import { portChain, vipChain } from './names.ts';
import { SLOTS, shareSlots } from './sticky-slots.ts';

/** A chain and its rules. */
export interface Chain {
  readonly name: string;
  readonly rules: readonly string[];
}

/** All that is particular to one service. */
export interface ServiceRules {
  readonly chains: readonly Chain[];
  /** Where connections to a virtual address go. */
  readonly vips: readonly { readonly address: string; readonly family: Family; readonly chain: string }[];
  /** Where connections to a published port of the node go. */
  readonly ports: readonly {
    readonly protocol: MeshPort['protocol'];
    readonly port: number;
    readonly chain: string;
  }[];
}

/** Where connections go that nobody is there for. */
export const REFUSE_CHAIN = 'refuse';

const FAMILIES = [4, 6] as const;

/** What a port of one task is reached by. */
interface Backend {
  /** Tells tasks apart, so that a client stays with one. */
  readonly key: string;
  readonly address: string;
  /** Absent: the one that was asked for. */
  readonly port?: number;
}

/** Where published ports lead to. */
export interface PublishedBy {
  /** The network that tasks are reached in. Absent: there is none, and they are reached by their node's address. */
  readonly ingress?: NetworkId | undefined;
}

/** @param endpoints - those of the service that take traffic now */
export function serviceRules(
  service: MeshService,
  endpoints: readonly MeshEndpoint[],
  { ingress }: PublishedBy,
): ServiceRules {
  const isSticky = service.stickiness !== undefined;
  const chains: Chain[] = [];
  const vips: ServiceRules['vips'][number][] = [];
  const ports: ServiceRules['ports'][number][] = [];
  for (const { networkId, addresses } of service.vips) {
    const name = vipChain(service.id, networkId);
    const backends = endpoints.flatMap((endpoint) => addressesIn(endpoint, networkId));
    for (const address of addresses) {
      const family = familyOf(address);
      if (family !== undefined) vips.push({ address, family, chain: name });
    }
    const families = new Set(addresses.map(familyOf));
    chains.push({
      name,
      rules: balance(
        backends,
        isSticky,
        FAMILIES.filter((each) => families.has(each)),
      ),
    });
  }
  for (const port of service.ports) {
    if (port.mode !== 'ingress') continue;
    const chain = portChain(port.protocol, port.published);
    const backends = endpoints.flatMap((endpoint) => reachedAt(endpoint, port, ingress));
    ports.push({ protocol: port.protocol, port: port.published, chain });
    chains.push({ name: chain, rules: balance(backends, isSticky, FAMILIES, port.protocol) });
  }
  return { chains, vips, ports };
}

function addressesIn({ taskId, attachments }: MeshEndpoint, networkId: NetworkId): readonly Backend[] {
  const attachment = attachments.find((each) => each.networkId === networkId);
  return (attachment?.addresses ?? []).map((address) => ({ key: taskId, address }));
}

/** In the ingress network where the task is in it, else where its node publishes the port. */
function reachedAt(
  endpoint: MeshEndpoint,
  { target, protocol }: MeshPort,
  ingress: NetworkId | undefined,
): readonly Backend[] {
  const inside = ingress === undefined ? [] : addressesIn(endpoint, ingress);
  if (inside.length > 0) return inside.map((backend) => ({ ...backend, port: target }));
  return endpoint.ports
    .filter((each) => each.target === target && each.protocol === protocol)
    .map(({ port }) => ({ key: endpoint.taskId, address: endpoint.nodeAddress, port }));
}

/**
 * @param families - those that connections come in
 * @param protocol - of a published port; absent: all of them
 */
function balance(
  backends: readonly Backend[],
  isSticky: boolean,
  families: readonly Family[],
  protocol?: MeshPort['protocol'],
): string[] {
  const rules: string[] = [];
  for (const family of families) {
    const own = backends.filter(({ address }) => familyOf(address) === family);
    if (own.length === 0) continue;
    const ordered = own.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
    const [ip, guard] = family === 4 ? ['ip', 'ipv4'] : ['ip6', 'ipv6'];
    const only = protocol === undefined ? '' : `meta l4proto ${protocol} `;
    const chosen = isSticky ? stay(ordered, ip) : takeTurns(ordered);
    rules.push(`${only}meta nfproto ${guard} dnat ${ip} to ${chosen}`);
  }
  return rules.length === families.length ? rules : [...rules, `goto ${REFUSE_CHAIN}`];
}

function takeTurns(backends: readonly Backend[]): string {
  const only = backends[0];
  if (backends.length === 1 && only !== undefined) return direct(only);
  const turns = backends.map((backend, index) => `${index} : ${target(backend)}`);
  return `numgen inc mod ${backends.length} map { ${turns.join(', ')} }`;
}

function stay(backends: readonly Backend[], ip: string): string {
  const ranges = shareSlots(backends.map((backend) => ({ key: backend.key, value: target(backend) })));
  const slots = ranges.map(
    ({ first, last, value }) => `${first === last ? first : `${first}-${last}`} : ${value}`,
  );
  return `jhash ${ip} saddr mod ${SLOTS} seed 0x736b6570 map { ${slots.join(', ')} }`;
}

function target({ address, port }: Backend): string {
  return port === undefined ? address : `${address} . ${port}`;
}

function direct({ address, port }: Backend): string {
  if (port === undefined) return address;
  return familyOf(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
