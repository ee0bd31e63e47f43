/** How the steps of a simulated driver wait. It knows nothing of tasks. */

/** A step that ends when its signal does, unless scripted to be deaf. */
export function never(signal: AbortSignal, deaf: boolean | undefined): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (deaf) return;
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

/**
 * Resolves with what `read` gives as soon as it gives something.
 *
 * @param listen - calls back at each change that `read` may see, until the function that it returns is called.
 */
export function changed<T>(
  listen: (look: () => void) => () => void,
  signal: AbortSignal,
  read: () => T | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const look = () => {
      try {
        const found = read();
        if (found === undefined) return;
        done();
        resolve(found);
      } catch (error) {
        done();
        reject(error);
      }
    };
    const onAbort = () => {
      done();
      reject(signal.reason);
    };
    const unlisten = listen(look);
    const done = () => {
      unlisten();
      signal.removeEventListener('abort', onAbort);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    else look();
  });
}
