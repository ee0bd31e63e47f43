/** Following a task's output: from the engine's stream to chunks, until the task ends or the reader gives up. */

import type { LogChunk, LogOptions, RuntimeTask } from '@skep/core/driver';
import type { OpenEngine } from './open-engine.ts';
import { whileReading } from './reading.ts';
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
  const closing = whileReading(operation, undefined, () => source.destroy());
  const onGiveUp = () => source.destroy();
  options.signal?.addEventListener('abort', onGiveUp, { once: true });
  if (options.signal?.aborted) onGiveUp();
  try {
    yield* isTerminal ? readRaw(source, () => context.clock.now()) : readTimedFrames(source);
  } catch (error) {
    closing.throwIfEnded();
    if (!options.signal?.aborted) throw error;
  } finally {
    options.signal?.removeEventListener('abort', onGiveUp);
    closing.done();
    source.destroy();
  }
  closing.throwIfEnded();
}
