/**
 * A set of slots, as bits: a service of a million replicas is filled into it, and worked off, without ever being
 * copied or rehashed as a whole. Slots are numbers of replicas or rows of nodes, small and dense.
 */

const BITS = 32;

/** A set of small whole numbers. */
export class SlotSet {
  #words = new Int32Array(0);
  #size = 0;
  /** No number below the first bit of this word is in the set. */
  #from = 0;

  static of(slots: Iterable<number>): SlotSet {
    const set = new SlotSet();
    for (const slot of slots) set.add(slot);
    return set;
  }

  get size(): number {
    return this.#size;
  }

  has(slot: number): boolean {
    return (((this.#words[slot >>> 5] ?? 0) >>> (slot & 31)) & 1) === 1;
  }

  add(slot: number): void {
    if (this.has(slot)) return;
    const word = slot >>> 5;
    if (word >= this.#words.length) this.#grow(word);
    this.#words[word] = (this.#words[word] as number) | (1 << (slot & 31));
    this.#size += 1;
    if (word < this.#from) this.#from = word;
  }

  delete(slot: number): void {
    if (!this.has(slot)) return;
    const word = slot >>> 5;
    this.#words[word] = (this.#words[word] as number) & ~(1 << (slot & 31));
    this.#size -= 1;
  }

  /** Takes out whatever is in the other set. */
  deleteAll(other: SlotSet): void {
    const words = this.#words;
    const length = Math.min(words.length, other.#words.length);
    for (let word = 0; word < length; word++) {
      const before = words[word] as number;
      const gone = before & (other.#words[word] as number);
      if (gone === 0) continue;
      words[word] = before & ~gone;
      this.#size -= bitsIn(gone);
    }
  }

  /** The lowest slot. Working a set off from its lowest slot costs as much as going through it once. */
  first(): number | undefined {
    if (this.#size === 0) return undefined;
    while (this.#words[this.#from] === 0) this.#from += 1;
    return this.#from * BITS + lowestBit(this.#words[this.#from] as number);
  }

  /** Ascending. The slot that was given last may be deleted on the way. */
  *[Symbol.iterator](): Generator<number, undefined, undefined> {
    for (let word = this.#from; word < this.#words.length; word++) {
      for (let bits = this.#words[word] as number; bits !== 0; bits &= bits - 1) {
        yield word * BITS + lowestBit(bits);
      }
    }
  }

  #grow(word: number): void {
    const words = new Int32Array(Math.max(4, word + 1, 2 * this.#words.length));
    words.set(this.#words);
    this.#words = words;
  }
}

function lowestBit(bits: number): number {
  return 31 - Math.clz32(bits & -bits);
}

/** The number of bits set in 32, one at a time: sets that have much in common are rare. */
function bitsIn(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}
