/**
 * What should run on this node, and its executors: the assignments of the managers on one side, one executor a task
 * on the other. Secrets and configs are kept here, in memory only; nothing of a worker is on disk but what the driver
 * keeps.
 *
 * It never stops a task because nobody answers, unless the task has a lease: only a complete set that does not list it,
 * or its desired state, does.
 */

import type {
  ExecOptions,
  ExecOutput,
  ExecResult,
  LogChunk,
  LogOptions,
  RecoveredTask,
  TaskStats,
} from '../driver/runtime-driver.ts';
import { DriverError } from '../errors.ts';
import type { TaskId } from '../model/ids.ts';
import { isTerminal } from '../model/task-state.ts';
import { sleep } from '../runtime/clock.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import { BackOff } from './back-off.ts';
import { bounded, errorText } from './bounded.ts';
import type {
  AssignedFile,
  AssignedTask,
  AssignmentsMessage,
  KnownAssignments,
  WorkerCalls,
} from './dispatcher-port.ts';
import { checkExec } from './driver-answers.ts';
import { Executor } from './executor.ts';
import type { ExecutorParts } from './executor-parts.ts';
import { LeaseKeeper } from './lease-keeper.ts';

/** What a worker works with. */
export interface WorkerParts extends Omit<ExecutorParts, 'fileOf'> {
  /** A task was removed: its status is of no interest any more. */
  readonly onForgotten: (id: TaskId) => void;
}

