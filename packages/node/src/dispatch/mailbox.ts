/** Items of several makers on their way to one reader, who takes them one at a time. */

interface Waiting<T> {
  readonly item: T;
  readonly taken: () => void;
}

/** A queue that its makers wait for: whoever puts something in goes on once it was taken. */
export class Mailbox<T> implements AsyncIterable<T> {
  readonly #waiting: Waiting<T>[] = [];
  #end: { readonly error: unknown } | undefined;
  #wake: () => void = () => {};

  /** Puts an item in. Resolves when it was taken, or will never be. */
  put(item: T): Promise<void> {
    if (this.#end !== undefined) return Promise.resolve();
    return new Promise((taken) => {
      this.#waiting.push({ item, taken });
      this.#wake();
    });
  }

  /** Ends it for the reader: at once with an error, and behind what is in it without one. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = { error };
    if (error !== undefined) this.#discard();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    try {
      for (;;) {
        const next = this.#waiting.shift();
        if (next !== undefined) {
          next.taken();
          yield next.item;
        } else if (this.#end !== undefined) {
          if (this.#end.error !== undefined) throw this.#end.error;
          return;
        } else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      }
    } finally {
      this.#end ??= { error: undefined };
      this.#discard();
    }
  }

  #discard(): void {
    for (const { taken } of this.#waiting.splice(0)) taken();
  }
}
