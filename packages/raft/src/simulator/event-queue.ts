/** What is going to happen, in order of time; what is due at the same moment happens in the order it was planned. */

interface Planned {
  readonly at: number;
  readonly order: number;
  readonly happen: () => void;
}

/** A binary heap on (time, order). */
export class EventQueue {
  #heap: Planned[] = [];
  #order = 0;
  #now = 0;

  /** Virtual time: when the event that happened last was due. */
  get now(): number {
    return this.#now;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Plans something `delay` from now. */
  plan(delay: number, happen: () => void): void {
    this.planAt(this.#now + Math.max(0, delay), happen);
  }

  /** Plans something for a moment that is not past. */
  planAt(moment: number, happen: () => void): void {
    const heap = this.#heap;
    let at = heap.length;
    heap.push({ at: Math.max(this.#now, moment), order: this.#order++, happen });
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapIfLater(parent, at)) return;
      at = parent;
    }
  }

  /** Lets the next thing happen. Returns false if nothing is planned. */
  next(): boolean {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (first === undefined || last === undefined) return false;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    this.#now = first.at;
    first.happen();
    return true;
  }

  #sink(): void {
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      const earlier = this.#isLater(left, left + 1) ? left + 1 : left;
      if (!this.#swapIfLater(at, earlier)) return;
      at = earlier;
    }
  }

  #isLater(one: number, other: number): boolean {
    const a = this.#heap[one];
    const b = this.#heap[other];
    if (a === undefined || b === undefined) return false;
    return a.at > b.at || (a.at === b.at && a.order > b.order);
  }

  #swapIfLater(one: number, other: number): boolean {
    if (!this.#isLater(one, other)) return false;
    const a = this.#heap[one];
    const b = this.#heap[other];
    if (a === undefined || b === undefined) return false;
    this.#heap[one] = b;
    this.#heap[other] = a;
    return true;
  }
}
