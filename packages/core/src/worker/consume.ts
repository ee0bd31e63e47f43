/** Reading a stream that may neither end nor notice that nobody reads it any more. */

/**
 * Gives each item to `take`, in order, the next once the one before is taken. Resolves when the stream ends.
 *
 * @throws the signal's reason as soon as it aborts, even while the stream hangs; what the stream or `take` throws.
 */
export async function consume<T>(
  stream: AsyncIterable<T>,
  signal: AbortSignal,
  take: (item: T) => void | Promise<void>,
): Promise<void> {
  const iterator = stream[Symbol.asyncIterator]();
  let onAbort = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
  aborted.catch(() => {});
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      if (next.done) return;
      const taken = take(next.value);
      if (taken) await Promise.race([taken, aborted]);
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    iterator.return?.().catch(() => {});
  }
}
