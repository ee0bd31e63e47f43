/** The host's own time and randomness, in Node and in browsers: the only place here that touches either. */

import type { Random } from '../core/types.ts';
import type { RaftClock } from './ports.ts';

/** The host's clock. */
export const systemRaftClock: RaftClock = {
  monotonic: () => performance.now(),
  setTimer: (delayMs, callback) => {
    const handle = setTimeout(callback, delayMs);
    return () => clearTimeout(handle);
  },
  defer: (callback) => {
    // Browsers have no setImmediate, and a timer of 0 does there.
    const { setImmediate: immediate } = globalThis as { setImmediate?: (run: () => void) => unknown };
    let isCancelled = false;
    const run = () => {
      if (!isCancelled) callback();
    };
    if (immediate === undefined) setTimeout(run, 0);
    else immediate(run);
    return () => {
      isCancelled = true;
    };
  },
};

/** The host's randomness, from its cryptographic source. */
export const systemRaftRandom: Random = {
  next: () => {
    const [high = 0, low = 0] = crypto.getRandomValues(new Uint32Array(2));
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  },
};
