/**
 * Runs the tasks of a node as child processes: what a cluster embedded in a program uses when nothing else is there.
 * Between the worker and the operating system; it decides nothing, and isolates nothing: tasks see the machine's
 * files, network and processes as the cluster's user does.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { arch, availableParallelism, platform, tmpdir, totalmem } from 'node:os';
import { join, resolve } from 'node:path';
import {
  type DriverContext,
  DriverError,
  DriverOperations,
  type RecoveredTask,
  type RuntimeDriver,
  type RuntimeTask,
  type TaskRuntime,
} from '@skep/core/driver';
import type { NodeDescription, SpecIssue, TaskId, TaskSpec } from './core-types.ts';
import type { OpenNode } from './open-node.ts';
import { LOG_BYTES_MAX, type ProcessDriverOptions } from './options.ts';
import { ProcessRuntime } from './process-runtime.ts';
import { hasProc } from './process-table.ts';
import { refusals } from './program.ts';
import { lookAtTask } from './task-end.ts';
import { LogKeeper, TaskLogs } from './task-logs.ts';
import { releaseEnded, releaseLeftovers } from './task-release.ts';
import { removeTask } from './task-stop.ts';
import { hasCode, OUTPUT, TaskStore } from './task-store.ts';
import { VERSION } from './version.ts';
import { writeWrapper } from './wrapper.ts';

/** Node's names of platforms, where Go's, which images and constraints use, differ. */
const OS_NAMES: Readonly<Record<string, string>> = { win32: 'windows', sunos: 'solaris' };
const ARCHITECTURE_NAMES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  ppc64: 'ppc64le',
  loong64: 'loong64',
};

/**
 * The process driver.
 *
 * @example
 * const driver = new ProcessDriver({ programs: { web: { command: 'node', args: ['server.js'] } } });
 */
export class ProcessDriver implements RuntimeDriver {
  readonly name = 'process';
  readonly #options: ProcessDriverOptions;
  readonly #operations = new DriverOperations();
  #node: OpenNode | undefined;
  #temporaryDir: string | undefined;
  #closed = false;

  constructor(options: ProcessDriverOptions = {}) {
    this.#options = options;
  }

  /**
   * @throws DriverError on Windows, which has no process groups.
   */
  async open(context: DriverContext): Promise<readonly RecoveredTask[]> {
    if (platform() === 'win32') throw new DriverError('the process driver needs a POSIX system');
    if (this.#node) throw new DriverError('the process driver is open already: one driver serves one node');
    return this.#open(context).catch((error: unknown) => {
      throw asDriverError(error);
    });
  }

  describe(): Promise<NodeDescription> {
    const { hostname } = this.#opened().context;
    const { resources = {}, labels = {} } = this.#options;
    const divideBy = resources.divideBy ?? 1;
    return Promise.resolve({
      hostname,
      platform: {
        os: OS_NAMES[platform()] ?? platform(),
        architecture: ARCHITECTURE_NAMES[arch()] ?? arch(),
      },
      resources: {
        cpus: resources.cpus ?? availableParallelism() / divideBy,
        memoryBytes: resources.memoryBytes ?? Math.floor(totalmem() / divideBy),
        generic: resources.generic ?? {},
      },
      engine: { driver: this.name, version: VERSION, labels },
      capabilities: {
        exec: true,
        ...(this.#options.anyCommand && { interactive: 'pipes' }),
        stats: hasProc,
        limits: { cpus: false, memory: false, pids: false },
      },
    });
  }

  check(spec: TaskSpec): readonly SpecIssue[] {
    return refusals(spec, this.#options);
  }

  runtime(task: RuntimeTask): TaskRuntime {
    if (this.#node === undefined) throw new DriverError('the process driver is not open');
    return new ProcessRuntime(this.#node, task);
  }

  async discard(id: TaskId, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    const node = this.#opened();
    await this.#operation(signal, (linked) => removeTask(node, id, linked));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#operations.abort(closedError());
    this.#node?.logs.close();
    if (this.#node !== undefined && this.#temporaryDir !== undefined) {
      await clearTemporary(this.#node, this.#temporaryDir);
    }
  }

  async #open(context: DriverContext): Promise<readonly RecoveredTask[]> {
    const { clock } = context;
    const store = new TaskStore(await this.#stateDir(context), context);
    const found = await store.open(clock.now());
    const shell = this.#options.shell ?? '/bin/sh';
    const bytesMax = this.#options.logBytesMax ?? LOG_BYTES_MAX;
    const node: OpenNode = {
      context,
      options: this.#options,
      store,
      shell,
      wrapper: writeWrapper(store.root, shell),
      logs: new LogKeeper(clock, (id) => new TaskLogs(store.path(id, OUTPUT), bytesMax)),
      children: new Map(),
      operation: (signal, work) => this.#operation(signal, work),
    };
    this.#node = node;
    await releaseLeftovers(node);
    const recovered: RecoveredTask[] = [];
    for (const { taskId, leaseMs } of found) {
      const id = taskId as TaskId;
      const look = await lookAtTask(store, id);
      const running = look === 'running' || look === 'ending';
      if (running) node.logs.watch(id);
      else if (typeof look === 'object') await releaseEnded(node, id);
      recovered.push({ id, running, ...(leaseMs === undefined ? {} : { leaseMs }) });
    }
    return recovered;
  }

  async #stateDir({ stateDir }: DriverContext): Promise<string> {
    if (this.#options.dir !== undefined) return resolve(this.#options.dir);
    if (stateDir !== undefined) return resolve(stateDir, 'process-driver');
    this.#temporaryDir = await mkdtemp(join(tmpdir(), 'skep-process-'));
    return this.#temporaryDir;
  }

  #opened(): OpenNode {
    if (this.#closed) throw closedError();
    if (this.#node === undefined) throw new DriverError('the process driver is not open');
    return this.#node;
  }

  async #operation<T>(
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#opened();
    return this.#operations.run(signal, (own) =>
      work(own).catch((error: unknown) => {
        throw asDriverError(error);
      }),
    );
  }
}

/** Nobody will ever look into a temporary directory again: it goes, unless tasks still run from it. */
async function clearTemporary(node: OpenNode, dir: string): Promise<void> {
  const tasks = await node.store.open(node.context.clock.now());
  const { signal } = new AbortController();
  for (const { taskId } of tasks) {
    const id = taskId as TaskId;
    const look = await lookAtTask(node.store, id);
    if (look === 'running' || look === 'ending') return;
    await removeTask(node, id, signal);
  }
  await rm(dir, { recursive: true, force: true });
}

/** What the system itself refused (a full disk, no right to a directory) in the port's own words. */
function asDriverError(error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof DriverError || !('syscall' in error)) return error;
  const temporary = hasCode(error, 'ENOSPC', 'EDQUOT', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN');
  return new DriverError(error.message, { cause: error, temporary });
}

function closedError(): DriverError {
  return new DriverError('the process driver is closed', { temporary: true });
}
