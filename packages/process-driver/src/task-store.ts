/**
 * What is kept of each task on disk, one directory a task, and the only place that knows its layout:
 *
 * - `meta.json`  whose task it is and what it was given; there from the first moment, never changed
 * - `claim`      the one process that runs it: pid, start, boot; or that it was stopped before it ran
 * - `exit`       the exit code, once it ended
 * - `output/`     `stdout.log`, `stderr.log` and what stream-log.ts keeps beside them
 *
 * A directory appears and disappears by renaming, so there is never half of one.
 */

import { randomUUID } from 'node:crypto';
import { link, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DriverContext, DriverError, type RuntimeTask } from '@skep/core/driver';
import type { TaskId, TaskPort } from './core-types.ts';
import type { ProcessIdentity } from './process-table.ts';
import { type StopSignal, stopSignalOf } from './program.ts';

/** What is written down of a task when it is prepared. Nothing of its environment, which may hold secrets. */
export interface TaskMeta {
  readonly format: 1;
  readonly clusterId: string;
  readonly nodeId: string;
  readonly taskId: string;
  readonly name: string;
  readonly serviceName: string;
  readonly stopSignal: StopSignal;
  readonly stopGraceMs: number;
  /** The lease under which it runs, if it has one; milliseconds. */
  readonly leaseMs?: number;
  readonly ports: readonly TaskPort[];
  /** Where its secrets and configs are, if it has any. */
  readonly filesDir?: string;
}

/** Who runs the task: a process, or nobody ever because it was stopped before. */
export type Claim = ProcessIdentity | 'stopped';

const TASK_ID = /^[A-Za-z0-9_-]+$/;
const STOPPED = 'stopped\n';
/** Apart from the rest, so that whoever watches for a task's end is not woken by all that it prints. */
export const OUTPUT = 'output';
const ABANDONED_MS = 60_000;

/** Whether an error of the file system has this code. */
export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

async function readIfThere(file: string): Promise<string | undefined> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** The tasks of one node in a directory that others may share. */
export class TaskStore {
  /** The directory above all tasks. */
  readonly root: string;
  readonly #tasksDir: string;
  readonly #owner: Pick<DriverContext, 'clusterId' | 'nodeId'>;

  constructor(root: string, owner: Pick<DriverContext, 'clusterId' | 'nodeId'>) {
    this.root = root;
    this.#tasksDir = join(root, 'tasks');
    this.#owner = owner;
  }

  /** The directory of a task. */
  path(id: TaskId, file = ''): string {
    if (!TASK_ID.test(id)) throw new DriverError(`task id '${id}' is not fit for a directory name`);
    return join(this.#tasksDir, id, file);
  }

  /** Makes the store, clears away what a crash left half removed, and lists this node's tasks. */
  async open(now: number): Promise<readonly TaskMeta[]> {
    await mkdir(this.#tasksDir, { recursive: true, mode: 0o700 });
    const found: TaskMeta[] = [];
    for (const name of await readdir(this.#tasksDir)) {
      if (name.startsWith('.')) {
        const path = join(this.#tasksDir, name);
        const made = (await stat(path).catch(() => undefined))?.mtimeMs ?? now;
        if (name.startsWith('.gone-') || now - made > ABANDONED_MS)
          await rm(path, { recursive: true, force: true });
        continue;
      }
      const meta = await this.meta(name as TaskId);
      if (meta) found.push(meta);
    }
    return found;
  }

  /** What was written down of a task of this node; undefined when there is none or it is another's. */
  async meta(id: TaskId): Promise<TaskMeta | undefined> {
    const meta = await this.#read(id);
    const own = meta?.clusterId === this.#owner.clusterId && meta.nodeId === this.#owner.nodeId;
    return own ? meta : undefined;
  }

  /** Writes a new task down, unless it was before: then what was written then holds. */
  async create(task: RuntimeTask, given: Pick<TaskMeta, 'ports' | 'filesDir'>): Promise<TaskMeta> {
    const meta: TaskMeta = {
      format: 1,
      clusterId: this.#owner.clusterId,
      nodeId: this.#owner.nodeId,
      taskId: task.id,
      name: task.name,
      serviceName: task.serviceName,
      stopSignal: stopSignalOf(task.spec),
      stopGraceMs: task.spec.stopGraceMs,
      ...(task.leaseMs === undefined ? {} : { leaseMs: task.leaseMs }),
      ...given,
    };
    const path = this.path(task.id);
    const fresh = join(this.#tasksDir, `.new-${randomUUID()}`);
    await mkdir(join(fresh, OUTPUT), { recursive: true, mode: 0o700 });
    try {
      await writeFile(join(fresh, 'meta.json'), JSON.stringify(meta), { mode: 0o600 });
      await rename(fresh, path);
      return meta;
    } catch (error) {
      await rm(fresh, { recursive: true, force: true });
      if (!hasCode(error, 'ENOTEMPTY', 'EEXIST')) throw error;
      const existing = await this.meta(task.id);
      if (existing) return existing;
      throw new DriverError(`task ${task.id} belongs to another cluster or node that shares this directory`);
    }
  }

  /** Who has claimed the task, if anybody. */
  async claim(id: TaskId): Promise<Claim | undefined> {
    const text = await readIfThere(this.path(id, 'claim'));
    if (text === undefined) return undefined;
    if (text === STOPPED) return 'stopped';
    const [pid, start = '', boot = ''] = text.split('\n').map((line) => line.trim().replace(/\s+/g, ' '));
    return { pid: Number(pid), start, boot };
  }

  /** Claims the task for nobody, unless it is claimed, so that no wrapper can run it any more. */
  async claimStopped(id: TaskId): Promise<void> {
    const own = this.path(id, `claim.${randomUUID()}`);
    try {
      await writeFile(own, STOPPED, { mode: 0o600 });
      await link(own, this.path(id, 'claim'));
    } catch (error) {
      if (!hasCode(error, 'EEXIST', 'ENOENT')) throw error;
    }
  }

  /** The exit code that the wrapper wrote down. */
  async exitCode(id: TaskId): Promise<number | undefined> {
    const text = await readIfThere(this.path(id, 'exit'));
    return text === undefined ? undefined : Number(text);
  }

  /** Removes all that is kept of a task. */
  async remove(id: TaskId): Promise<void> {
    const gone = join(this.#tasksDir, `.gone-${randomUUID()}`);
    try {
      await rename(this.path(id), gone);
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return;
      throw error;
    }
    await rm(gone, { recursive: true, force: true, maxRetries: 3 });
  }

  async #read(id: TaskId): Promise<TaskMeta | undefined> {
    const text = await readIfThere(this.path(id, 'meta.json'));
    if (text === undefined) return undefined;
    try {
      const meta = JSON.parse(text) as TaskMeta;
      return meta.format === 1 ? meta : undefined;
    } catch {
      // Torn by a power failure: whose it was can't be told, so it is left alone.
      return undefined;
    }
  }
}
