/** Counts what happened in simulations: how often, and above all whether the rare states were ever reached. */

/** Counters by name, in alphabetical order when shown. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + count);
  }

  count(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** All counters. */
  entries(): IterableIterator<[name: string, count: number]> {
    return this.#counts.entries();
  }

  merge(other: Tally): void {
    for (const [name, count] of other.#counts) this.add(name, count);
  }

  /** One line a counter. */
  lines(): string[] {
    const names = [...this.#counts.keys()].sort();
    const width = Math.max(0, ...names.map((name) => name.length));
    return names.map((name) => `${name.padEnd(width)}  ${this.count(name)}`);
  }
}
