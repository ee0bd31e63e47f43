/**
 * One task on this machine, as the port wants it: each step looks at what is on disk and in the process table, and
 * does what is missing. Nothing of a task is known in memory only, so any driver of the node can go on with it.
 */

import {
  DriverError,
  type ExecOptions,
  type ExecOutput,
  type ExecResult,
  type LogChunk,
  type LogOptions,
  type RuntimeTask,
  type TaskExit,
  type TaskRuntime,
  type TaskStats,
} from '@skep/core/driver';
import { removeMemoryFiles, writeMemoryFiles } from '@skep/core/node';
import type { RuntimeStatus, TaskPort } from './core-types.ts';
import { runBeside } from './exec.ts';
import { interactBeside } from './exec-interactive.ts';
import type { OpenNode } from './open-node.ts';
import { PORT_RANGE } from './options.ts';
import { isPortFree, releasePort, takeFreePort, takePublishedPort } from './port-book.ts';
import { hasProc, isAlive } from './process-table.ts';
import {
  DEFAULT_PATH,
  findExecutable,
  portIssue,
  type ResolvedProgram,
  refusals,
  resolveProgram,
  unenforced,
} from './program.ts';
import { StatsMeter } from './stats.ts';
import { lookAtTask } from './task-end.ts';
import { taskEnv } from './task-env.ts';
import { filesDirOf, filesOf } from './task-files.ts';
import { lastLines } from './task-logs.ts';
import { launch } from './task-process.ts';
import { POLL_ENDING_MS, removeTask, stopTask, untilEnded, untilProgramRuns } from './task-stop.ts';
import { OUTPUT, type TaskMeta } from './task-store.ts';
import { Wakeup } from './wakeup.ts';
import { CLAIM_LOST } from './wrapper.ts';

/** How often a follower looks where no event tells it of output. */
const FOLLOW_MS = 500;

/** The handle of one task. */
export class ProcessRuntime implements TaskRuntime {
  readonly #node: OpenNode;
  readonly #task: RuntimeTask;
  readonly #meter: StatsMeter;
  readonly stats?: NonNullable<TaskRuntime['stats']>;

  constructor(node: OpenNode, task: RuntimeTask) {
    this.#node = node;
    this.#task = task;
    this.#meter = new StatsMeter(node.context.clock);
    if (hasProc) this.stats = ({ signal }) => this.#node.operation(signal, (linked) => this.#stats(linked));
  }

  prepare({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    return this.#node.operation(signal, () => this.#prepare());
  }

  start({ signal }: { readonly signal: AbortSignal }): Promise<RuntimeStatus> {
    return this.#node.operation(signal, (linked) => this.#start(linked));
  }

  wait({ signal }: { readonly signal: AbortSignal }): Promise<TaskExit> {
    return this.#node.operation(signal, async (linked) => {
      await this.#meta();
      return untilEnded(this.#node, this.#task.id, linked);
    });
  }

  stop({ graceMs, signal }: { readonly graceMs: number; readonly signal: AbortSignal }): Promise<void> {
    return this.#node.operation(signal, (linked) => stopTask(this.#node, this.#task.id, graceMs, linked));
  }

