/** So many calls to the engine at a time: an engine that is asked for fifty containers at once makes them slower. */

/** Best for a whole burst, as measured on Docker 20.10: 8 to 16 at a time; 50 at once are slower than 8. */
export const CONCURRENT_CALLS = 8;

/**
 * A queue of calls, first come, first served. A container's start goes on in the turn of its creation: were all of a
 * burst created first, or starts to overtake, the burst would take longer as a whole.
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

  /** Waits for a turn. The returned function gives it back; again does nothing. @throws the signal's reason. */
  async take(signal?: AbortSignal): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let isHeld = true;
    const giveBack = () => {
      if (!isHeld) return;
      isHeld = false;
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    };
    if (signal?.aborted) giveBack();
    signal?.throwIfAborted();
    return giveBack;
  }

  /** Runs the call when its turn comes. One whose signal has aborted by then is not made. */
  async run<T>(work: () => Promise<T>, { signal }: { readonly signal?: AbortSignal } = {}): Promise<T> {
    const giveBack = await this.take(signal);
    try {
      return await work();
    } finally {
      giveBack();
    }
  }
}
