/** The filter by which nobody is given room that is kept for others. */

import { freeGeneric } from '../free-generic.ts';
import type { PlacementIndex } from '../placement-index.ts';
import type { PlacementOverlay } from '../placement-overlay.ts';
import type { Requirements } from '../requirements.ts';
import type { ServiceEntry } from '../service-entry.ts';
import { FIT, HAS_REPLICAS, LACKS_CPUS, LACKS_MEMORY, type Verdict } from '../verdicts.ts';
import type { Nominee } from './nominations.ts';

/**
 * Compiles it: what is left on a node when those have theirs for whom room is kept there.
 *
 * @param keptOn - whose room on a node is to be left alone.
 */
export function keptRoomFilter(
  { needs, hostPorts, maxReplicasPerNode, firstGeneric, firstHostPort }: Requirements,
  { nodes }: PlacementIndex,
  overlay: PlacementOverlay,
  { service, serviceTasks }: { service: ServiceEntry; serviceTasks: (slot: number) => number },
  keptOn: (slot: number) => readonly Nominee[],
): (slot: number) => Verdict {
  return (slot) => {
    const kept = keptOn(slot);
    if (kept.length === 0) return FIT;
    const cpus = (nodes.freeNanoCpus[slot] as number) - (overlay.takenNanoCpus[slot] as number);
    if (needs.nanoCpus > 0 && cpus - keptCpus(kept) < needs.nanoCpus) return LACKS_CPUS;
    const memory = (nodes.freeMemoryBytes[slot] as number) - (overlay.takenMemoryBytes[slot] as number);
    if (needs.memoryBytes > 0 && memory - keptMemory(kept) < needs.memoryBytes) return LACKS_MEMORY;
    const lacking = needs.generic.findIndex(
      ([name, amount]) => freeGeneric(nodes, overlay, slot, name) - keptGeneric(kept, name) < amount,
    );
    if (lacking !== -1) return firstGeneric + lacking;
    const taken = hostPorts.findIndex((port) => keepsPort(kept, port));
    if (taken !== -1) return firstHostPort + taken;
    if (maxReplicasPerNode === 0) return FIT;
    const own = kept.filter((nominee) => nominee.service === service).length;
    const has = serviceTasks(slot) + service.yielding.get(slot) + own;
    return has < maxReplicasPerNode ? FIT : HAS_REPLICAS;
  };
}

/** Processors that are kept, in billionths. */
export function keptCpus(kept: readonly Nominee[]): number {
  return kept.reduce((sum, { needs }) => sum + needs.nanoCpus, 0);
}

/** Memory that is kept. */
export function keptMemory(kept: readonly Nominee[]): number {
  return kept.reduce((sum, { needs }) => sum + needs.memoryBytes, 0);
}

/** How much of a generic resource is kept. */
export function keptGeneric(kept: readonly Nominee[], resource: string): number {
  let sum = 0;
  for (const { needs } of kept)
    for (const [name, amount] of needs.generic) if (name === resource) sum += amount;
  return sum;
}

/** True when a port is kept. */
export function keepsPort(kept: readonly Nominee[], port: number): boolean {
  return kept.some(({ hostPorts }) => hostPorts.includes(port));
}
