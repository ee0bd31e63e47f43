/** Waiting for a task's end beside its health watch: whichever comes first, an end or a verdict, ends both. */

/** Why a watch ends that nobody needs any more; never shown. */
const OVER = new Error('the task is no longer watched');

/**
 * Waits for the end for as long as the task is healthy.
 *
 * @param watch - resolves with why it is unhealthy; given the signal that ends it.
 * @param signal - ends the wait and the watch.
 * @throws Error with the verdict when it is unhealthy; the signal's reason on abort; what `exited` rejects with.
 */
export async function whileHealthy<T>(
  watch: (signal: AbortSignal) => Promise<string>,
  exited: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  const watching = new AbortController();
  const endWatch = () => watching.abort(signal.reason);
  signal.addEventListener('abort', endWatch, { once: true });
  const unhealthy = watch(watching.signal);
  try {
    return await Promise.race([
      exited,
      unhealthy.then((reason): never => {
        throw new Error(reason);
      }),
    ]);
  } finally {
    signal.removeEventListener('abort', endWatch);
    watching.abort(OVER);
  }
}
