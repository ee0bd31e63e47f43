/** The calls and returns of a history in order of time, as a list from which an operation can be lifted and put back. */

import type { History } from './history.ts';
import { endOf } from './history.ts';

/** The place before the first event, and after the last. */
const HEAD = 0;

/**
 * A doubly linked list in two arrays. The call of operation `i` is node `1 + i`, its return is node `1 + count + i`. At
 * equal times calls come first: then the two operations overlap.
 */
export class EventList {
  readonly #count: number;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  /** All operations must have an end. */
  constructor(history: History<unknown, unknown>) {
    const count = history.length;
    this.#count = count;
    this.#next = new Int32Array(2 * count + 1);
    this.#previous = new Int32Array(2 * count + 1);
    const events = history.flatMap((operation, index) => [
      { at: operation.call, node: 1 + index },
      { at: endOf(operation), node: 1 + count + index },
    ]);
    // Nodes of calls are the smaller ones.
    events.sort((a, b) => a.at - b.at || a.node - b.node);
    let last = HEAD;
    for (const { node } of events) {
      this.#next[last] = node;
      this.#previous[node] = last;
      last = node;
    }
    this.#next[last] = HEAD;
    this.#previous[HEAD] = last;
  }

  get isEmpty(): boolean {
    return this.#next[HEAD] === HEAD;
  }

  get first(): number {
    return this.#next[HEAD] ?? HEAD;
  }

  after(node: number): number {
    return this.#next[node] ?? HEAD;
  }

  isCall(node: number): boolean {
    return node <= this.#count;
  }

  /** Which operation an event belongs to. */
  operationAt(node: number): number {
    return node <= this.#count ? node - 1 : node - 1 - this.#count;
  }

  /** The operation that is the first to return. */
  get firstToReturn(): number {
    let node = this.first;
    while (node !== HEAD && this.isCall(node)) node = this.after(node);
    return this.operationAt(node);
  }

  /** Takes both events of an operation out. */
  lift(operation: number): void {
    this.#unlink(1 + operation);
    this.#unlink(1 + this.#count + operation);
  }

  /** Puts both back where they were. Operations must come back in the reverse order. */
  unlift(operation: number): void {
    this.#relink(1 + this.#count + operation);
    this.#relink(1 + operation);
  }

  #unlink(node: number): void {
    const next = this.#next[node] ?? HEAD;
    const previous = this.#previous[node] ?? HEAD;
    this.#next[previous] = next;
    this.#previous[next] = previous;
  }

  #relink(node: number): void {
    this.#next[this.#previous[node] ?? HEAD] = node;
    this.#previous[this.#next[node] ?? HEAD] = node;
  }
}
