/** Running a command beside a task, in its environment and directory but a process group of its own. */

import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { DriverError, type ExecResult } from '@skep/core/driver';
import { exitOf, signalProcess } from './task-end.ts';

/** Most of a command's output that is kept, from its end. */
export const EXEC_OUTPUT_BYTES_MAX = 4096;

/** Runs it to its end, or kills its whole group when the signal aborts. */
export function runBeside(
  executable: string,
  args: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly dir: string;
    readonly signal: AbortSignal;
  },
): Promise<ExecResult> {
  const { env, dir, signal } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(executable, args, {
      cwd: dir,
      env,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = Buffer.alloc(0);
    const keep = (data: Buffer) => {
      output = Buffer.concat([output, data]).subarray(-EXEC_OUTPUT_BYTES_MAX);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    const killGroup = () => child.pid !== undefined && signalProcess(-child.pid, 'SIGKILL');
    signal.addEventListener('abort', killGroup, { once: true });
    child.once('error', (error) => {
      signal.removeEventListener('abort', killGroup);
      reject(new DriverError(`can't run ${executable}: ${error.message}`, { cause: error }));
    });
    // Children of the command that hold its output open would keep 'close' away.
    child.once('exit', killGroup);
    child.once('close', (code, endSignal) => {
      signal.removeEventListener('abort', killGroup);
      if (signal.aborted) {
        reject(signal.reason);
        return;
      }
      const exitCode = code ?? 128 + (endSignal === null ? 0 : constants.signals[endSignal]);
      resolve({ exitCode: exitOf(exitCode).exitCode, output: output.toString('utf8') });
    });
    if (signal.aborted) killGroup();
  });
}
