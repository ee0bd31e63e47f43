/**
 * How many tasks of one service are active on each node: a small map from node slots to counts. A thousand services
 * on ten thousand nodes make a million of such pairs, so they are kept as integers in one typed array, not as
 * objects: an open-addressing hash while the service stands on few nodes, a plain array once that is smaller.
 */

/** Cells of a new table; a power of two. */
const CELLS_MIN = 8;
/** Knuth's multiplicative hashing: 2^32 divided by the golden ratio. */
const MULTIPLIER = 0x9e3779b1;

/** Counts by node slot. A slot that was never counted has 0. */
export class NodeCounts {
  // Hash: pairs of slot + 1 and count. Dense: one count a slot. Empty cells are 0 in both.
  #cells = new Int32Array(0);
  #mask = -1;
  #dense = false;
  #size = 0;

  /** @param expected - how many slots will have a count, as far as is known: saves growing to that size. */
  constructor(expected = 0) {
    if (expected > 0) this.#resize(cellsFor(expected));
  }

  /** Forgets all counts, and makes room for as many as are expected now. */
  reset(expected: number): void {
    this.#size = 0;
    if (!this.#dense && cellsFor(expected) <= this.#mask + 1) {
      this.#cells.fill(0);
      return;
    }
    this.#dense = false;
    this.#cells = new Int32Array(0);
    this.#resize(cellsFor(expected));
  }

  /** How many slots have a count other than 0. */
  get size(): number {
    return this.#size;
  }

  /** The count of one slot. */
  get(slot: number): number {
    const cells = this.#cells;
    if (this.#dense) return slot < cells.length ? (cells[slot] as number) : 0;
    if (this.#size === 0) return 0;
    const at = this.#find(slot);
    return cells[2 * at] === 0 ? 0 : (cells[2 * at + 1] as number);
  }

  /**
   * Adds to the count of one slot.
   *
   * @param slots - how many node slots there are, more than any slot that is counted; tells when a plain array is the
   *   smaller form.
   */
  add(slot: number, delta: number, slots: number): void {
    if (delta === 0) return;
    if (this.#dense) {
      this.#addDense(slot, delta);
      return;
    }
    if (this.#cells.length === 0) this.#resize(CELLS_MIN);
    const at = this.#find(slot);
    if (this.#cells[2 * at] === 0) {
      this.#size += 1;
      this.#cells[2 * at] = slot + 1;
      this.#cells[2 * at + 1] = delta;
      // At most three quarters full, so that probes stay short.
      if (this.#size * 4 > (this.#mask + 1) * 3) this.#grow(slots);
      return;
    }
    const count = (this.#cells[2 * at + 1] as number) + delta;
    if (count === 0) this.#remove(at);
    else this.#cells[2 * at + 1] = count;
  }

  /** Forgets one slot. */
  clear(slot: number, slots: number): void {
    this.add(slot, -this.get(slot), slots);
  }

  /** Calls `visit` for each slot with a count other than 0, in no particular order. */
  forEach(visit: (slot: number, count: number) => void): void {
    const cells = this.#cells;
    if (this.#dense) {
      for (let slot = 0; slot < cells.length; slot++) {
        const count = cells[slot] as number;
        if (count !== 0) visit(slot, count);
      }
      return;
    }
    for (let cell = 0; cell < cells.length; cell += 2) {
      const key = cells[cell] as number;
      if (key !== 0) visit(key - 1, cells[cell + 1] as number);
    }
  }

  /** Adds all counts to an array by slot, or takes them away with `sign` -1. */
  addTo(totals: Int32Array, sign: 1 | -1): void {
    const cells = this.#cells;
    if (this.#dense) {
      const end = Math.min(cells.length, totals.length);
      for (let slot = 0; slot < end; slot++) {
        totals[slot] = (totals[slot] as number) + sign * (cells[slot] as number);
      }
      return;
    }
    for (let cell = 0; cell < cells.length; cell += 2) {
      const slot = (cells[cell] as number) - 1;
      if (slot >= 0) totals[slot] = (totals[slot] as number) + sign * (cells[cell + 1] as number);
    }
  }

  #addDense(slot: number, delta: number): void {
    if (slot >= this.#cells.length) {
      const cells = new Int32Array(Math.max(slot + 1, 2 * this.#cells.length));
      cells.set(this.#cells);
      this.#cells = cells;
    }
    const before = this.#cells[slot] as number;
    const count = before + delta;
    this.#cells[slot] = count;
    if (before === 0) this.#size += 1;
    else if (count === 0) this.#size -= 1;
  }

  /** The cell of a slot, or the empty one where it belongs. */
  #find(slot: number): number {
    const cells = this.#cells;
    let at = this.#home(slot);
    for (let key = cells[2 * at] as number; key !== 0 && key !== slot + 1; key = cells[2 * at] as number) {
      at = (at + 1) & this.#mask;
    }
    return at;
  }

  #home(slot: number): number {
    return (Math.imul(slot + 1, MULTIPLIER) >>> 15) & this.#mask;
  }

  #grow(slots: number): void {
    const cells = 2 * (this.#mask + 1);
    if (2 * cells < slots) {
      this.#resize(cells);
      return;
    }
    const dense = new Int32Array(slots);
    this.forEach((slot, count) => {
      dense[slot] = count;
    });
    this.#cells = dense;
    this.#dense = true;
  }

  #resize(cells: number): void {
    const old = this.#cells;
    this.#cells = new Int32Array(2 * cells);
    this.#mask = cells - 1;
    for (let cell = 0; cell < old.length; cell += 2) {
      const key = old[cell] as number;
      if (key === 0) continue;
      const at = this.#find(key - 1);
      this.#cells[2 * at] = key;
      this.#cells[2 * at + 1] = old[cell + 1] as number;
    }
  }

  /** Empties a cell, and moves later ones of the same run up, so that no probe ends too early (Knuth 6.4, R). */
  #remove(at: number): void {
    const cells = this.#cells;
    this.#size -= 1;
    let hole = at;
    for (let next = (at + 1) & this.#mask; cells[2 * next] !== 0; next = (next + 1) & this.#mask) {
      const home = this.#home((cells[2 * next] as number) - 1);
      if (((next - home) & this.#mask) < ((next - hole) & this.#mask)) continue;
      cells[2 * hole] = cells[2 * next] as number;
      cells[2 * hole + 1] = cells[2 * next + 1] as number;
      hole = next;
    }
    cells[2 * hole] = 0;
    cells[2 * hole + 1] = 0;
  }
}

/** How many cells hold so many counts without growing. */
function cellsFor(expected: number): number {
  return 2 ** Math.ceil(Math.log2((expected * 4) / 3 + CELLS_MIN));
}
