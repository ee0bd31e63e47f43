/**
 * The nodes that may take tasks of one kind (ready, and as constraints, platform and plugins ask), those with the
 * fewest active tasks first, each branch of the spread preferences for itself. It is what lets a few tasks be placed
 * without a look at all nodes: made once, then repaired node by node when it is used, at the cost of what changed
 * since.
 *
 * Slots in order for each branch, which are walked along without being taken apart.
 */

import type { Node } from '../../model/objects.ts';
import type { NodeMarks } from './node-marks.ts';
import type { NodeTable } from './node-table.ts';
import { OrderedSlots, type SlotWalk } from './ordered-slots.ts';
import { FIT } from './verdicts.ts';

const NOWHERE = -1;
/** What one active task adds to a node's key: more than any row number. */
const TASK = 2 ** 32;
/** Beyond so many tasks on one node the order is that of the rows. Keeps keys exact in a double. */
const TASKS_MAX = 2 ** 21 - 1;

/** What makes a node a candidate, and of which branch. Both are remembered by node, and forgotten when it changes. */
export interface CandidateNotes {
  /** Verdicts on the nodes; undefined: all will do. */
  readonly judgements: NodeMarks | undefined;
  /** Leaves of the spread layout; undefined: all nodes are in branch 0. */
  readonly leaves: NodeMarks | undefined;
}

/** Candidates of one kind. Slots and rows are those of the node table. */
export class CandidateOrder {
  readonly #nodes: NodeTable;
  readonly #notes: CandidateNotes;
  /** By leaf. */
  #orders: OrderedSlots[] = [];
  /** By slot: active tasks and the row, as of the last repair: what a node stands in its order by. */
  #keys = new Float64Array(0);
  /** By slot: the leaf that the node is in, or {@link NOWHERE}. */
  #leaves = new Int32Array(0);
  #readTo = NOWHERE;

  constructor(nodes: NodeTable, notes: CandidateNotes) {
    this.#nodes = nodes;
    this.#notes = notes;
  }

