/**
 * Which nodes have changed of late, for whoever keeps something about them and brings it up to date only when asked:
 * a ring of slots. A reader remembers how far it has read; one that comes too late is told so, and starts anew.
 */

/** Changes that are kept; a power of two. About as many as a large cluster has nodes: past that, starting anew is as cheap. */
const KEPT = 16_384;

/** The newest changes, by slot. */
export class TouchLog {
  readonly #slots = new Int32Array(KEPT);
  #count = 0;

  /** How many changes there were so far: where a reader that is up to date has got to. */
  get count(): number {
    return this.#count;
  }

  /** The node in this slot changed. */
  note(slot: number): void {
    this.#slots[this.#count & (KEPT - 1)] = slot;
    this.#count += 1;
  }

  /** True when all changes since a reader got to `count` are still kept. */
  reaches(count: number): boolean {
    return this.#count - count <= KEPT;
  }

  /** Calls `visit` for each change since a reader got to `count`, a slot as often as it changed. */
  forEachSince(count: number, visit: (slot: number) => void): void {
    for (let at = count; at < this.#count; at++) visit(this.#slots[at & (KEPT - 1)] as number);
  }
}
