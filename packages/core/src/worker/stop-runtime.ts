/**
 * Stopping a runtime that may not want to, on a driver that may not be able to: with grace first, then without, a few
 * times; then the managers are told that it may still run, and it is tried again for as long as the worker lives.
 */

import { type Clock, sleep } from '../runtime/clock.ts';
import { BackOff } from './back-off.ts';
import { bounded, errorText } from './bounded.ts';
import type { WorkerLimits } from './limits.ts';

/** One stop. */
export interface StopRequest {
  readonly parts: { readonly clock: Clock; readonly limits: WorkerLimits };
  readonly stop: (options: { readonly graceMs: number; readonly signal: AbortSignal }) => Promise<void>;
  readonly graceMs: number;
  /** Ends everything, the attempts in the background too. */
  readonly signal: AbortSignal;
  /** The end was seen otherwise: a stop that fails then has nothing more to do. */
  readonly hasEnded: () => boolean;
  /** Hears of each attempt that failed. */
  readonly onTrouble: (message: string, error: string) => void;
}

/** Stops. Resolves with undefined when it is gone, else with why it may still run; never rejects. */
export async function stopRuntime(request: StopRequest): Promise<string | undefined> {
  const { parts, signal, onTrouble } = request;
  const { stopAttempts, retryMs, retryMaxMs } = parts.limits;
  const backOff = new BackOff({ firstMs: retryMs, maxMs: retryMaxMs });
  let trouble = '';
  for (let attempt = 1; attempt <= stopAttempts; attempt++) {
    const failed = await attemptStop(request, attempt === 1 ? request.graceMs : 0);
    if (failed === undefined) return undefined;
    trouble = failed;
    onTrouble(`stopping: attempt ${attempt} of ${stopAttempts} failed`, trouble);
    if (attempt < stopAttempts) await sleep(parts.clock, backOff.next(), signal).catch(() => {});
  }
  void keepStopping(request, backOff);
  return `task: could not be stopped and may still run: ${trouble}`;
}

async function attemptStop(request: StopRequest, graceMs: number): Promise<string | undefined> {
  const { parts, signal, stop } = request;
  try {
    await bounded(
      { clock: parts.clock, signal, deadlineMs: graceMs + parts.limits.stopMarginMs, what: 'stop' },
      (own) => stop({ graceMs, signal: own }),
    );
    return undefined;
  } catch (error) {
    return signal.aborted || request.hasEnded() ? undefined : errorText(error);
  }
}

async function keepStopping(request: StopRequest, backOff: BackOff): Promise<void> {
  while (!request.signal.aborted) {
    await sleep(request.parts.clock, backOff.next(), request.signal).catch(() => {});
    if (request.signal.aborted || (await attemptStop(request, 0)) === undefined) return;
  }
}
