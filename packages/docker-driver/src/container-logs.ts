/** Following a task's output: from the engine's stream to chunks, until the task ends or the reader gives up. */

import type { LogChunk, LogOptions, RuntimeTask } from '@skep/core/driver';
import type { OpenEngine } from './open-engine.ts';
import { logQuery, readRaw, readTimedFrames } from './task-logs.ts';

/**
 * Reads it. A reader that gives up has reached its end, and does not fail; one whose driver is closed does.
 *
 * @param existing - gives the task's container.
 */
export async function* readTaskLogs(
  { engine, context, operation }: OpenEngine,
  { spec }: RuntimeTask,
  options: LogOptions,
  existing: (signal: AbortSignal) => Promise<string>,
): AsyncGenerator<LogChunk> {
  if (options.signal?.aborted) return;
  const isTerminal = spec.tty;
  const source = await operation(undefined, async (signal) =>
    engine.open({ what: 'logs', signal }, `/containers/${await existing(signal)}/logs`, {
      ...logQuery(options, isTerminal),
      follow: options.follow ?? false,
    }),
  );
  // For as long as the reading lasts, the driver's end is its end.
  const reading = new AbortController();
  let closed: unknown;
  operation(
    undefined,
    (closing) =>
      new Promise<void>((resolve) => {
        reading.signal.addEventListener('abort', () => resolve());
        closing.addEventListener('abort', () => {
          closed = closing.reason;
          source.destroy();
        });
      }),
  ).catch(() => {});
  const onGiveUp = () => source.destroy();
  options.signal?.addEventListener('abort', onGiveUp, { once: true });
  if (options.signal?.aborted) onGiveUp();
  try {
    yield* isTerminal ? readRaw(source, () => context.clock.now()) : readTimedFrames(source);
  } catch (error) {
    if (closed !== undefined) throw closed;
    if (!options.signal?.aborted) throw error;
  } finally {
    options.signal?.removeEventListener('abort', onGiveUp);
    reading.abort();
    source.destroy();
  }
  if (closed !== undefined) throw closed;
}
