/**
 * What a control loop has to look at again at some time, though nothing may have changed by then. A binary heap with
 * lazy deletion. It holds nothing that could not be had again from the state.
 */

interface Entry<Key> {
  readonly key: Key;
  readonly at: number;
}

/** Keys by the time at which they are due, each at most once. Times in milliseconds since 1970. */
export class WakeQueue<Key> {
  readonly #due = new Map<Key, number>();
  #heap: Entry<Key>[] = [];

  /** Makes the key due at this time, and no more at the one before; without a time, not at all. */
  set(key: Key, at: number | undefined): void {
    if (at === undefined) {
      this.#due.delete(key);
      return;
    }
    if (this.#due.get(key) === at) return;
    this.#due.set(key, at);
    if (this.#heap.length > 64 && this.#heap.length > 2 * this.#due.size) this.#rebuild();
    else this.#push({ key, at });
  }

  delete(key: Key): void {
    this.#due.delete(key);
  }

  clear(): void {
    this.#due.clear();
    this.#heap = [];
  }

  /** The earliest time at which a key is due, if there is any. */
  next(): number | undefined {
    for (let top = this.#heap[0]; top !== undefined; top = this.#heap[0]) {
      if (this.#due.get(top.key) === top.at) return top.at;
      this.#pop();
    }
    return undefined;
  }

  /** Takes out the keys that are due by this time, earliest first. */
  takeDue(at: number): Key[] {
    const keys: Key[] = [];
    for (let next = this.next(); next !== undefined && next <= at; next = this.next()) {
      const top = this.#pop();
      if (top === undefined) break;
      this.#due.delete(top.key);
      keys.push(top.key);
    }
    return keys;
  }

  #rebuild(): void {
    // A sorted array is a heap.
    this.#heap = Array.from(this.#due, ([key, at]) => ({ key, at })).sort((a, b) => a.at - b.at);
  }

  #push(entry: Entry<Key>): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex];
      if (parent === undefined || parent.at <= entry.at) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = entry;
  }

  #pop(): Entry<Key> | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let childIndex = index * 2 + 1;
      let child = heap[childIndex];
      if (child === undefined) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && right.at < child.at) {
        child = right;
        childIndex++;
      }
      if (last.at <= child.at) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
    return first;
  }
}

/** The first of these times; undefined when there is none. */
export function earliest(...times: readonly (number | undefined)[]): number | undefined {
  let first: number | undefined;
  for (const time of times) if (time !== undefined && (first === undefined || time < first)) first = time;
  return first;
}
