/**
 * How the tasks of one service are spread over the nodes, as rebalancing looks at it: the same branches and counts that
 * the scheduler goes by, so that what is moved lands where it is expected.
 */

import type { Task } from '../../../model/objects.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { compileFilters, type Filter } from '../../scheduler/filters.ts';
import type { PlacementIndex } from '../../scheduler/placement-index.ts';
import type { PlacementOverlay } from '../../scheduler/placement-overlay.ts';
import { hostPortsOf, type Requirements } from '../../scheduler/requirements.ts';
import { groupKey, type ServiceEntry } from '../../scheduler/service-entry.ts';
import { FIT } from '../../scheduler/verdicts.ts';

/** What a receiver would gain by a task of a donor: both are slots of the node table. */
export interface Gain {
  /** By how many tasks of the service the outermost branches differ in which the two are apart. */
  readonly branches: number;
  /** By how many tasks of the service the nodes differ. */
  readonly nodes: number;
}

/** One service's tasks by node and branch, with moves that are planned taken in. */
export class SpreadOfService {
  readonly requirements: Requirements;
  readonly entry: ServiceEntry;
  readonly #index: PlacementIndex;
  readonly #filter: Filter;
  /** Active tasks by slot. */
  readonly #counts: Int32Array;
  /** Tasks by branch of the spread preferences; the root's are all. */
  readonly #branches: Int32Array;
  readonly #leaves: Int32Array;
  readonly #parents: readonly number[];

  constructor(
    sample: Task,
    entry: ServiceEntry,
    parts: {
      readonly index: PlacementIndex;
      readonly overlay: PlacementOverlay;
      readonly state: ClusterState;
    },
  ) {
    const { index, overlay, state } = parts;
    const key = groupKey(sample.specVersion, hostPortsOf(sample.ports));
    this.entry = entry;
    this.requirements = index.requirementsOf(entry, key, sample, state);
    this.#index = index;
    this.#counts = new Int32Array(index.nodes.capacity);
    entry.active.addTo(this.#counts, 1);
    const countOn = (slot: number) => this.count(slot);
    this.#filter = compileFilters(this.requirements, index, overlay, countOn, entry);
    const layout = index.notes.layoutOf(this.requirements);
    this.#leaves = new Int32Array(index.nodes.capacity);
    for (let slot = 0; slot < index.nodes.length; slot++) {
      const node = index.nodes.nodes[slot];
      if (node && layout) this.#leaves[slot] = layout.leaves.get(slot, node);
    }
    this.#parents = layout?.parents ?? [-1];
    this.#branches = new Int32Array(this.#parents.length);
    for (let slot = 0; slot < index.nodes.length; slot++) this.#add(slot, this.count(slot));
  }

  /** Tasks on a node. */
  count(slot: number): number {
    return this.#counts[slot] as number;
  }

  /** The node that the scheduler would give the next task; -1 when none is fit. @param active - tasks by slot */
  receiver(active: Int32Array): number {
    const { nodes } = this.#index;
    let best = -1;
    for (let slot = 0; slot < nodes.length; slot++) {
      if (nodes.takesTasks[slot] !== 1 || this.#filter(slot) !== FIT) continue;
      if (best === -1 || this.#isBefore(slot, best, active)) best = slot;
    }
    return best;
  }

  /** What it would bring to move a task from one node to another. */
  gain(donor: number, receiver: number): Gain {
    const nodes = this.count(donor) - this.count(receiver);
    const [from, to] = [this.#path(donor), this.#path(receiver)];
    for (const [level, branch] of from.entries()) {
      const other = to[level];
      if (other !== undefined && other !== branch) {
        return { branches: (this.#branches[branch] as number) - (this.#branches[other] as number), nodes };
      }
    }
    return { branches: nodes, nodes };
  }

  /** Takes in that a task moves. */
  move(donor: number, receiver: number): void {
    this.#counts[donor] = this.count(donor) - 1;
    this.#counts[receiver] = this.count(receiver) + 1;
    this.#add(donor, -1);
    this.#add(receiver, 1);
  }

  #add(slot: number, tasks: number): void {
    for (let branch = this.#leaves[slot] as number; branch !== -1; branch = this.#parents[branch] ?? -1) {
      this.#branches[branch] = (this.#branches[branch] as number) + tasks;
    }
  }

  /** The branches above a node, outermost first. */
  #path(slot: number): number[] {
    const path: number[] = [];
    for (let branch = this.#leaves[slot] as number; branch !== -1; branch = this.#parents[branch] ?? -1)
      path.unshift(branch);
    return path;
  }

  #isBefore(slot: number, other: number, active: Int32Array): boolean {
    const { branches, nodes } = this.gain(slot, other);
    if (branches !== 0) return branches < 0;
    if (nodes !== 0) return nodes < 0;
    const tasks = (active[slot] as number) - (active[other] as number);
    return tasks === 0
      ? (this.#index.nodes.rows[slot] as number) < (this.#index.nodes.rows[other] as number)
      : tasks < 0;
  }
}