  remove({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    return this.#node.operation(signal, (linked) => removeTask(this.#node, this.#task.id, linked));
  }

  exec(command: readonly string[], { signal }: { readonly signal: AbortSignal }): Promise<ExecResult> {
    return this.#node.operation(signal, async (linked) => {
      await this.#claimOfRunning();
      const { env, dir } = this.#environment(await this.#meta());
      const [name = '', ...args] = command;
      return runBeside(findExecutable(name, { dir, path: env['PATH'] ?? DEFAULT_PATH }), args, {
        env,
        dir,
        signal: linked,
      });
    });
  }

  async *execInteractive(
    command: readonly string[],
    options: ExecOptions,
  ): AsyncGenerator<ExecOutput, void, undefined> {
    const { signal, tty = false, input } = options;
    if (!this.#node.options.anyCommand) {
      throw new DriverError("exec: is not allowed here: the driver's owner has not set anyCommand");
    }
    if (tty) throw new DriverError('exec: tty: processes have no terminals here; ask without one');
    const { env, dir, executable, args } = await this.#node.operation(signal, async () => {
      await this.#claimOfRunning();
      const place = this.#environment(await this.#meta());
      const [name = '', ...rest] = command;
      const path = place.env['PATH'] ?? DEFAULT_PATH;
      return { ...place, executable: findExecutable(name, { dir: place.dir, path }), args: rest };
    });
    yield* interactBeside(executable, args, { env, dir, input, signal });
  }

  async *logs(options: LogOptions): AsyncGenerator<LogChunk> {
    const { store, logs, context, operation } = this.#node;
    const { id } = this.#task;
    await operation(undefined, () => this.#meta());
    // A follower that gives up has reached its end, and does not fail; one whose driver is closed does.
    const ending = new AbortController();
    operation(
      undefined,
      (closing) =>
        new Promise<void>((resolve) => {
          closing.addEventListener('abort', () => ending.abort(closing.reason));
          ending.signal.addEventListener('abort', () => resolve());
        }),
    ).catch((error: unknown) => ending.abort(error));
    const wakeup = new Wakeup(context.clock, ending.signal);
    options.signal?.addEventListener('abort', wakeup.wake);
    try {
      if (options.follow) {
        wakeup.watchFiles(store.path(id, OUTPUT), ['stdout.log', 'stderr.log']);
        wakeup.watchFiles(store.path(id), ['exit']);
      }
      let positions: number[] | undefined;
      while (!options.signal?.aborted) {
        const look = await lookAtTask(store, id);
        const over = typeof look === 'object';
        if ((await store.meta(id)) === undefined) return;
        const output = logs.of(id);
        const first = positions === undefined;
        positions ??= output.begin(options);
        const chunks = output.read(positions, over || !options.follow);
        yield* first && options.tail !== undefined ? lastLines(chunks, options.tail) : chunks;
        if (over || !options.follow) return;
        await wakeup.wait(look === 'ending' ? POLL_ENDING_MS : FOLLOW_MS);
      }
    } finally {
      options.signal?.removeEventListener('abort', wakeup.wake);
      wakeup.close();
      ending.abort();
    }
  }

  async #meta(): Promise<TaskMeta> {
    const meta = await this.#node.store.meta(this.#task.id);
    if (meta === undefined) throw new DriverError(`task ${this.#task.id} is not prepared on this node`);
    return meta;
  }

  async #prepare(): Promise<void> {
    const { store, options, context } = this.#node;
    const task = this.#task;
    if ((await store.meta(task.id)) !== undefined) return;
    const ofPorts = portIssue(task, options);
    const refused = [...refusals(task.spec, options), ...(ofPorts ? [ofPorts] : [])];
    if (refused.length > 0) {
      throw new DriverError(refused.map(({ field, rule }) => `${field}: ${rule}`).join('; '));
    }
    for (const { field, rule } of unenforced(task.spec)) {
      context.logger.warn(
        { taskId: task.id, service: task.serviceName, field },
        `${field} ${rule}: running without`,
      );
    }
    const filesDir = filesDirOf(task, context, options.memoryDir);
    const holder = store.path(task.id);
    const ports = await takePorts(task, holder, options.portRange ?? PORT_RANGE);
    const meta = await store.create(task, { ports, ...(filesDir !== undefined && { filesDir }) });
    const lost = ports.filter((own) => !meta.ports.some(({ port }) => port === own.port));
    for (const { port } of lost) releasePort({ port, holder });
  }

  async #start(signal: AbortSignal): Promise<RuntimeStatus> {
    const { store, logs, context } = this.#node;
    const { id } = this.#task;
    const meta = await this.#meta();
    let claim = await store.claim(id);
    if (claim === undefined) {
      await this.#launch(meta, signal).finally(() => this.#takeBackFiles(meta));
      claim = await store.claim(id);
    }
    if (claim === undefined) throw new DriverError(`task ${id} was removed while it was started`);
    if (claim === 'stopped') throw new DriverError(`task ${id} was stopped before it was started`);
    await untilProgramRuns(this.#node, id, signal);
    logs.watch(id);
    context.logger.debug({ taskId: id, pid: claim.pid }, 'task runs');
    return { id: `pid ${claim.pid}`, ports: meta.ports };
  }

  /** Whoever stopped or removed the task in the middle of its start may have done so before its files were there. */
  async #takeBackFiles({ filesDir }: TaskMeta): Promise<void> {
    const { store } = this.#node;
    const { id } = this.#task;
    if (filesDir === undefined) return;
    const gone = (await store.meta(id)) === undefined || (await store.claim(id)) === 'stopped';
    if (gone) removeMemoryFiles(filesDir);
  }

  /** Starts a wrapper and waits until it, or another one that was quicker, has claimed the task. */
  async #launch(meta: TaskMeta, signal: AbortSignal): Promise<void> {
    const { store, children, context, shell, wrapper } = this.#node;
    const task = this.#task;
    const { program, env, dir } = this.#environment(meta);
    const executable = findExecutable(program.command, { dir, path: env['PATH'] ?? DEFAULT_PATH });
    for (const { mode, published, protocol } of task.ports) {
      if (mode !== 'host' || published === undefined || (await isPortFree(published, protocol))) continue;
      throw new DriverError(`port ${published}/${protocol} is in use on this node`);
    }
    const { filesDir } = meta;
    if (filesDir !== undefined) writeMemoryFiles(filesDir, filesOf(task));
    signal.throwIfAborted();
    const taskDir = store.path(task.id);
    const { args } = program;
    const child = await launch({ shell, wrapper, taskDir, filesDir, executable, args, env, dir });
    const { pid } = child;
    const wakeup = new Wakeup(context.clock, signal);
    let ended: number | null | undefined;
    child.once('exit', (code) => {
      ended = code;
      if (pid !== undefined) children.delete(pid);
      wakeup.wake();
    });
    if (pid !== undefined) children.set(pid, child);
    try {
      for (let pollMs = 1; ; pollMs = Math.min(pollMs * 2, 50)) {
        // Looked at before the claim: a wrapper may claim and end between two looks.
        const over = ended !== undefined;
        const claim = await store.claim(task.id);
        // One that lost the claim is seen off, so that a started task has one wrapper.
        if (claim !== undefined && (over || (claim !== 'stopped' && claim.pid === pid))) return;
        if (over && ended === CLAIM_LOST)
          throw new DriverError(`task ${task.id} was removed while it was started`);
        if (over) {
          throw new DriverError(`${executable} was not started: its wrapper ended with code ${ended}`, {
            temporary: true,
          });
        }
        await wakeup.wait(pollMs);
      }
    } finally {
      wakeup.close();
    }
  }

  #environment(meta: TaskMeta): {
    readonly program: ResolvedProgram;
    readonly env: Readonly<Record<string, string>>;
    readonly dir: string;
  } {
    const { options, context } = this.#node;
    const program = resolveProgram(this.#task.spec, options);
    if ('rule' in program) throw new DriverError(`${program.field}: ${program.rule}`);
    const env = taskEnv(this.#task, program, {
      ports: meta.ports,
      node: context,
      filesDir: meta.filesDir,
      inheritEnv: options.inheritEnv,
      host: process.env,
    });
    return { program, env, dir: program.dir };
  }

  async #claimOfRunning(): Promise<{ readonly pid: number }> {
    const claim = await this.#node.store.claim(this.#task.id);
    await this.#meta();
    if (claim === undefined || claim === 'stopped' || !(await isAlive(claim))) {
      throw new DriverError(`task ${this.#task.id} does not run`);
    }
    return claim;
  }

  async #stats(signal: AbortSignal): Promise<TaskStats> {
    const { pid } = await this.#claimOfRunning();
    return this.#meter.measure(pid, signal);
  }
}

/** Gives a task its ports: published ones of host mode as asked for, any free one for the others. */
async function takePorts(
  task: RuntimeTask,
  holder: string,
  range: readonly [number, number],
): Promise<readonly TaskPort[]> {
  const taken: TaskPort[] = [];
  try {
    for (const { target, protocol, mode, published } of task.ports) {
      if (mode === 'host' && published !== undefined) {
        takePublishedPort(published, holder);
        taken.push({ target, protocol, port: published });
      } else if (!taken.some((port) => port.target === target && port.protocol === protocol)) {
        taken.push({ target, protocol, port: await takeFreePort(protocol, holder, range) });
      }
    }
    return taken;
  } catch (error) {
    for (const { port } of taken) releasePort({ port, holder });
    throw error;
  }
}
