/**
 * The nodes that may take tasks of one kind (ready, and as constraints, platform and plugins ask), those with the
 * fewest active tasks first, each branch of the spread preferences for itself. It is what lets a few tasks be placed
 * without a look at all nodes: made once, then repaired node by node when it is used, at the cost of what changed
 * since.
 *
 * An indexed binary heap for each branch, which is walked in order without being taken apart.
 */

import type { Node } from '../../model/objects.ts';
import type { NodeMarks } from './node-marks.ts';
import type { NodeTable } from './node-table.ts';
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
  /** By leaf: the slots, as a heap. */
  #heaps: number[][] = [];
  /**
   * By slot: active tasks and the row, as of the last repair. Copies, since a heap is not to change under its own hands
   * while several nodes differ.
   */
  #keys = new Float64Array(0);
  /** By slot: the leaf that the node is in, or {@link NOWHERE}. */
  #leaves = new Int32Array(0);
  /** By slot: where in its heap. */
  #places = new Int32Array(0);
  #readTo = NOWHERE;

  constructor(nodes: NodeTable, notes: CandidateNotes) {
    this.#nodes = nodes;
    this.#notes = notes;
  }

  /** Leaves with candidates. Valid until the next {@link repair}. */
  *leaves(): Generator<number, undefined, undefined> {
    for (const [leaf, heap] of this.#heaps.entries()) if (heap.length > 0) yield leaf;
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
    return new CandidateWalk(this.#heaps[leaf] ?? [], this.#keys, added);
  }

  #rebuild(): number {
    const { length, capacity } = this.#nodes;
    this.#heaps = [];
    this.#keys = new Float64Array(capacity);
    this.#leaves = new Int32Array(capacity).fill(NOWHERE);
    this.#places = new Int32Array(capacity);
    for (let slot = 0; slot < length; slot++) {
      const leaf = this.#leafOf(slot);
      if (leaf === NOWHERE) continue;
      const heap = this.#heapOf(leaf);
      this.#leaves[slot] = leaf;
      this.#keys[slot] = this.#keyOf(slot);
      this.#places[slot] = heap.length;
      heap.push(slot);
    }
    for (const heap of this.#heaps) {
      for (let at = (heap.length >> 1) - 1; at >= 0; at--) this.#sink(heap, at);
    }
    return length;
  }

  #look(slot: number): void {
    if (slot >= this.#keys.length) this.#grow();
    const before = this.#leaves[slot] as number;
    const leaf = this.#leafOf(slot);
    if (before === leaf) {
      if (leaf !== NOWHERE) this.#move(slot, leaf);
      return;
    }
    if (before !== NOWHERE) this.#take(slot, before);
    if (leaf === NOWHERE) return;
    const heap = this.#heapOf(leaf);
    this.#leaves[slot] = leaf;
    this.#keys[slot] = this.#keyOf(slot);
    heap.push(slot);
    this.#rise(heap, heap.length - 1);
  }

  /** Its key is another now: it goes up or down from where it is. */
  #move(slot: number, leaf: number): void {
    const key = this.#keyOf(slot);
    const was = this.#keys[slot] as number;
    if (key === was) return;
    this.#keys[slot] = key;
    const heap = this.#heapOf(leaf);
    if (key > was) this.#sink(heap, this.#places[slot] as number);
    else this.#rise(heap, this.#places[slot] as number);
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

  #heapOf(leaf: number): number[] {
    while (this.#heaps.length <= leaf) this.#heaps.push([]);
    return this.#heaps[leaf] as number[];
  }

  #take(slot: number, leaf: number): void {
    const heap = this.#heapOf(leaf);
    const at = this.#places[slot] as number;
    const last = heap.pop() as number;
    this.#leaves[slot] = NOWHERE;
    if (at === heap.length) return;
    heap[at] = last;
    this.#places[last] = at;
    this.#sink(heap, at);
    this.#rise(heap, this.#places[last] as number);
  }

  #rise(heap: number[], from: number): void {
    const keys = this.#keys;
    const slot = heap[from] as number;
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const other = heap[above] as number;
      if ((keys[slot] as number) > (keys[other] as number)) break;
      heap[at] = other;
      this.#places[other] = at;
      at = above;
    }
    heap[at] = slot;
    this.#places[slot] = at;
  }

  #sink(heap: number[], from: number): void {
    const keys = this.#keys;
    const slot = heap[from] as number;
    let at = from;
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      const right = heap[child + 1];
      if (right !== undefined && (keys[right] as number) < (keys[heap[child] as number] as number))
        child += 1;
      const other = heap[child] as number;
      if ((keys[other] as number) > (keys[slot] as number)) break;
      heap[at] = other;
      this.#places[other] = at;
      at = child;
    }
    heap[at] = slot;
    this.#places[slot] = at;
  }

  #grow(): void {
    const { capacity } = this.#nodes;
    const keys = new Float64Array(capacity);
    const leaves = new Int32Array(capacity).fill(NOWHERE);
    const places = new Int32Array(capacity);
    keys.set(this.#keys);
    leaves.set(this.#leaves);
    places.set(this.#places);
    this.#keys = keys;
    this.#leaves = leaves;
    this.#places = places;
  }
}

/**
 * Goes along the nodes of a heap in order and leaves it as it is: the next node is the best of those whose parent was
 * given out. A node that was given tasks since is put back under its true key when it comes up.
 */
export class CandidateWalk {
  readonly #heap: readonly number[];
  readonly #keys: Float64Array;
  readonly #added: Int32Array;
  // The nodes that the walk has come to, as a heap too, in two arrays of plain numbers: a walk begins with every few
  // tasks, and would make more objects than all the rest of placing them.
  readonly #frontKeys: number[] = [];
  /** Where the node is in the heap; one that was put back under its true key has its slot here, below 0. */
  readonly #frontPlaces: number[] = [];

  constructor(heap: readonly number[], keys: Float64Array, added: Int32Array) {
    this.#heap = heap;
    this.#keys = keys;
    this.#added = added;
    this.#reach(0);
  }

  /** The next node's slot; -1 when there is none. */
  next(): number {
    while (this.#frontKeys.length > 0) {
      const place = this.#frontPlaces[0] as number;
      this.#dropFirst();
      if (place < 0) return -1 - place;
      this.#reach(2 * place + 1);
      this.#reach(2 * place + 2);
      const slot = this.#heap[place] as number;
      const added = this.#added[slot] as number;
      if (added === 0) return slot;
      this.#push(place, added);
    }
    return -1;
  }

  #reach(place: number): void {
    if (place < this.#heap.length) this.#push(place, 0);
  }

  /** @param added - tasks of the node that its kept key does not tell of. Its key is worked out here: a number that
   *   is passed on and is not small would be an object. */
  #push(heapPlace: number, added: number): void {
    const slot = this.#heap[heapPlace] as number;
    const key = (this.#keys[slot] as number) + added * TASK;
    const place = added === 0 ? heapPlace : -1 - slot;
    const keys = this.#frontKeys;
    const places = this.#frontPlaces;
    let at = keys.length;
    keys.push(key);
    places.push(place);
    for (let above = (at - 1) >> 1; at > 0; at = above, above = (at - 1) >> 1) {
      const other = keys[above] as number;
      if (key > other) break;
      keys[at] = other;
      places[at] = places[above] as number;
    }
    keys[at] = key;
    places[at] = place;
  }

  #dropFirst(): void {
    const keys = this.#frontKeys;
    const places = this.#frontPlaces;
    const key = keys.pop() as number;
    const place = places.pop() as number;
    const { length } = keys;
    if (length === 0) return;
    let at = 0;
    for (let child = 1; child < length; child = 2 * at + 1) {
      if (child + 1 < length && (keys[child + 1] as number) < (keys[child] as number)) child += 1;
      const other = keys[child] as number;
      if (other > key) break;
      keys[at] = other;
      places[at] = places[child] as number;
      at = child;
    }
    keys[at] = key;
    places[at] = place;
  }
}
