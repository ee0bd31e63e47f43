/** The real clock, in Node, Deno, Bun and browsers alike. The only place in core that reads time. */

import type { CancelTimer, Clock } from './clock.ts';

/** The longest delay that the host's timers honour; longer ones fire at once there, so they are chained here. */
const MAX_TIMER_MS = 2 ** 31 - 1;

const deferTurn: (callback: () => void) => CancelTimer = (() => {
  const host = globalThis as {
    setImmediate?: (callback: () => void) => unknown;
    clearImmediate?: (handle: unknown) => void;
  };
  const { setImmediate, clearImmediate } = host;
  if (setImmediate && clearImmediate) {
    return (callback) => {
      const handle = setImmediate(callback);
      return () => clearImmediate(handle);
    };
  }
  // Browsers clamp nested timeouts to 4 ms, a message is delivered in the next turn.
  const channel = new MessageChannel();
  const waiting = new Set<() => void>();
  channel.port1.onmessage = () => {
    const turn = [...waiting];
    for (const callback of turn) {
      if (waiting.delete(callback)) callback();
    }
  };
  return (callback) => {
    const once = () => callback();
    waiting.add(once);
    channel.port2.postMessage(0);
    return () => waiting.delete(once);
  };
})();

function setTimer(delayMs: number, callback: () => void): CancelTimer {
  let handle: ReturnType<typeof setTimeout>;
  const arm = (remainingMs: number) => {
    const step = Math.min(remainingMs, MAX_TIMER_MS);
    handle = setTimeout(() => (remainingMs > step ? arm(remainingMs - step) : callback()), step);
  };
  arm(Math.max(0, delayMs));
  return () => clearTimeout(handle);
}

/** The host's own time. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer,
  defer: deferTurn,
};
