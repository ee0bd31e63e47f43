/**
 * A call of the driver that is made again for as long as the driver says that it may succeed later. It stands between
 * the executor, which wants the step done, and a driver whose machine is busy or whose registry is away.
 */

import type { TaskStatus } from '../model/objects.ts';
import { type Clock, sleep } from '../runtime/clock.ts';
import { BackOff } from './back-off.ts';
import { aboutOf, bounded, errorText, isTemporary } from './bounded.ts';
import type { WorkerLimits } from './limits.ts';

type RetryLimits = Pick<WorkerLimits, 'retryMs' | 'retryMaxMs' | 'pullRetryMs' | 'pullRetryMaxMs'>;

/** An attempt that failed and is followed by another. */
export interface FailedAttempt {
  /** What comes next, in words. */
  readonly message: string;
  /** What went wrong, in words. */
  readonly error: string;
  readonly about: TaskStatus['about'];
  /** When the next attempt is made; milliseconds since 1970. */
  readonly retryAt: number;
}

/** One call, however often it is made. */
export interface RetriedCall {
  readonly parts: { readonly clock: Clock; readonly limits: RetryLimits };
  /** What is called, as messages name it: `prepare`. */
  readonly what: string;
  /** Milliseconds that each attempt may take; undefined: no deadline. */
  readonly deadlineMs: number | undefined;
  /** Ends the attempt under way and the wait for the next. */
  readonly signal: AbortSignal;
  /** Hears of each attempt that is followed by another. */
  readonly onRetry: (attempt: FailedAttempt) => void;
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
  const pullBackOff = new BackOff({ firstMs: limits.pullRetryMs, maxMs: limits.pullRetryMaxMs });
  for (;;) {
    try {
      return await bounded(
        { clock, signal, what, ...(deadlineMs === undefined ? {} : { deadlineMs }) },
        work,
      );
    } catch (error) {
      if (signal.aborted || !isTemporary(error)) throw error;
      const about = aboutOf(error);
      const delayMs = (about === 'image' ? pullBackOff : backOff).next();
      const told = about === 'image' ? 'image pull failed' : what;
      onRetry({
        message: `${told}: trying again in ${delayMs / 1000} s`,
        error: errorText(error),
        about,
        retryAt: clock.now() + delayMs,
      });
      await sleep(clock, delayMs, signal);
    }
  }
}
