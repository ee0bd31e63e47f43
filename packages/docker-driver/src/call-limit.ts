/** So many calls to the engine at a time: an engine that is asked for fifty containers at once makes them slower. */

/** Best for a whole burst, as measured on Docker 20.10: 8 to 16 at a time; 50 at once are slower than 8. */
export const CONCURRENT_CALLS = 8;

/**
 * A queue of calls, first come, first served: were starts to overtake creations, the last container would be made and
 * started alone when all others run.
 */
export class CallLimit {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  /** @param concurrent Calls at a time. Drivers that share an engine should share a limit. */
  constructor(concurrent: number = CONCURRENT_CALLS) {
    if (!Number.isInteger(concurrent) || concurrent < 1)
      throw new RangeError('concurrent: must be 1 or more');
    this.#free = concurrent;
  }

  /** Runs the call when its turn comes. One whose signal has aborted by then is not made. */
  async run<T>(work: () => Promise<T>, { signal }: { readonly signal?: AbortSignal } = {}): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal?.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
