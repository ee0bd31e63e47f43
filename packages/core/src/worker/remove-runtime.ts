/** Removing what a driver keeps of a task, for as long as it takes: what is left behind would be left for ever. */

import { type Clock, sleep } from '../runtime/clock.ts';
import { BackOff } from './back-off.ts';
import { bounded, errorText } from './bounded.ts';
import type { WorkerLimits } from './limits.ts';

/** One removal. */
export interface RemoveRequest {
  readonly parts: { readonly clock: Clock; readonly limits: WorkerLimits };
  readonly remove: (options: { readonly signal: AbortSignal }) => Promise<void>;
  /** Gives up. */
  readonly signal: AbortSignal;
  /** Hears of each attempt that failed. */
  readonly onTrouble: (error: string) => void;
}

/** Removes. Resolves with true when all is gone, with false once the signal is aborted; never rejects. */
export async function removeRuntime({ parts, remove, signal, onTrouble }: RemoveRequest): Promise<boolean> {
  const { clock, limits } = parts;
  const backOff = new BackOff({ firstMs: limits.retryMs, maxMs: limits.retryMaxMs });
  while (!signal.aborted) {
    try {
      await bounded({ clock, signal, deadlineMs: limits.removeMs, what: 'remove' }, (own) =>
        remove({ signal: own }),
      );
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      onTrouble(errorText(error));
      await sleep(clock, backOff.next(), signal).catch(() => {});
    }
  }
  return false;
}
