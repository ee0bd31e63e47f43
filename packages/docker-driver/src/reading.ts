/** Reading a stream of the engine: for as long as it lasts, the reader's end and the driver's are its end. */

import type { OpenEngine } from './open-engine.ts';

/** A reading that goes on. */
export interface Reading {
  /** It is over: nothing ends it any more. */
  done(): void;
  /** @throws why it was ended from outside, if it was */
  throwIfEnded(): void;
}

/** @param end - ends the stream, when the signal aborts or the driver is closed. */
export function whileReading(
  operation: OpenEngine['operation'],
  signal: AbortSignal | undefined,
  end: () => void,
): Reading {
  let isEnded = false;
  let reason: unknown;
  let done = () => {};
  const over = new Promise<void>((resolve) => {
    done = resolve;
  });
  const onEnd = (why: unknown) => {
    isEnded = true;
    reason = why;
    end();
  };
  operation(signal, (own) => {
    own.addEventListener('abort', () => onEnd(own.reason), { once: true });
    return over;
  }).catch((error: unknown) => {
    // The signal had aborted, or the driver was closed, before the reading began.
    if (!isEnded) onEnd(error);
  });
  return {
    done,
    throwIfEnded: () => {
      if (isEnded) throw reason;
    },
  };
}
