/**
 * Bounds on what others do. A driver or a dispatcher may throw before it returns a promise, hang, ignore its signal,
 * or answer long after nobody asks any more; whoever calls through here gets an answer in time, and nothing of that
 * escapes as an unhandled rejection.
 */

import { isSkepError } from '../errors.ts';
import type { TaskStatus } from '../model/objects.ts';
import type { Clock } from '../runtime/clock.ts';
import { ERROR_TEXT_MAX } from './limits.ts';

/** Something took longer than it may. */
export class DeadlineError extends Error {
  override readonly name = 'DeadlineError';
}

/** How far a call may go. */
export interface Bounds {
  readonly clock: Clock;
  /** Aborting it ends the wait at once. */
  readonly signal: AbortSignal;
  /** Milliseconds; absent: no deadline. */
  readonly deadlineMs?: number;
  /** What is waited for, as the error names it: `prepare`. */
  readonly what: string;
}

/**
 * Calls `work` and waits for it, at most until the deadline or the abort; both abort the signal that `work` is given.
 *
 * @throws DeadlineError after the deadline; the signal's reason on abort; else what `work` throws.
 */
export function bounded<T>(
  bounds: Bounds,
  work: (signal: AbortSignal) => Promise<T> | T,
): Promise<Awaited<T>> {
  const { clock, signal, deadlineMs, what } = bounds;
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(signal.reason);
      return;
    }
    const own = new AbortController();
    const onAbort = () => finish(() => reject(signal.reason), signal.reason);
    const cancelTimer =
      deadlineMs === undefined
        ? () => {}
        : clock.setTimer(deadlineMs, () => {
            const error = new DeadlineError(`${what} did not end within ${deadlineMs} ms`);
            finish(() => reject(error), error);
          });
    let finished = false;
    const finish = (settle: () => void, abandoned?: unknown) => {
      if (finished) return;
      finished = true;
      cancelTimer();
      signal.removeEventListener('abort', onAbort);
      settle();
      if (abandoned !== undefined) own.abort(abandoned);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    // In a promise's executor, so that a synchronous throw becomes a rejection like any other.
    new Promise<T>((done) => done(work(own.signal))).then(
      (value) => finish(() => resolve(value as Awaited<T>)),
      (error: unknown) => finish(() => reject(error)),
    );
  });
}

/** Whether the same call may succeed later, by the driver's own word. */
export function isTemporary(error: unknown): boolean {
  return isSkepError(error) && error.code === 'DRIVER' && error.retryable;
}

/** What the driver says that it was about, if anything. */
export function aboutOf(error: unknown): TaskStatus['about'] {
  return isSkepError(error) && error.code === 'DRIVER' && 'about' in error && error.about === 'image'
    ? 'image'
    : undefined;
}

/** What an error of unknown make says, in words and at bearable length. Never throws. */
export function errorText(error: unknown): string {
  let text: string;
  try {
    text = error instanceof Error ? error.message : String(error);
  } catch {
    text = 'an error that can not be told';
  }
  if (text === '') text = 'an error without a message';
  return text.length > ERROR_TEXT_MAX ? `${text.slice(0, ERROR_TEXT_MAX - 1)}…` : text;
}
