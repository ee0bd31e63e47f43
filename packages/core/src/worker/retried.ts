/**
 * A call of the driver that is made again for as long as the driver says that it may succeed later. It stands between
 * the executor, which wants the step done, and a driver whose machine is busy or whose registry is away.
 */

import { type Clock, sleep } from '../runtime/clock.ts';
import { BackOff } from './back-off.ts';
import { bounded, errorText, isTemporary } from './bounded.ts';
import type { WorkerLimits } from './limits.ts';

/** One call, however often it is made. */
export interface RetriedCall {
  readonly parts: { readonly clock: Clock; readonly limits: Pick<WorkerLimits, 'retryMs' | 'retryMaxMs'> };
  /** What is called, as messages name it: `prepare`. */
  readonly what: string;
  /** Milliseconds that each attempt may take; undefined: no deadline. */
  readonly deadlineMs: number | undefined;
  /** Ends the attempt under way and the wait for the next. */
  readonly signal: AbortSignal;
  /** Hears of each attempt that is followed by another. */
  readonly onRetry: (message: string, error: string) => void;
}

/**
 * Calls until it succeeds or fails for good.
 *
 * @throws what the last attempt threw, if not temporary; the signal's reason on abort.
 */
export async function retried<T>(
  { parts, what, deadlineMs, signal, onRetry }: RetriedCall,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<Awaited<T>> {
  const { clock, limits } = parts;
  const backOff = new BackOff({ firstMs: limits.retryMs, maxMs: limits.retryMaxMs });
  for (;;) {
    try {
      return await bounded(
        { clock, signal, what, ...(deadlineMs === undefined ? {} : { deadlineMs }) },
        work,
      );
    } catch (error) {
      if (signal.aborted || !isTemporary(error)) throw error;
      const delayMs = backOff.next();
      onRetry(`${what}: trying again in ${delayMs / 1000} s`, errorText(error));
      await sleep(clock, delayMs, signal);
    }
  }
}
