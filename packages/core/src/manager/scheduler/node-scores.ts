/**
 * Which node is better for tasks that have rules of affinity, or that fill one node after the other: after the one where
 * the service failed less of late comes the one that breaks fewer of the preferred rules; then, where nodes are filled,
 * the one of which a task leaves the least free and that has more tasks, else the one with fewer tasks of the service and
 * fewer at all, as for everybody.
 */

import type { PlacementCandidate } from '../../model/placement.ts';
import { brokenPreferences, tasksNear } from './affinity.ts';
import { FAULTY_FROM } from './node-order.ts';
import type { PlacementIndex } from './placement-index.ts';
import type { PlacementOverlay } from './placement-overlay.ts';
import type { PlacementRequest } from './placement-request.ts';
import { toNanoCpus } from './requirements.ts';

// 8 bits of failures, 5 of rules, two fields of 19: 51 bits, exact in a double.
const FIELD = 2 ** 19;
const FIELD_MAX = FIELD - 1;
const BROKEN_MAX = 31;
const FAILURES_MAX = 255;

/** Scores of nodes for one request. They change with what the overlay takes. */
export class NodeScores {
  readonly #request: PlacementRequest;
  readonly #index: PlacementIndex;
  readonly #overlay: PlacementOverlay;
  readonly #faulty: ReadonlyMap<number, number> | undefined;

  constructor(request: PlacementRequest, index: PlacementIndex, overlay: PlacementOverlay) {
    this.#request = request;
    this.#index = index;
    this.#overlay = overlay;
    this.#faulty = request.service.failures.get(request.specVersion)?.faulty(request.at);
  }

  /** The key of the node in a slot: lower is better. */
  key(slot: number): number {
    const failures = this.#failures(slot);
    const faults = failures >= FAULTY_FROM ? Math.min(failures, FAILURES_MAX) : 0;
    const rank = faults * (BROKEN_MAX + 1) + Math.min(this.#broken(slot), BROKEN_MAX);
    const tasks = Math.min(this.#tasks(slot), FIELD_MAX);
    const [first, second] = this.#request.requirements.binpack
      ? [Math.round(this.#freeShare(slot) * FIELD_MAX), FIELD_MAX - tasks]
      : [Math.min(this.#overlay.serviceTasks[slot] as number, FIELD_MAX), tasks];
    return (rank * FIELD + first) * FIELD + second;
  }

  /** All that nodes are compared by, of one. */
  tell(slot: number): Omit<PlacementCandidate, 'nodeId' | 'spread'> {
    const { affinity, binpack } = this.#request.requirements;
    return {
      failures: this.#failures(slot),
      ...(affinity === undefined || affinity.preferred.length === 0 ? {} : { broken: this.#broken(slot) }),
      ...(binpack ? { free: Math.round(this.#freeShare(slot) * 1_000) / 1_000 } : {}),
      serviceTasks: this.#overlay.serviceTasks[slot] as number,
      tasks: this.#tasks(slot),
    };
  }

  /** Whether a task on this node makes other nodes better than they were: the first near to which others want to be. */
  attracts(slot: number): boolean {
    const { affinity } = this.#request.requirements;
    if (!affinity?.isSelf) return false;
    return affinity.preferred.some(
      (rule) =>
        rule.isSelf &&
        rule.kind === 'affinity' &&
        !rule.counts.places.single &&
        tasksNear(rule, slot, this.#index.nodes, this.#overlay) === 0,
    );
  }

  #failures(slot: number): number {
    return this.#faulty?.get(slot) ?? 0;
  }

  #broken(slot: number): number {
    const { affinity } = this.#request.requirements;
    return affinity === undefined ? 0 : brokenPreferences(affinity, slot, this.#index.nodes, this.#overlay);
  }

  #tasks(slot: number): number {
    return (this.#index.nodes.active[slot] as number) + (this.#overlay.added[slot] as number);
  }

  /** Of its processors and its memory, the mean share that one more task leaves free: from 0 to 1. */
  #freeShare(slot: number): number {
    const { nodes } = this.#index;
    const { needs } = this.#request.requirements;
    const offer = nodes.nodes[slot]?.description.resources;
    const cpus = (nodes.freeNanoCpus[slot] as number) - (this.#overlay.takenNanoCpus[slot] as number);
    const memory = (nodes.freeMemoryBytes[slot] as number) - (this.#overlay.takenMemoryBytes[slot] as number);
    const free =
      shareOf(cpus - needs.nanoCpus, toNanoCpus(offer?.cpus ?? 0)) +
      shareOf(memory - needs.memoryBytes, offer?.memoryBytes ?? 0);
    return free / 2;
  }
}

function shareOf(free: number, all: number): number {
  return all <= 0 ? 0 : Math.min(1, Math.max(0, free / all));
}
