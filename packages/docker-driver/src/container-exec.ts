/** Running a command beside a task, in its container, to its end. */

import type { DriverContext, ExecResult } from '@skep/core/driver';
import type { Engine } from './engine.ts';
import { beginCommand } from './exec-command.ts';
import { readFrames } from './task-logs.ts';

/** Most of a command's output that is kept, from its end. */
const OUTPUT_BYTES_MAX = 4096;
/** Longest that a command may run whose caller sets no end. */
const EXEC_MS = 3_600_000;

/**
 * Runs it to its end. When the signal aborts it is ended, where the image has a shell.
 *
 * @throws EngineError when the engine refuses, as for a container that does not run; the signal's reason on abort.
 */
export async function execInContainer(
  engine: Engine,
  clock: DriverContext['clock'],
  container: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  const options = { input: false, tty: false };
  const running = await beginCommand(engine, clock, container, command, options, signal);
  const { stream } = running;
  try {
    const output = await engine.call({ what: 'exec', signal, deadlineMs: EXEC_MS }, (_, abortSignal) => {
      abortSignal.addEventListener('abort', () => stream.destroy(), { once: true });
      return lastOf(readFrames(stream));
    });
    return { exitCode: await running.exitCode(signal), output };
  } catch (error) {
    // Not waited for: whoever gives up on a probe has other things to do.
    void running.kill();
    throw error;
  }
}

async function lastOf(frames: AsyncIterable<{ readonly data: Buffer }>): Promise<string> {
  let output: Buffer = Buffer.alloc(0);
  for await (const { data } of frames) output = Buffer.concat([output, data]).subarray(-OUTPUT_BYTES_MAX);
  return output.toString('utf8');
}
