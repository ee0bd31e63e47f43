/** Running a command beside a task, in its container. */

import { DriverError, type ExecResult } from '@skep/core/driver';
import type { Engine } from './engine.ts';
import { asStream, readFrames } from './task-logs.ts';

/** Most of a command's output that is kept, from its end. */
const OUTPUT_BYTES_MAX = 4096;
/** Longest that a command may run whose caller sets no end. */
const EXEC_MS = 3_600_000;

/**
 * Runs it to its end. When the signal aborts nobody waits any more, but the command runs on: the engine can't end it.
 *
 * @throws EngineError when the engine refuses, as for a container that does not run; the signal's reason on abort.
 */
export async function execInContainer(
  engine: Engine,
  container: string,
  command: readonly string[],
  signal: AbortSignal,
): Promise<ExecResult> {
  const exec = await engine.call({ what: 'exec', signal }, (docker, abortSignal) =>
    docker
      .getContainer(container)
      .exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true, Tty: false, abortSignal }),
  );
  const stream = await engine.call({ what: 'exec', signal }, (_, abortSignal) =>
    exec.start({ hijack: true, stdin: false, Tty: false, abortSignal }),
  );
  const output = await engine.call({ what: 'exec', signal, deadlineMs: EXEC_MS }, (_, abortSignal) => {
    abortSignal.addEventListener('abort', () => stream.destroy(), { once: true });
    return lastOf(readFrames(asStream(stream)));
  });
  const { ExitCode, Running } = await engine.call({ what: 'exec', signal }, (_, abortSignal) =>
    exec.inspect({ abortSignal }),
  );
  if (Running || typeof ExitCode !== 'number') {
    throw new DriverError('exec: the engine lost sight of the command before its end', { temporary: true });
  }
  return { exitCode: ExitCode, output };
}

async function lastOf(frames: AsyncIterable<{ readonly data: Buffer }>): Promise<string> {
  let output: Buffer = Buffer.alloc(0);
  for await (const { data } of frames) output = Buffer.concat([output, data]).subarray(-OUTPUT_BYTES_MAX);
  return output.toString('utf8');
}
