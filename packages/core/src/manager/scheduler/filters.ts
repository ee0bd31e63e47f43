/**
 * The filter chain: may a task stand on this node? Compiled for one group from what it asks, so that nothing is
 * looked at that it doesn't ask. The order is the field's, and the first filter that rejects is the one told.
 */

import type { NodeId } from '../../model/ids.ts';
import { keepsRule } from './affinity.ts';
import { freeGeneric } from './free-generic.ts';
import type { GenericNeeds } from './generic-use.ts';
import type { NodeTable } from './node-table.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import { keptRoomFilter } from './preemption/kept-room.ts';
import type { Nominee } from './preemption/nominations.ts';
import { type Needs, type Requirements, toCpus } from './requirements.ts';
import type { ServiceEntry } from './service-entry.ts';
import {
  FIT,
  HAS_REPLICAS,
  LACKS_CPUS,
  LACKS_MEMORY,
  NODE_DOWN,
  notReadyVerdict,
  type Verdict,
} from './verdicts.ts';

/** Judges the node in a slot. */
export type Filter = (slot: number) => Verdict;

/** Which room a task is taken to have. */
export interface RoomOptions {
  /**
   * `free`: what is free and not kept for others. `made`: as much as it needs, of resources and ports. Default: `free`.
   */
  readonly room?: 'free' | 'made';
  /** Whose room on a node is to be left alone. Default: that of all who have no lower priority. */
  readonly keptOn?: (slot: number) => readonly Nominee[];
}

/**
 * Compiles the chain.
 *
 * @param serviceTasks - active tasks of the service on a node, what is decided included.
 * @param service - the service, of which tasks may still run on a node until others run.
 */
export function compileFilters(
  requirements: Requirements,
  index: PlacementIndex,
  overlay: PlacementOverlay,
  serviceTasks: (slot: number) => number,
  service: ServiceEntry,
  { room = 'free', keptOn }: RoomOptions = {},
): Filter {
  const { nodes } = index;
  const { maxReplicasPerNode } = requirements;
  const { needs, hostPorts } = room === 'made' ? NOTHING : requirements;
  const { yielding } = service;
  const chain: Filter[] = [];
  const { home } = requirements;
  if (home) {
    const only = home.nodes.length === 1 ? nodes.slotOf(home.nodes[0] as NodeId) : -1;
    chain.push((slot) => (slot === only ? FIT : home.verdict));
  }
  chain.push(roomFilter(nodes, overlay, needs));
  if (needs.generic.length > 0)
    chain.push(genericFilter(nodes, overlay, needs.generic, requirements.firstGeneric));
  const judgements = index.notes.judgementsOf(requirements.static);
  if (judgements) {
    chain.push((slot) => {
      const node = nodes.nodes[slot];
      return node === undefined ? NODE_DOWN : judgements.get(slot, node);
    });
  }
  if (hostPorts.length > 0) chain.push(hostPortFilter(nodes, overlay, hostPorts, requirements.firstHostPort));
  if (maxReplicasPerNode > 0) {
    chain.push((slot) => (serviceTasks(slot) + yielding.get(slot) < maxReplicasPerNode ? FIT : HAS_REPLICAS));
  }
  const { nominations } = index;
  if (room === 'free' && nominations.size > 0) {
    const kept = keptOn ?? ((slot: number) => nominations.keptFrom(slot, service.priority));
    chain.push(keptRoomFilter(requirements, index, overlay, { service, serviceTasks }, kept));
  }
  const rules = requirements.affinity?.required ?? [];
  if (rules.length > 0) {
    chain.push((slot) => {
      const broken = rules.findIndex((rule) => !keepsRule(rule, slot, nodes, overlay));
      return broken === -1 ? FIT : requirements.firstAffinity + broken;
    });
  }
  return allOf(chain);
}

const NOTHING: Pick<Requirements, 'needs' | 'hostPorts'> = {
  needs: { nanoCpus: 0, memoryBytes: 0, generic: [] },
  hostPorts: [],
};

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

function allOf([first, ...more]: readonly Filter[]): Filter {
  if (first === undefined) return () => FIT;
  return more.reduce(both, first);
}

function both(first: Filter, second: Filter): Filter {
  return (slot) => {
    const verdict = first(slot);
    return verdict === FIT ? second(slot) : verdict;
  };
}

/** Ready, and with the processors and the memory. One function, since every look at every node goes through it. */
function roomFilter(
  { nodes, takesTasks, freeNanoCpus, freeMemoryBytes }: NodeTable,
  { takenNanoCpus, takenMemoryBytes }: PlacementOverlay,
  { nanoCpus, memoryBytes }: Needs,
): Filter {
  return (slot) => {
    if (takesTasks[slot] !== 1) {
      const node = nodes[slot];
      return node === undefined ? NODE_DOWN : notReadyVerdict(node);
    }
    if (nanoCpus > 0 && (freeNanoCpus[slot] as number) - (takenNanoCpus[slot] as number) < nanoCpus) {
      return LACKS_CPUS;
    }
    if (
      memoryBytes > 0 &&
      (freeMemoryBytes[slot] as number) - (takenMemoryBytes[slot] as number) < memoryBytes
    ) {
      return LACKS_MEMORY;
    }
    return FIT;
  };
}

function genericFilter(
  nodes: NodeTable,
  overlay: PlacementOverlay,
  needs: GenericNeeds,
  first: Verdict,
): Filter {
  return (slot) => {
    const lacking = needs.findIndex(([name, amount]) => freeGeneric(nodes, overlay, slot, name) < amount);
    return lacking === -1 ? FIT : first + lacking;
  };
}

function hostPortFilter(
  nodes: NodeTable,
  overlay: PlacementOverlay,
  ports: readonly number[],
  first: Verdict,
): Filter {
  return (slot) => {
    const taken = ports.findIndex((port) => nodes.holdsPort(slot, port) || overlay.holdsPort(slot, port));
    return taken === -1 ? FIT : first + taken;
  };
}

/**
 * The most that is free of the resource that a verdict stands for, over the nodes that the chain turns away with it.
 * Undefined for a verdict about anything else.
 */
export function freeAtBest(
  filter: Filter,
  requirements: Requirements,
  { nodes }: PlacementIndex,
  overlay: PlacementOverlay,
): (verdict: Verdict) => number | undefined {
  const best = new Map<Verdict, number>();
  for (let slot = 0; slot < nodes.length; slot++) {
    if (nodes.rows[slot] === 0) continue;
    const verdict = filter(slot);
    const free = freeOf(verdict, requirements, nodes, overlay, slot);
    if (free !== undefined) best.set(verdict, Math.max(free, best.get(verdict) ?? Number.NEGATIVE_INFINITY));
  }
  return (verdict) => best.get(verdict);
}

function freeOf(
  verdict: Verdict,
  { needs, firstGeneric }: Requirements,
  nodes: NodeTable,
  overlay: PlacementOverlay,
  slot: number,
): number | undefined {
  if (verdict === LACKS_CPUS) {
    return toCpus((nodes.freeNanoCpus[slot] as number) - (overlay.takenNanoCpus[slot] as number));
  }
  if (verdict === LACKS_MEMORY) {
    return (nodes.freeMemoryBytes[slot] as number) - (overlay.takenMemoryBytes[slot] as number);
  }
  const generic = needs.generic[verdict - firstGeneric];
  return generic === undefined ? undefined : freeGeneric(nodes, overlay, slot, generic[0]);
}
