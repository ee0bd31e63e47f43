/** Starting a task's wrapper, and what can be done to the process group under it. */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { DriverError } from '@skep/core/driver';
import { commandLines, isAlive, type ProcessIdentity } from './process-table.ts';
import { signalProcess } from './task-end.ts';
import { hasCode, OUTPUT } from './task-store.ts';

/** What to run. */
export interface Launch {
  readonly shell: string;
  readonly wrapper: string;
  /** The task's directory. */
  readonly taskDir: string;
  /** Its secrets and configs, which the wrapper removes at the end. */
  readonly filesDir: string | undefined;
  readonly executable: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly dir: string;
}

/**
 * Starts a wrapper in a session of its own, tied to this process by nothing but that it is its child: no pipe, no
 * terminal, no hold on the event loop.
 *
 * @throws DriverError when the system gives no process; temporary when it may later.
 */
export async function launch(what: Launch): Promise<ChildProcess> {
  const open = (name: string) => openSync(join(what.taskDir, OUTPUT, name), 'a', 0o600);
  const outputs: number[] = [];
  try {
    outputs.push(open('stdout.log'), open('stderr.log'));
    const child = spawn(
      what.shell,
      [what.wrapper, what.taskDir, what.filesDir ?? '', what.executable, ...what.args],
      {
        cwd: what.dir,
        env: what.env,
        detached: true,
        stdio: ['ignore', 'ignore', 'ignore', ...outputs],
      },
    );
    await new Promise((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', reject);
    });
    child.unref();
    // Once the leader is dead nothing of the group may live on, whatever it died of. Here, in the very turn that
    // learns of it, the number can't mean another group yet.
    child.once('exit', () => child.pid !== undefined && signalProcess(-child.pid, 'SIGKILL'));
    return child;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new DriverError(`can't start ${what.executable}: ${reason}`, {
      cause: error,
      temporary: hasCode(error, 'EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE', 'ENOSPC'),
    });
  } finally {
    for (const output of outputs) closeSync(output);
  }
}

/**
 * Whether the program itself runs under the wrapper. Before that, a signal to the group might reach only the shell.
 */
export async function isProgramRunning(wrapper: ProcessIdentity): Promise<boolean> {
  const { own, children } = await commandLines(wrapper.pid);
  // The wrapper's own ln, which makes the claim, may still be around, maybe as a zombie, which has no command line.
  return children.some((line) => line !== '' && line !== own && !/claim\.\d+[\0 ]/.test(line));
}

/** Signals the whole group of a wrapper, if it is alive and no stranger. */
export async function signalGroup(wrapper: ProcessIdentity, signal: NodeJS.Signals): Promise<void> {
  if (await isAlive(wrapper)) signalProcess(-wrapper.pid, signal);
}