/** Runs what is assigned to one node. */
export class Worker implements WorkerCalls {
  readonly #parts: WorkerParts;
  readonly #executorParts: ExecutorParts;
  readonly #executors = new Map<TaskId, Executor>();
  readonly #removals = new Set<Promise<void>>();
  readonly #files = new Map<string, AssignedFile>();
  /** What the driver found and no assignment has claimed or disowned yet. */
  readonly #recovered = new Map<TaskId, RecoveredTask>();
  readonly #life = new Lifetime();
  readonly #leases: LeaseKeeper;
  #draining = false;
  /** Managers have told it all that should be here, once. */
  #isTold = false;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#leases = new LeaseKeeper(parts.clock, (id) => this.#endLease(id));
    this.#executorParts = { ...parts, fileOf: (key) => this.#files.get(key) };
  }

  /** Takes over what the driver found of an earlier life. Nothing is done about it before managers have spoken. */
  adopt(recovered: readonly RecoveredTask[]): void {
    for (const task of recovered) this.#recovered.set(task.id, task);
  }

  /**
   * Discards what an earlier life left that runs under a lease: nobody knows how long ago it was renewed. What can't be
   * discarded is left to the managers' word. Never rejects.
   */
  async endOldLeases(): Promise<void> {
    const { logger } = this.#parts;
    const old = [...this.#recovered.values()].filter(({ leaseMs }) => leaseMs !== undefined);
    const end = new AbortController();
    const stop = this.#life.onEnd((reason) => end.abort(reason));
    await Promise.all(
      old.map(async ({ id }) => {
        try {
          await this.#discardOnce(id, end.signal);
          this.#recovered.delete(id);
        } catch (error) {
          logger.error(
            { task: id, error: errorText(error) },
            'task whose lease may be over was not discarded',
          );
        }
      }),
    );
    stop();
  }

  /** Tasks that are here, ended ones included. */
  get tasks(): readonly AssignedTask[] {
    return [...this.#executors.values()].map((executor) => executor.assigned);
  }

  /** What managers need not tell again; undefined before they have told anything. */
  get known(): KnownAssignments | undefined {
    if (!this.#isTold) return undefined;
    const tasks = this.tasks.map(({ task: { id, desiredState }, held }) => ({
      ...{ id, desiredState },
      ...(held ? { held } : {}),
    }));
    return { tasks, files: [...this.#files.values()].map(({ key, version }) => ({ key, version })) };
  }

  /** Makes what is here what the message says. Returns at once: executors go on by themselves. */
  apply(message: AssignmentsMessage): void {
    if (this.#life.ended) return;
    if (message.kind === 'complete') this.#applyComplete(message);
    else this.#applyIncremental(message);
  }

  /** Stops and removes everything: the node is no longer one of the cluster. Resolves when all is gone. */
  async removeAll(): Promise<void> {
    this.apply({ kind: 'complete', tasks: [], files: [] });
    await Promise.all(this.#removals);
  }

  /**
   * Stops every task, each with its own grace, and reports it: they end because their node leaves. What they left
   * stays; no new task is begun.
   */
  async shutdownAll(options: { readonly drainDelay: boolean }): Promise<void> {
    this.#draining = true;
    await Promise.all([...this.#executors.values()].map((executor) => executor.leaveNode(options)));
  }

  /** The managers have heard what this node sent at this time of the monotonic clock. */
  renewLeases(sentAt: number): void {
    this.#leases.renew(sentAt);
  }

  /** Stops the tasks that need somebody who renews their lease. */
  async endLeases(): Promise<void> {
    await Promise.all(this.#leases.watched.map((id) => this.#executors.get(id)?.endLease()));
  }

  /** Lets go of everything without touching it. */
  close(): void {
    this.#leases.close();
    this.#life.end(new Error('the worker is closed'));
    for (const executor of this.#executors.values()) executor.close();
    this.#files.clear();
  }

  async *logs(id: TaskId, options: LogOptions): AsyncGenerator<LogChunk, void, undefined> {
    yield* this.#executor(id).runtime().logs(options);
  }

  async exec(id: TaskId, command: readonly string[], signal: AbortSignal): Promise<ExecResult> {
    const runtime = this.#executor(id).runtime();
    if (!runtime.exec) throw new DriverError("this node's driver can't run commands beside a task");
    return checkExec(await runtime.exec(command, { signal }));
  }

  async *execInteractive(
    id: TaskId,
    command: readonly string[],
    options: ExecOptions,
  ): AsyncGenerator<ExecOutput, void, undefined> {
    const runtime = this.#executor(id).runtime();
    if (!runtime.execInteractive) {
      throw new DriverError("this node's driver can't run commands beside a task that somebody works with");
    }
    yield* runtime.execInteractive(command, options);
  }

  async stats(id: TaskId, signal: AbortSignal): Promise<TaskStats> {
    const runtime = this.#executor(id).runtime();
    if (!runtime.stats) throw new DriverError("this node's driver does not tell what tasks use");
    return await runtime.stats({ signal });
  }

  #executor(id: TaskId): Executor {
    const executor = this.#executors.get(id);
    if (!executor) throw new DriverError(`task ${id} is not on this node`);
    return executor;
  }

  #applyComplete(message: Extract<AssignmentsMessage, { kind: 'complete' }>): void {
    this.#isTold = true;
    const listed = new Set(message.tasks.map(({ task }) => task.id));
    for (const id of [...this.#executors.keys()]) if (!listed.has(id)) this.#remove(id);
    for (const id of [...this.#recovered.keys()]) if (!listed.has(id)) this.#discard(id);
    this.#files.clear();
    for (const file of message.files) this.#files.set(file.key, file);
    for (const assigned of message.tasks) this.#put(assigned);
  }

  #applyIncremental(message: Extract<AssignmentsMessage, { kind: 'incremental' }>): void {
    for (const file of message.updateFiles) this.#files.set(file.key, file);
    for (const assigned of message.update) this.#put(assigned);
    for (const id of message.remove) this.#remove(id);
    for (const key of message.removeFiles) this.#files.delete(key);
  }

  #put(assigned: AssignedTask): void {
    const { id } = assigned.task;
    const known = this.#executors.get(id);
    if (known) {
      known.update(assigned);
      return;
    }
    if (this.#draining) return;
    try {
      const executor = new Executor(assigned, this.#executorParts, this.#recovered.get(id));
      this.#recovered.delete(id);
      this.#executors.set(id, executor);
      this.#leases.watch(assigned.task);
      executor.begin();
    } catch (error) {
      // A task that this version can't make sense of must not keep the others from their node.
      this.#parts.logger.error({ task: id, error: errorText(error) }, 'assigned task was not understood');
    }
  }

  #endLease(id: TaskId): void {
    const executor = this.#executors.get(id);
    if (!executor || isTerminal(executor.status.state)) return;
    this.#parts.logger.warn(
      { task: id },
      'the managers were not heard for the time of its lease: stopping it',
    );
    void executor.endLease();
  }

  #remove(id: TaskId): void {
    const executor = this.#executors.get(id);
    if (!executor) return;
    this.#parts.onForgotten(id);
    // It stays in the table until it is gone, so that a task which comes back is not run beside itself.
    this.#track(
      executor.remove().then(() => {
        if (this.#executors.get(id) !== executor) return;
        this.#executors.delete(id);
        this.#leases.forget(id);
      }),
    );
  }

  #discard(id: TaskId): void {
    this.#recovered.delete(id);
    const end = new AbortController();
    const stop = this.#life.onEnd((reason) => end.abort(reason));
    this.#track(this.#discardUntilGone(id, end.signal).finally(stop));
  }

  async #discardUntilGone(id: TaskId, signal: AbortSignal): Promise<void> {
    const { clock, limits, logger } = this.#parts;
    const backOff = new BackOff({ firstMs: limits.retryMs, maxMs: limits.retryMaxMs });
    logger.info({ task: id }, 'task of an earlier life is assigned to this node no more: discarding it');
    while (!signal.aborted) {
      try {
        await this.#discardOnce(id, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ task: id, error: errorText(error) }, 'task was not discarded, trying again');
        await sleep(clock, backOff.next(), signal).catch(() => {});
      }
    }
  }

  #discardOnce(id: TaskId, signal: AbortSignal): Promise<void> {
    const { clock, driver, limits } = this.#parts;
    const bounds = { clock, signal, deadlineMs: limits.removeMs, what: 'discard' };
    return bounded(bounds, (own) => driver.discard(id, { signal: own }));
  }

  #track(removal: Promise<void>): void {
    this.#removals.add(removal);
    void removal.finally(() => this.#removals.delete(removal));
  }
}
