/**
 * What is decided and not yet in the index: a scratch layer of takings over it, by slot, plus the working arrays of
 * the placement that runs on it. Placing writes here only, so the index stays what the state says, and whatever was
 * tried is dropped by {@link PlacementOverlay.reset} at the cost of what was touched.
 */

import type { AssignedGeneric } from '../../model/resources.ts';
import type { AffinityCounts } from './affinity-counts.ts';
import { GenericUse } from './generic-use.ts';
import { NodeCounts } from './node-counts.ts';
import type { NodeTable } from './node-table.ts';
import type { Needs } from './requirements.ts';
import type { ServiceEntry } from './service-entry.ts';

/** What is added anywhere is counted in the place of this number, which no node is in. */
const ANYWHERE = 0;
/** Spare counts that are kept. A decision is mostly about one service. */
const SPARE_MAX = 4;

/** One overlay carries one placement at a time, and many one after the other. */
export class PlacementOverlay {
  takenNanoCpus = new Float64Array(0);
  takenMemoryBytes = new Float64Array(0);
  /** Tasks added. */
  added = new Int32Array(0);
  /** Keys of the nodes for the group that is being placed. */
  keys = new Float64Array(0);
  /** Tasks per node of the service that is being placed, those of the index and of the overlay. */
  serviceTasks = new Int32Array(0);
  readonly #hostPorts = new Map<number, Set<number>>();
  readonly #generic = new Map<number, GenericUse>();
  readonly #services = new Map<ServiceEntry, NodeCounts>();
  readonly #counted = new Map<AffinityCounts, NodeCounts>();
  /** Counts of placements before, to be used again: one is made with every decision. */
  readonly #spare: NodeCounts[] = [];
  readonly #touched: number[] = [];
  // The service that is being placed: the one whose tasks come next, too.
  #nodes: NodeTable | undefined;
  #last: { readonly service: ServiceEntry; readonly counts: NodeCounts } | undefined;

  /** Empties the overlay, and fits it to the nodes. */
  reset(nodes: NodeTable): void {
    this.#nodes = nodes;
    if (this.keys.length < nodes.capacity) {
      this.takenNanoCpus = new Float64Array(nodes.capacity);
      this.takenMemoryBytes = new Float64Array(nodes.capacity);
      this.added = new Int32Array(nodes.capacity);
      this.keys = new Float64Array(nodes.capacity);
      this.serviceTasks = new Int32Array(nodes.capacity);
    } else {
      for (const slot of this.#touched) {
        this.takenNanoCpus[slot] = 0;
        this.takenMemoryBytes[slot] = 0;
        this.added[slot] = 0;
      }
    }
    this.#touched.length = 0;
    this.#hostPorts.clear();
    this.#generic.clear();
    this.#counted.clear();
    for (const counts of this.#services.values())
      if (this.#spare.length < SPARE_MAX) this.#spare.push(counts);
    this.#services.clear();
    this.#last = undefined;
  }

  /** So many tasks of a service are going to be placed. */
  expect(service: ServiceEntry, count: number): void {
    if (this.#services.has(service)) return;
    const expected = Math.min(count, this.keys.length);
    const counts = this.#spare.pop() ?? new NodeCounts();
    counts.reset(expected);
    this.#services.set(service, counts);
  }

  /** Takes what one task of a service needs. */
  take(
    slot: number,
    service: ServiceEntry,
    needs: Needs,
    hostPorts: readonly number[],
    generic: AssignedGeneric | undefined,
  ): void {
    if (this.added[slot] === 0) this.#touched.push(slot);
    this.added[slot] = (this.added[slot] as number) + 1;
    this.takenNanoCpus[slot] = (this.takenNanoCpus[slot] as number) + needs.nanoCpus;
    this.takenMemoryBytes[slot] = (this.takenMemoryBytes[slot] as number) + needs.memoryBytes;
    this.#countsOf(service).add(slot, 1, this.keys.length);
    if (service.watchers.length > 0) this.#count(service.watchers, slot);
    if (hostPorts.length > 0) {
      const held = this.#hostPorts.get(slot) ?? new Set<number>();
      for (const port of hostPorts) held.add(port);
      this.#hostPorts.set(slot, held);
    }
    if (needs.generic.length > 0) {
      const use = this.#generic.get(slot) ?? new GenericUse();
      use.book(needs.generic, generic, 1);
      this.#generic.set(slot, use);
    }
  }

  /** Leaves one task of a service out of the counts of a node that has it, or with `sign` 1 counts it again. */
  discount(slot: number, service: ServiceEntry, sign: 1 | -1 = -1): void {
    if (service.watchers.length > 0) this.#count(service.watchers, slot, sign);
  }

  holdsPort(slot: number, port: number): boolean {
    return this.#hostPorts.get(slot)?.has(port) ?? false;
  }

  genericUse(slot: number): GenericUse | undefined {
    return this.#generic.get(slot);
  }

  /** Tasks added that are counted there: in a place, or anywhere. */
  countedIn(counts: AffinityCounts, place?: number): number {
    return this.#counted.get(counts)?.get(place ?? ANYWHERE) ?? 0;
  }

  /** Tasks of a service added to each node. */
  serviceCounts(service: ServiceEntry): NodeCounts | undefined {
    return this.#services.get(service);
  }

  #count(watchers: readonly AffinityCounts[], slot: number, sign: 1 | -1 = 1): void {
    const node = this.#nodes?.nodes[slot];
    for (const counts of watchers) {
      const added = this.#counted.get(counts) ?? new NodeCounts();
      this.#counted.set(counts, added);
      const place = counts.places.of(slot, node);
      const places = Math.max(this.keys.length, counts.places.highest) + 1;
      if (place !== ANYWHERE) added.add(place, sign, places);
      added.add(ANYWHERE, sign, places);
    }
  }

  #countsOf(service: ServiceEntry): NodeCounts {
    if (this.#last?.service === service) return this.#last.counts;
    const counts = this.#services.get(service) ?? new NodeCounts();
    this.#services.set(service, counts);
    this.#last = { service, counts };
    return counts;
  }
}
