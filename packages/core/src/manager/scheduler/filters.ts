/**
 * The filter chain: may a task stand on this node? Compiled for one group from what it asks, so that nothing is
 * looked at that it doesn't ask. The order is the field's, and the first filter that rejects is the one told.
 */

import { FIT, rejectedBy, type Verdict } from './explanation.ts';
import { freeAmount, type GenericNeeds, offered } from './generic-use.ts';
import type { NodeTable } from './node-table.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import type { Requirements } from './requirements.ts';

/** Judges the node in a slot. */
export type Filter = (slot: number) => Verdict;

const NOT_READY = rejectedBy('ready');
const RESOURCES = rejectedBy('resources');
const HOST_PORT = rejectedBy('host-port');
const MAX_REPLICAS = rejectedBy('max-replicas');

/**
 * Compiles the chain.
 *
 * @param serviceTasks - active tasks of the service on a node, what is decided included.
 */
export function compileFilters(
  requirements: Requirements,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  serviceTasks: (slot: number) => number,
): Filter {
  const { nodes } = index;
  const { needs, hostPorts, maxReplicasPerNode } = requirements;
  const chain: Filter[] = [readyFilter(nodes)];
  if (needs.nanoCpus > 0) chain.push(cpuFilter(nodes, overlay, needs.nanoCpus));
  if (needs.memoryBytes > 0) chain.push(memoryFilter(nodes, overlay, needs.memoryBytes));
  if (needs.generic.length > 0) chain.push(genericFilter(nodes, overlay, needs.generic));
  const judgements = index.notes.judgementsOf(requirements.static);
  if (judgements) {
    chain.push((slot) => {
      const node = nodes.nodes[slot];
      return node === undefined ? NOT_READY : judgements.get(slot, node);
    });
  }
  if (hostPorts.length > 0) chain.push(hostPortFilter(nodes, overlay, hostPorts));
  if (maxReplicasPerNode > 0) {
    chain.push((slot) => (serviceTasks(slot) < maxReplicasPerNode ? FIT : MAX_REPLICAS));
  }
  return allOf(chain);
}

/** True when placing one task on a node may make the node unfit for the next. */
export function usesUpNodes({ needs, hostPorts, maxReplicasPerNode }: Requirements): boolean {
  return (
    needs.nanoCpus > 0 ||
    needs.memoryBytes > 0 ||
    needs.generic.length > 0 ||
    hostPorts.length > 0 ||
    maxReplicasPerNode > 0
  );
}

function allOf(chain: readonly Filter[]): Filter {
  const [only, ...more] = chain;
  if (only && more.length === 0) return only;
  return (slot) => {
    for (const filter of chain) {
      const verdict = filter(slot);
      if (verdict !== FIT) return verdict;
    }
    return FIT;
  };
}

function readyFilter({ takesTasks }: NodeTable): Filter {
  return (slot) => (takesTasks[slot] === 1 ? FIT : NOT_READY);
}

function cpuFilter({ freeNanoCpus }: NodeTable, { takenNanoCpus }: PlacementOverlay, asked: number): Filter {
  return (slot) =>
    (freeNanoCpus[slot] as number) - (takenNanoCpus[slot] as number) >= asked ? FIT : RESOURCES;
}

function memoryFilter(
  { freeMemoryBytes }: NodeTable,
  { takenMemoryBytes }: PlacementOverlay,
  asked: number,
): Filter {
  return (slot) =>
    (freeMemoryBytes[slot] as number) - (takenMemoryBytes[slot] as number) >= asked ? FIT : RESOURCES;
}

function genericFilter(nodes: NodeTable, overlay: PlacementOverlay, needs: GenericNeeds): Filter {
  return (slot) => {
    const offer = nodes.nodes[slot]?.description.resources.generic;
    if (offer === undefined) return RESOURCES;
    const uses = [nodes.genericUse(slot), overlay.genericUse(slot)];
    const enough = needs.every(([name, amount]) => freeAmount(offered(offer, name), name, uses) >= amount);
    return enough ? FIT : RESOURCES;
  };
}

function hostPortFilter(nodes: NodeTable, overlay: PlacementOverlay, ports: readonly number[]): Filter {
  return (slot) =>
    ports.some((port) => nodes.holdsPort(slot, port) || overlay.holdsPort(slot, port)) ? HOST_PORT : FIT;
}
