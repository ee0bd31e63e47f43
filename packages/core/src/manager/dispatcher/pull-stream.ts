/**
 * A stream whose items are made when they are asked for: between two of them what changes gathers where it stands,
 * so a slow reader gets newer items, not more of them.
 */

/** One stream for one reader. A second reader takes the place of the first and is served from the start. */
export class PullStream<T> implements AsyncIterable<T> {
  readonly #make: (first: boolean) => T | undefined;
  #reader: Reader<T> | undefined;
  #ended = false;

  /** @param make The next item, or undefined while there is none. `first`: of this reader. */
  constructor(make: (first: boolean) => T | undefined) {
    this.#make = make;
  }

  /** There may be an item now. */
  wake(): void {
    this.#reader?.wake();
  }

  /** Ends the stream for its reader, after no further item. */
  end(): void {
    this.#ended = true;
    this.#reader?.end();
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    this.#reader?.end();
    const reader = new Reader(this.#make);
    if (this.#ended) reader.end();
    this.#reader = reader;
    return reader;
  }
}

class Reader<T> implements AsyncIterator<T, undefined> {
  readonly #make: (first: boolean) => T | undefined;
  readonly #waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];
  #first = true;
  #ended = false;

  constructor(make: (first: boolean) => T | undefined) {
    this.#make = make;
  }

  next(): Promise<IteratorResult<T, undefined>> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.wake();
    });
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  wake(): void {
    while (this.#waiting.length > 0 && !this.#ended) {
      const value = this.#make(this.#first);
      if (value === undefined) return;
      this.#first = false;
      this.#waiting.shift()?.({ done: false, value });
    }
    if (this.#ended) this.end();
  }

  end(): void {
    this.#ended = true;
    for (const resolve of this.#waiting.splice(0)) resolve({ done: true, value: undefined });
  }
}
