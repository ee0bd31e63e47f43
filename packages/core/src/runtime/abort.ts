/** Waiting with an end: abort signals and deadlines, the same for everything awaitable. */

import { AbortedError, InvalidSpecError, TimeoutError } from '../errors.ts';
import type { Finding } from '../model/finding.ts';
import type { Clock } from './clock.ts';
import type { Lifetime } from './lifetime.ts';

/** How long a caller is willing to wait, and how the caller gives up. */
export interface WaitOptions {
  /** Gives up when aborted: the wait ends with an AbortedError. */
  readonly signal?: AbortSignal;
  /** Milliseconds after which the wait ends with a TimeoutError. Default: no limit. */
  readonly timeout?: number;
}

/** Resolves once the signal is aborted. */
export function waitForAbort(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/**
 * Runs something that can be aborted under a caller's signal and deadline.
 *
 * @param parts - `reasons` and `findings` are asked at the time-out for what stood in the way, in words and as data; the
 *   end of `lifetime` ends the wait.
 * @throws AbortedError, TimeoutError, the lifetime's reason, or what `run` throws.
 */
export async function withDeadline<T>(
  clock: Clock,
  options: WaitOptions,
  what: string,
  run: (signal: AbortSignal) => Promise<T>,
  parts: {
    readonly reasons?: (() => readonly string[]) | undefined;
    readonly findings?: (() => readonly Finding[]) | undefined;
    readonly lifetime?: Lifetime;
  } = {},
): Promise<T> {
  const { signal, timeout } = options;
  if (timeout !== undefined && !(timeout >= 0)) {
    throw new InvalidSpecError([{ field: 'timeout', rule: 'must be a number of milliseconds, 0 or more' }]);
  }
  if (signal?.aborted) throw new AbortedError(signal.reason);
  const controller = new AbortController();
  const ended = new Promise<never>((_, reject) => {
    controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
  });
  const onAbort = () => controller.abort(new AbortedError(signal?.reason));
  signal?.addEventListener('abort', onAbort, { once: true });
  const stopLiving = parts.lifetime?.onEnd((reason) => controller.abort(reason));
  const cancelTimer =
    timeout === undefined
      ? () => {}
      : clock.setTimer(timeout, () => {
          const [reasons, findings] = [parts.reasons?.() ?? [], parts.findings?.() ?? []];
          controller.abort(new TimeoutError(`${what} did not come within ${timeout} ms`, reasons, findings));
        });
  try {
    return await Promise.race([run(controller.signal), ended]);
  } finally {
    cancelTimer();
    stopLiving?.();
    signal?.removeEventListener('abort', onAbort);
    // Nobody listens any more, and an end that comes later is no fault.
    ended.catch(() => {});
  }
}
