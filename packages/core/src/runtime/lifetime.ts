/**
 * How long something lives, for those who must end with it. An AbortSignal would do, but hosts take many listeners on
 * one signal for a leak, and here they are the rule: every wait and every watch of a cluster.
 */

/** The life of an object: it ends once, and whoever asked is told. */
export class Lifetime {
  readonly #listeners = new Set<(reason: Error) => void>();
  #reason: Error | undefined;

  /** Why it ended; `undefined` while it lasts. */
  get ended(): Error | undefined {
    return this.#reason;
  }

  /** Ends it. Only the first call counts. */
  end(reason: Error): void {
    if (this.#reason) return;
    this.#reason = reason;
    const told = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of told) listener(reason);
  }

  /** Calls back once when it ends, at once if it has. Returns the way to be spared that. */
  onEnd(listener: (reason: Error) => void): () => void {
    if (this.#reason) {
      listener(this.#reason);
      return () => {};
    }
    const own = (reason: Error) => listener(reason);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }
}
