/**
 * Notes about nodes that depend on the node alone, such as whether it meets a set of constraints: worked out when
 * first asked for, kept by slot, and forgotten for a node that changed. Never worked out as a whole.
 */

import type { Node } from '../../model/objects.ts';

const UNKNOWN = -1;

/** One note per node: a small number from 0. */
export class NodeMarks {
  #marks: Int8Array | Int32Array;
  readonly #of: (node: Node) => number;

  /**
   * @param of - works the note of a node out.
   * @param width - `small` notes are up to 127 and take a byte each; `wide` ones take four.
   */
  constructor(of: (node: Node) => number, width: 'small' | 'wide') {
    this.#of = of;
    this.#marks = width === 'small' ? new Int8Array(0) : new Int32Array(0);
  }

  /** The note of the node in a slot. */
  get(slot: number, node: Node): number {
    if (slot >= this.#marks.length) this.#grow(slot);
    const known = this.#marks[slot] as number;
    if (known !== UNKNOWN) return known;
    const mark = this.#of(node);
    this.#marks[slot] = mark;
    return mark;
  }

  /** The node in this slot changed. */
  forget(slot: number): void {
    if (slot < this.#marks.length) this.#marks[slot] = UNKNOWN;
  }

  #grow(slot: number): void {
    const length = Math.max(64, 2 * slot);
    const marks = this.#marks instanceof Int8Array ? new Int8Array(length) : new Int32Array(length);
    marks.fill(UNKNOWN);
    marks.set(this.#marks);
    this.#marks = marks;
  }
}
