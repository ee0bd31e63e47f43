/**
 * Time as a port. Everything that waits, stamps or yields asks a clock, so that a whole cluster can run under
 * virtual time from one seed. Only `system-clock.ts` may touch the real one.
 */

/** Cancels a timer. Safe to call after it fired. */
export type CancelTimer = () => void;

/** The clock that the whole of Skep runs by. */
export interface Clock {
  /** Wall time in milliseconds since 1970. May jump; only for stamping what people read. */
  now(): number;
  /** Monotonic time in milliseconds from an arbitrary start. For measuring and for deadlines. */
  monotonic(): number;
  /** Calls back once after at least `delayMs`. */
  setTimer(delayMs: number, callback: () => void): CancelTimer;
  /** Calls back in a later turn of the event loop: how long work lets others in between its slices. */
  defer(callback: () => void): CancelTimer;
}

/** Resolves after `delayMs`, or rejects with the signal's reason when that comes first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const onAbort = () => {
      cancel();
      reject(signal?.reason);
    };
    const cancel = clock.setTimer(delayMs, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Resolves in a later turn of the event loop. */
export function yieldTurn(clock: Clock): Promise<void> {
  return new Promise((resolve) => {
    clock.defer(resolve);
  });
}
