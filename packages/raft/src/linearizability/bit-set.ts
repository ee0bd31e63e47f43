/** Sets of small whole numbers, as words of 32 bits. */

/** A set that knows how far it is full from below, and has a short key while little lies beyond. */
export class BitSet {
  readonly #words: Uint32Array;
  #size = 0;
  #full = 0;

  constructor(capacity: number) {
    this.#words = new Uint32Array((capacity + 31) >>> 5);
  }

  add(index: number): void {
    this.#words[index >>> 5] = (this.#words[index >>> 5] ?? 0) | (1 << (index & 31));
    this.#size++;
    while (hasBit(this.#words, this.#full)) this.#full++;
  }

  delete(index: number): void {
    this.#words[index >>> 5] = (this.#words[index >>> 5] ?? 0) & ~(1 << (index & 31));
    this.#size--;
    this.#full = Math.min(this.#full, index);
  }

  /** The same text exactly for the same set. */
  get key(): string {
    let text = this.#full.toString(36);
    let beyond = this.#size - this.#full;
    for (let at = this.#full >>> 5; beyond > 0; at++) {
      let word = this.#words[at] ?? 0;
      if (at === this.#full >>> 5) word &= ~(2 ** (this.#full & 31) - 1);
      text += `.${(word >>> 0).toString(36)}`;
      for (let rest = word; rest !== 0; rest &= rest - 1) beyond--;
    }
    return text;
  }
}

/** Is a number in the set? */
export function hasBit(words: Uint32Array, index: number): boolean {
  return (((words[index >>> 5] ?? 0) >>> (index & 31)) & 1) === 1;
}

/** The set with one number more. */
export function withBit(words: Uint32Array, index: number): Uint32Array {
  const more = words.slice();
  more[index >>> 5] = (more[index >>> 5] ?? 0) | (1 << (index & 31));
  return more;
}

/** Is all of one in the other? */
export function isSubset(one: Uint32Array, other: Uint32Array): boolean {
  return one.every((word, at) => (word & ~(other[at] ?? 0)) === 0);
}
