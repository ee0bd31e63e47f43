/**
 * What is under way in a driver: each operation has a signal of its own, so that its caller's abort and the driver's
 * close both end it, whatever it waits for. It knows nothing of tasks.
 */

/** The operations under way. */
export class DriverOperations {
  readonly #running = new Set<AbortController>();

  /**
   * Runs one under a signal that aborts when the caller's does, or with {@link abort}.
   *
   * @throws the signal's reason once it has aborted; else what `work` throws.
   */
  async run<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    signal?.throwIfAborted();
    // Not AbortSignal.any: on Node 20 it keeps a trace of each use on the longer-lived signal.
    const operation = new AbortController();
    const onAbort = () => operation.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#running.add(operation);
    try {
      return await work(operation.signal);
    } catch (error) {
      throw operation.signal.aborted ? operation.signal.reason : error;
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