  /** Leaves with candidates. Valid until the next {@link repair}. */
  *leaves(): Generator<number, undefined, undefined> {
    for (const [leaf, order] of this.#orders.entries()) if (order.size > 0) yield leaf;
  }

  /** Takes in what changed of the nodes since the last time. @returns how many nodes it looked at for that. */
  repair(): number {
    const { touched } = this.#nodes;
    const from = this.#readTo;
    this.#readTo = touched.count;
    const news = touched.count - from;
    // With half of all nodes to look at again, putting all in order at once is the cheaper way.
    if (from === NOWHERE || !touched.reaches(from) || 2 * news > this.#nodes.length) return this.#rebuild();
    touched.forEachSince(from, (slot) => this.#look(slot));
    return news;
  }

  /**
   * A walk over the candidates of a leaf, best first.
   *
   * @param added - tasks added to nodes by slot, beyond those that the node table knows.
   */
  walk(leaf: number, added: Int32Array): CandidateWalk {
    return new CandidateWalk(this.#orderOf(leaf).walk(), this.#keys, added);
  }

  #rebuild(): number {
    const { length, capacity } = this.#nodes;
    this.#keys = new Float64Array(capacity);
    this.#leaves = new Int32Array(capacity).fill(NOWHERE);
    const members: number[][] = [];
    for (let slot = 0; slot < length; slot++) {
      const leaf = this.#leafOf(slot);
      if (leaf === NOWHERE) continue;
      while (members.length <= leaf) members.push([]);
      members[leaf]?.push(slot);
      this.#leaves[slot] = leaf;
      this.#keys[slot] = this.#keyOf(slot);
    }
    this.#orders = members.map((slots) => OrderedSlots.of(slots, (slot) => this.#keys[slot] as number));
    return length;
  }

  #look(slot: number): void {
    if (slot >= this.#keys.length) this.#grow();
    const before = this.#leaves[slot] as number;
    const leaf = this.#leafOf(slot);
    const was = this.#keys[slot] as number;
    const key = leaf === NOWHERE ? was : this.#keyOf(slot);
    if (before === leaf && key === was) return;
    if (before !== NOWHERE) this.#orderOf(before).remove(was);
    this.#leaves[slot] = leaf;
    this.#keys[slot] = key;
    if (leaf !== NOWHERE) this.#orderOf(leaf).insert(slot, key);
  }

  #leafOf(slot: number): number {
    const node: Node | undefined = this.#nodes.nodes[slot];
    if (node === undefined || this.#nodes.takesTasks[slot] !== 1) return NOWHERE;
    const { judgements, leaves } = this.#notes;
    if (judgements && judgements.get(slot, node) !== FIT) return NOWHERE;
    return leaves === undefined ? 0 : leaves.get(slot, node);
  }

  #keyOf(slot: number): number {
    const { active, rows } = this.#nodes;
    return Math.min(active[slot] as number, TASKS_MAX) * TASK + (rows[slot] as number);
  }

  #orderOf(leaf: number): OrderedSlots {
    while (this.#orders.length <= leaf) this.#orders.push(new OrderedSlots());
    return this.#orders[leaf] as OrderedSlots;
  }

  #grow(): void {
    const { capacity } = this.#nodes;
    const keys = new Float64Array(capacity);
    const leaves = new Int32Array(capacity).fill(NOWHERE);
    keys.set(this.#keys);
    leaves.set(this.#leaves);
    this.#keys = keys;
    this.#leaves = leaves;
  }
}

/**
 * Goes along the nodes of a leaf, best first, and leaves their order as it is. A node that was given tasks since is put
 * back under its true key when it comes up.
 */
export class CandidateWalk {
  readonly #walk: SlotWalk;
  readonly #keys: Float64Array;
  readonly #added: Int32Array;
  // The nodes that were put back, as a heap in two arrays of plain numbers: a walk begins with every few tasks, and
  // would make more objects than all the rest of placing them.
  readonly #backKeys: number[] = [];
  readonly #backSlots: number[] = [];

  constructor(walk: SlotWalk, keys: Float64Array, added: Int32Array) {
    this.#walk = walk;
    this.#keys = keys;
    this.#added = added;
  }

  /** The next node's slot; -1 when there is none. */
  next(): number {
    const walk = this.#walk;
    for (let slot = walk.slot; slot !== -1; slot = walk.slot) {
      if (this.#backKeys.length > 0 && (this.#backKeys[0] as number) < (this.#keys[slot] as number)) break;
      walk.pass();
      if (this.#added[slot] === 0) return slot;
      this.#putBack(slot);
    }
    return this.#takeBack();
  }

  #putBack(slot: number): void {
    const key = (this.#keys[slot] as number) + (this.#added[slot] as number) * TASK;
    const keys = this.#backKeys;
    const slots = this.#backSlots;
    let at = keys.length;
    keys.push(key);
    slots.push(slot);
    for (let above = (at - 1) >> 1; at > 0; at = above, above = (at - 1) >> 1) {
      const other = keys[above] as number;
      if (key > other) break;
      keys[at] = other;
      slots[at] = slots[above] as number;
    }
    keys[at] = key;
    slots[at] = slot;
  }

  #takeBack(): number {
    const keys = this.#backKeys;
    const slots = this.#backSlots;
    const first = slots[0] ?? -1;
    if (first === -1) return -1;
    const key = keys.pop() as number;
    const slot = slots.pop() as number;
    const { length } = keys;
    if (length === 0) return first;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && (keys[child + 1] as number) < (keys[child] as number)) child += 1;
      const other = keys[child] as number;
      if (other > key) break;
      keys[at] = other;
      slots[at] = slots[child] as number;
      at = child;
    }
    keys[at] = key;
    slots[at] = slot;
    return first;
  }
}
