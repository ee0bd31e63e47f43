/**
 * How the steps of a simulated driver wait: each under a signal of its own, so that its caller's abort and the
 * driver's close both end it, whatever it waits for. It knows nothing of tasks.
 */

/** The steps under way. */
export class Operations {
  readonly #running = new Set<AbortController>();

  /** Runs one step under a signal that aborts when the caller's does, or with {@link abort}. */
  async run<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    // Not AbortSignal.any: on Node 20 it keeps a trace of each use on the longer-lived signal.
    const operation = new AbortController();
    const onAbort = () => operation.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#running.add(operation);
    try {
      return await work(operation.signal);
    } finally {
      this.#running.delete(operation);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Aborts all that are under way. */
  abort(reason: Error): void {
    for (const operation of this.#running) operation.abort(reason);
  }
}

/** A step that ends when its signal does, unless scripted to be deaf. */
export function never(signal: AbortSignal, deaf: boolean | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (deaf) return;
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/**
 * Resolves with what `read` gives as soon as it gives something.
 *
 * @param listen - calls back at each change that `read` may see, until the function that it returns is called.
 */
export function changed<T>(
  listen: (look: () => void) => () => void,
  signal: AbortSignal,
  read: () => T | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = () => {
      try {
        const found = read();
        if (found === undefined) return;
        done();
        resolve(found);
      } catch (error) {
        done();
        reject(error);
      }
    };
    const onAbort = () => {
      done();
      reject(signal.reason);
    };
    const unlisten = listen(look);
    const done = () => {
      unlisten();
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else look();
  });
}
