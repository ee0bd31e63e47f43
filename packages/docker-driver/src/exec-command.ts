/**
 * A command beside a task, from its making to its end. It is marked by a variable of its environment, since the engine
 * has no call that ends a command: a second command then finds it, with all that it has begun, by that mark.
 */

import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { type DriverContext, DriverError } from '@skep/core/driver';
import type { Exec, ExecCreateOptions } from 'dockerode';
import type { Engine } from './engine.ts';
import { pause } from './pause.ts';

/** Name of the variable that marks a command and its children. */
const MARK = 'SKEP_EXEC';

/** What the end of its output may be ahead of the end of the command. */
const EXIT_POLL_MS = 20;
const EXIT_POLLS = 250;

/** Longest that ending a command is waited for. */
const END_MS = 10_000;

/** Kills what bears the mark, which is its name. Thrice, since what is being killed may still begin something. */
const KILL_MARKED = `for round in 1 2 3; do for dir in /proc/[0-9]*; do
  case "$(cat "$dir/environ" 2>/dev/null)" in *"$0"*) kill -9 "\${dir#/proc/}" ;; esac
done; done 2>/dev/null`;

/** What a command is given and gives back. */
export interface CommandOptions {
  /** It reads what is put in. */
  readonly input: boolean;
  readonly tty: boolean;
}

/** A command that has begun. */
export interface RunningCommand {
  /** Both ways, over a connection that the engine has upgraded. */
  readonly stream: Duplex;
  /** The code that it ended with, once its output has. @throws DriverError when the engine does not know it */
  exitCode(signal: AbortSignal): Promise<number>;
  /** Tells its terminal another size. What can't be told any more is of no use. */
  resize(columns: number, rows: number, signal: AbortSignal): Promise<void>;
  /** Ends it and all that it has begun, where the image has a shell. Never rejects. */
  kill(): Promise<void>;
}

/**
 * Begins one.
 *
 * @throws EngineError when the engine refuses, as for a container that does not run; the signal's reason on abort.
 */
export async function beginCommand(
  engine: Engine,
  clock: DriverContext['clock'],
  container: string,
  command: readonly string[],
  { input, tty }: CommandOptions,
  signal: AbortSignal,
): Promise<RunningCommand> {
  const mark = randomUUID();
  const kill = () => killMarked(engine, container, mark);
  const exec = await createExec(engine, container, {
    Cmd: [...command],
    Env: [`${MARK}=${mark}`],
    AttachStdin: input,
    AttachStdout: true,
    AttachStderr: true,
    Tty: tty,
    signal,
  });
  try {
    const stream = await engine.call({ what: 'exec', signal }, (_, abortSignal) =>
      exec.start({ hijack: true, stdin: input, Tty: tty, abortSignal }),
    );
    // Whoever reads it is told; one that nobody reads any more must not end the process.
    stream.on('error', () => {});
    return {
      stream,
      exitCode: (own) => exitCodeOf(engine, clock, exec, own),
      resize: (columns, rows, own) =>
        engine
          .call({ what: 'exec', signal: own }, (_, abortSignal) =>
            exec.resize({ w: columns, h: rows, abortSignal }),
          )
          .then(() => {})
          .catch(() => {}),
      kill,
    };
  } catch (error) {
    // It may have begun though its answer was not waited for.
    if (signal.aborted) void kill();
    throw error;
  }
}

function createExec(
  engine: Engine,
  container: string,
  { signal, ...options }: ExecCreateOptions & { readonly signal?: AbortSignal },
): Promise<Exec> {
  return engine.call({ what: 'exec', signal }, (docker, abortSignal) =>
    docker.getContainer(container).exec({ ...options, abortSignal }),
  );
}

async function exitCodeOf(
  engine: Engine,
  clock: DriverContext['clock'],
  exec: Exec,
  signal: AbortSignal,
): Promise<number> {
  for (let poll = 1; poll <= EXIT_POLLS; poll++) {
    const { ExitCode, Running } = await engine.call({ what: 'exec', signal }, (_, abortSignal) =>
      exec.inspect({ abortSignal }),
    );
    if (!Running && typeof ExitCode === 'number') return ExitCode;
    await pause(clock, EXIT_POLL_MS, signal);
  }
  throw new DriverError('exec: the engine lost sight of the command before its end', { temporary: true });
}

async function killMarked(engine: Engine, container: string, mark: string): Promise<void> {
  try {
    const exec = await createExec(engine, container, {
      Cmd: ['/bin/sh', '-c', KILL_MARKED, mark],
      AttachStdout: true,
      AttachStderr: true,
    });
    await engine.call({ what: 'exec', deadlineMs: END_MS }, async (_, abortSignal) => {
      const stream = await exec.start({ hijack: true, stdin: false, abortSignal });
      abortSignal.addEventListener('abort', () => stream.destroy(), { once: true });
      await new Promise((resolve) => stream.on('error', resolve).on('close', resolve).resume());
    });
  } catch {
    // The container has ended, or has no shell: there is nobody to end the command, and nothing else to do about it.
  }
}
