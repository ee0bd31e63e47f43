/** Which subnets, and which numbers on the wire, networks have. */

import { formatSubnet, overlaps, parseSubnet, type Subnet, subnetSize } from '../../model/address.ts';
import { type AddressPool, DEFAULT_ADDRESS_POOLS, subnetsIn } from '../../model/address-pools.ts';
import type { NetworkId } from '../../model/ids.ts';
import { isClusterWide, type NetworkAllocation, type NetworkSubnet, subnetOf } from '../../model/network.ts';
import type { Network } from '../../model/objects.ts';
import type { ClusterState } from '../../state/cluster-state.ts';

/** First number that a network is told by on the wire, as Swarm has it. */
const VNI_FIRST = 4_096;

interface Held {
  readonly subnets: readonly Subnet[];
  readonly vni: number | undefined;
}

/** The subnets of all networks. Those that a spec names count from the start: a pool must not give them to another. */
export class SubnetSpace {
  readonly #networks = new Map<NetworkId, Held>();
  readonly #vnis = new Set<number>();
  /** By pool: where the search goes on, so that a subnet that was freed stays unused for as long as possible. */
  readonly #next = new Map<string, bigint>();

  clear(): void {
    this.#networks.clear();
    this.#vnis.clear();
    this.#next.clear();
  }

  /** Notes what a network has now. @returns whether any was freed. */
  note(before: Network | undefined, after: Network | undefined): boolean {
    const id = (after ?? before)?.id;
    if (id === undefined) return false;
    const held = this.#networks.get(id);
    if (held?.vni !== undefined) this.#vnis.delete(held.vni);
    if (after && isClusterWide(after.spec)) this.#hold(id, subnetTexts(after), after.allocation?.vni);
    else this.#networks.delete(id);
    return held !== undefined && after === undefined;
  }

  /** Finds subnets for a network, and takes them. @returns why not, in words, where there are none. */
  allocate({ id, spec }: Network, state: ClusterState): NetworkAllocation | { readonly error: string } {
    const pools = state.cluster?.spec.addressPools ?? DEFAULT_ADDRESS_POOLS;
    const subnets: NetworkSubnet[] = [];
    for (const family of spec.ipv6 ? ([4, 6] as const) : ([4] as const)) {
      const named = spec.subnets.find(({ subnet }) => parseSubnet(subnet)?.family === family);
      if (named) {
        const taken = this.#overlapping(parseSubnet(named.subnet), id);
        if (taken !== undefined) return { error: overlapRule(named.subnet, taken, state) };
        subnets.push(subnetOf(named.subnet, named.gateway, named.range));
        continue;
      }
      const found = this.#findIn(
        pools.filter(({ base }) => parseSubnet(base)?.family === family),
        id,
      );
      if (!found) return { error: `no IPv${family} subnet is free in the cluster's address pools` };
      subnets.push(subnetOf(formatSubnet(found), undefined, undefined));
    }
    let vni = VNI_FIRST;
    while (this.#vnis.has(vni)) vni += 1;
    this.#hold(
      id,
      subnets.map(({ subnet }) => subnet),
      vni,
    );
    return { subnets, vni };
  }

  #findIn(pools: readonly AddressPool[], id: NetworkId): Subnet | undefined {
    for (const pool of pools) {
      for (const subnet of subnetsIn(pool, this.#next.get(pool.base))) {
        if (this.#overlapping(subnet, id) !== undefined) continue;
        this.#next.set(pool.base, subnet.first + subnetSize(subnet));
        return subnet;
      }
    }
    return undefined;
  }

  /** Another network that has an address of this subnet. */
  #overlapping(subnet: Subnet | undefined, own: NetworkId): NetworkId | undefined {
    if (!subnet) return undefined;
    for (const [id, { subnets }] of this.#networks)
      if (id !== own && subnets.some((each) => overlaps(each, subnet))) return id;
    return undefined;
  }

  #hold(id: NetworkId, texts: readonly string[], vni: number | undefined): void {
    const subnets = texts.flatMap((text) => parseSubnet(text) ?? []);
    this.#networks.set(id, { subnets, vni });
    if (vni !== undefined) this.#vnis.add(vni);
  }
}

/** The subnets that a network has, or asks for. */
export function subnetTexts({ spec, allocation }: Pick<Network, 'spec' | 'allocation'>): string[] {
  return (allocation?.subnets ?? spec.subnets).map(({ subnet }) => subnet);
}

function overlapRule(subnet: string, other: NetworkId, state: ClusterState): string {
  return `subnet ${subnet} overlaps with one of network ${state.network(other)?.spec.name ?? other}`;
}
