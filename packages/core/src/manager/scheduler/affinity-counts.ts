/**
 * How many tasks that a rule of affinity is about stand in each place, kept up task by task. Places are numbered from 1;
 * 0 is no place. Where each node is its own place, a node's number is its slot and one.
 */

import type { ConstraintKey } from '../../model/constraint.ts';
import { constraintValue } from '../../model/constraint-match.ts';
import type { Node } from '../../model/objects.ts';
import { NodeCounts } from './node-counts.ts';
import { NodeMarks } from './node-marks.ts';

/** Nodes by their value under one key. */
export class Places {
  /** Each node is a place of its own. */
  readonly single: boolean;
  readonly #marks: NodeMarks | undefined;
  readonly #numbers = new Map<string, number>();

  constructor(key: ConstraintKey) {
    this.single = key.kind === 'node.id';
    if (this.single) return;
    this.#marks = new NodeMarks((node) => this.#numberOf(constraintValue(node, key)), 'wide');
  }

  /** The number of the place that the node in a slot is in; 0: in none. */
  of(slot: number, node: Node | undefined): number {
    if (this.#marks === undefined) return slot + 1;
    return node === undefined ? 0 : this.#marks.get(slot, node);
  }

  /** The highest number so far; 0 where numbers are those of the slots. */
  get highest(): number {
    return this.#numbers.size;
  }

  /** The node in this slot changed. */
  forget(slot: number): void {
    this.#marks?.forget(slot);
  }

  #numberOf(value: string): number {
    if (value === '') return 0;
    const known = this.#numbers.get(value);
    if (known !== undefined) return known;
    this.#numbers.set(value, this.#numbers.size + 1);
    return this.#numbers.size;
  }
}

/** Tasks by node and by place. */
export class AffinityCounts {
  readonly places: Places;
  /** Counted are tasks that are meant to run; or all that hold a place, those that are to stop included. */
  readonly basis: 'active' | 'holding';
  readonly #bySlot = new NodeCounts();
  readonly #byPlace = new NodeCounts();
  #total = 0;

  constructor(places: Places, basis: 'active' | 'holding') {
    this.places = places;
    this.basis = basis;
  }

  /** Tasks anywhere. */
  get total(): number {
    return this.#total;
  }

  /** Tasks in a place. */
  in(place: number): number {
    return place === 0 ? 0 : this.#byPlace.get(place);
  }

  /**
   * Counts tasks on a node.
   *
   * @param slots - how many node slots there are.
   * @returns whether the place has its first tasks now, or none any more.
   */
  add(slot: number, node: Node | undefined, delta: number, slots: number): boolean {
    this.#bySlot.add(slot, delta, slots);
    this.#total += delta;
    return this.#addIn(this.places.of(slot, node), delta, slots);
  }

  /** The node in this slot went from one place to another. @returns as {@link add} */
  move(slot: number, from: number, to: number, slots: number): boolean {
    const tasks = this.#bySlot.get(slot);
    const [left, joined] = [this.#addIn(from, -tasks, slots), this.#addIn(to, tasks, slots)];
    return left || joined;
  }

  /** The node in this slot is gone, with its tasks. @returns as {@link add} */
  clear(slot: number, node: Node | undefined, slots: number): boolean {
    return this.add(slot, node, -this.#bySlot.get(slot), slots);
  }

  #addIn(place: number, delta: number, slots: number): boolean {
    if (place === 0 || delta === 0) return false;
    const before = this.#byPlace.get(place);
    this.#byPlace.add(place, delta, Math.max(slots, this.places.highest) + 1);
    return (before === 0) !== (before + delta === 0);
  }
}
