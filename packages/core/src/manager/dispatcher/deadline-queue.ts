/**
 * One queue of deadlines for all nodes, with one timer. Moving a deadline later, as each heartbeat does, costs nothing
 * but a write: the queue looks again when the old one comes.
 */

import type { CancelTimer, Clock } from '../../runtime/clock.ts';

interface Entry<Key> {
  readonly key: Key;
  /** Where it stands in the heap, by monotonic time. Never later than `deadline`, so it is never missed. */
  place: number;
  deadline: number;
  /** Taken back; skipped when its place comes. */
  cancelled: boolean;
}

/** Deadlines by key, at most one each. */
export class DeadlineQueue<Key> {
  readonly #clock: Clock;
  readonly #onDue: (keys: readonly Key[]) => void;
  readonly #entries = new Map<Key, Entry<Key>>();
  readonly #heap: Entry<Key>[] = [];
  #cancelTimer: CancelTimer = () => {};
  #timerAt = Number.POSITIVE_INFINITY;

  /** @param onDue Is given all keys whose deadlines have come, together; they are forgotten before. */
  constructor(clock: Clock, onDue: (keys: readonly Key[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** Sets or moves the deadline of a key, in milliseconds from now. */
  set(key: Key, inMs: number): void {
    const deadline = this.#clock.monotonic() + inMs;
    const entry = this.#entries.get(key);
    if (entry && deadline >= entry.place) {
      entry.deadline = deadline;
      return;
    }
    if (entry) entry.cancelled = true;
    const fresh = { key, place: deadline, deadline, cancelled: false };
    this.#entries.set(key, fresh);
    this.#push(fresh);
    this.#arm();
  }

  delete(key: Key): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    entry.cancelled = true;
    this.#entries.delete(key);
  }

  /** Forgets everything and stops the timer. */
  clear(): void {
    this.#entries.clear();
    this.#heap.length = 0;
    this.#cancelTimer();
    this.#timerAt = Number.POSITIVE_INFINITY;
  }

  #arm(): void {
    const first = this.#heap[0];
    if (!first || first.place >= this.#timerAt) return;
    this.#cancelTimer();
    this.#timerAt = first.place;
    this.#cancelTimer = this.#clock.setTimer(Math.max(0, first.place - this.#clock.monotonic()), () =>
      this.#look(),
    );
  }

  #look(): void {
    this.#cancelTimer = () => {};
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = this.#clock.monotonic();
    const due: Key[] = [];
    for (let first = this.#heap[0]; first && first.place <= now; first = this.#heap[0]) {
      this.#shift();
      if (first.cancelled) continue;
      if (first.deadline > now) {
        first.place = first.deadline;
        this.#push(first);
      } else {
        this.#entries.delete(first.key);
        due.push(first.key);
      }
    }
    this.#arm();
    if (due.length > 0) this.#onDue(due);
  }

  #push(entry: Entry<Key>): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (!parent || parent.place <= entry.place) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  #shift(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = index * 2 + 1;
      let child = heap[childIndex];
      if (!child) break;
      const right = heap[childIndex + 1];
      if (right && right.place < child.place) {
        child = right;
        childIndex += 1;
      }
      if (child.place >= last.place) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}
