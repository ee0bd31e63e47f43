/** Waiting on the driver's own clock. */

import type { DriverContext } from '@skep/core/driver';

/** Resolves after the time. @throws the signal's reason on abort. */
export function pause(clock: DriverContext['clock'], ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.setTimer(ms, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}
