/** Running a command beside a task that somebody works with: input and output flow while it runs, as fast as each side takes it. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { DriverError, type ExecInput, type ExecOutput } from '@skep/core/driver';
import { exitOf, signalProcess } from './task-end.ts';

type Piped = ChildProcessByStdio<Writable, Readable, Readable>;

/** Runs it to its end. Its whole group is killed when the signal aborts or nobody reads any more. */
export async function* interactBeside(
  executable: string,
  args: readonly string[],
  options: {
    readonly env: Readonly<Record<string, string>>;
    readonly dir: string;
    readonly input: AsyncIterable<ExecInput>;
    readonly signal: AbortSignal;
  },
): AsyncGenerator<ExecOutput, void, undefined> {
  const { env, dir, input, signal } = options;
  signal.throwIfAborted();
  const child = spawn(executable, args, { cwd: dir, env, detached: true, stdio: 'pipe' });
  let isOver = false;
  const killGroup = () => {
    if (child.pid !== undefined && !isOver) signalProcess(-child.pid, 'SIGKILL');
  };
  signal.addEventListener('abort', killGroup, { once: true });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', (error) => {
      reject(new DriverError(`can't run ${executable}: ${error.message}`, { cause: error }));
    });
    child.once('exit', (code, endSignal) => {
      // Children of the command that hold its output open would keep its end away.
      killGroup();
      isOver = true;
      resolve(code ?? 128 + (endSignal === null ? 0 : constants.signals[endSignal]));
    });
  });
  exited.catch(() => {});
  // A command need not read what it is given.
  child.stdin.on('error', () => {});
  void feed(child, input).catch(killGroup);
  try {
    yield* outputOf(child);
    const exitCode = await exited;
    signal.throwIfAborted();
    yield { kind: 'exit', exitCode: exitOf(exitCode).exitCode };
  } finally {
    signal.removeEventListener('abort', killGroup);
    killGroup();
  }
}

async function feed({ stdin }: Piped, input: AsyncIterable<ExecInput>): Promise<void> {
  for await (const piece of input) {
    if (stdin.destroyed) return;
    if (piece.kind !== 'data' || stdin.write(piece.data)) continue;
    await new Promise<void>((resolve) => {
      stdin.once('drain', resolve);
      stdin.once('close', resolve);
    });
  }
  stdin.end();
}

/** Both outputs as they come. A stream that nobody reads fills its pipe, and the command waits. */
async function* outputOf({ stdout, stderr }: Piped): AsyncGenerator<ExecOutput, void, undefined> {
  const readers = { stdout: stdout[Symbol.asyncIterator](), stderr: stderr[Symbol.asyncIterator]() };
  const nextOf = async (stream: 'stdout' | 'stderr') => ({ stream, next: await readers[stream].next() });
  const waiting = new Map([
    ['stdout', nextOf('stdout')],
    ['stderr', nextOf('stderr')],
  ]);
  while (waiting.size > 0) {
    const { stream, next } = await Promise.race(waiting.values());
    if (next.done) {
      waiting.delete(stream);
      continue;
    }
    waiting.set(stream, nextOf(stream));
    yield { kind: 'output', stream, data: next.value as Uint8Array };
  }
}
