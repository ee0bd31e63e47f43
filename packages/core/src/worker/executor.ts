/**
 * The executor of one task: takes it through its life on the driver, as far as its desired state allows, and tells
 * each observed state. It stands between the worker, which says what is wanted, and the driver, which does it.
 *
 * The driver is not trusted: whatever it does, this task ends with a reason and no other task notices. It must never
 * start a runtime twice, and never report an end while the runtime may still run, unless the driver can't stop it,
 * which the report then says.
 */

import type { RecoveredTask, TaskExit, TaskRuntime } from '../driver/runtime-driver.ts';
import type { TaskId } from '../model/ids.ts';
import type { RuntimeStatus, TaskStatus } from '../model/objects.ts';
import { isAfter, isMeantToRun, isTerminal } from '../model/task-state.ts';
import { sleep } from '../runtime/clock.ts';
import { aboutOf, errorText } from './bounded.ts';
import type { AssignedTask } from './dispatcher-port.ts';
import { checkExit, checkIssues, checkRuntime, checkStarted, exitError } from './driver-answers.ts';
import type { ExecutorParts } from './executor-parts.ts';
import { probeIssue } from './health/probes.ts';
import { taskHealth } from './health/task-health.ts';
import { whileHealthy } from './health/while-healthy.ts';
import { ObservedTask, type StatusDetail } from './observed-task.ts';
import { removeRuntime } from './remove-runtime.ts';
import { type FailedAttempt, retried } from './retried.ts';
import { toRuntimeTask } from './runtime-task.ts';
import { stopRuntime } from './stop-runtime.ts';

/** What ends the way forward when the task is to be stopped; never shown. */
const STOPPING = new Error('the task is being stopped');
/** What ends everything when the worker lets go of the task; never shown. */
const CLOSED = new Error('the worker has let go of the task');

/** Runs one task. */
export class Executor {
  readonly id: TaskId;
  readonly #parts: ExecutorParts;
  readonly #recovered: RecoveredTask | undefined;
  readonly #observed: ObservedTask;
  /** Ends when the worker lets go of the task. */
  readonly #life = new AbortController();
  /** Ends when the task is to be stopped. */
  readonly #forward = new AbortController();
  #assigned: AssignedTask;
  #runtime: TaskRuntime | undefined;
  /** The driver may hold something of the task. */
  #touched = false;
  /** The driver may be running the task. */
  #mayRun = false;
  #exit: TaskExit | undefined;
  #cause: TaskStatus['cause'];
  #draining: Promise<void> | undefined;
  #ending: Promise<void> | undefined;
  #removal: Promise<void> | undefined;
  #leave: () => void = () => {};

  /** @param recovered What the driver found of the task when it was opened, if it found anything. */
  constructor(assigned: AssignedTask, parts: ExecutorParts, recovered?: RecoveredTask) {
    this.id = assigned.task.id;
    this.#assigned = assigned;
    this.#parts = parts;
    this.#recovered = recovered;
    this.#observed = new ObservedTask(assigned.task, parts);
    this.#touched = recovered !== undefined;
    this.#mayRun = recovered?.running === true;
  }

  /** The newest observed status. */
  get status(): TaskStatus {
    return this.#observed.status;
  }

  get assigned(): AssignedTask {
    return this.#assigned;
  }

  /** Begins. Called once. */
  begin(): void {
    if (isTerminal(this.#observed.state)) {
      // Its end is known to the managers already: it must not go on here, and is never started again.
      if (this.#mayRun) void this.#stopRuntime();
    } else if (isMeantToRun(this.#assigned.task.desiredState)) {
      void this.#run();
    } else if (this.#assigned.held) {
      // What it was at in an earlier life of the worker goes on until it may end.
      void this.#run();
    } else {
      void this.shutdown();
    }
  }

  /** Takes a newer assignment of the same task. Desired states only move forward; others change nothing here. */
  update(assigned: AssignedTask): void {
    this.#assigned = assigned;
    if (!isMeantToRun(assigned.task.desiredState)) {
      if (!assigned.held) void this.shutdown();
    } else if (assigned.task.desiredState !== 'ready') {
      this.#leave();
    }
  }

  /**
   * Stops the task, once its drain delay is over where it had traffic. Resolves when its end is observed; never rejects.
   */
  shutdown(): Promise<void> {
    const { drainDelayMs = 0 } = this.#assigned;
    if (drainDelayMs === 0 || this.#observed.state !== 'running') return this.#end('worker.stopped');
    this.#draining ??= sleep(this.#parts.clock, drainDelayMs, this.#forward.signal)
      .catch(() => {})
      .then(() => this.#end('worker.stopped'));
    return this.#draining;
  }

  /** Stops the task because its node leaves, which its status tells. Resolves when its end is observed; never rejects. */
  leaveNode({ drainDelay }: { readonly drainDelay: boolean }): Promise<void> {
    // Whoever wanted it stopped anyway has the say, so that it is not replaced.
    this.#cause = isMeantToRun(this.#assigned.task.desiredState) ? 'node-left' : undefined;
    return drainDelay ? this.shutdown() : this.#end('worker.stopped', undefined);
  }

  /** Stops the task because its lease ends, which its status tells. Nothing is waited for. Never rejects. */
  endLease(): Promise<void> {
    this.#cause = isMeantToRun(this.#assigned.task.desiredState) ? 'lease' : undefined;
    return this.#end('worker.stopped');
  }

  /** Stops the task and removes what the driver keeps of it. Resolves when it is gone; never rejects. */
  remove(): Promise<void> {
    this.#removal ??= this.#remove();
    this.#observed.withhold();
    return this.#removal;
  }

  /** Lets go of the task without touching it. Nothing is told any more. */
  close(): void {
    this.#observed.close();
    this.#life.abort(CLOSED);
    this.#forward.abort(CLOSED);
  }

  /** The driver's handle of the task. @throws what the driver throws when it can't make one. */
  runtime(): TaskRuntime {
    this.#runtime ??= checkRuntime(this.#parts.driver.runtime(this.#runtimeTask().runtimeTask));
    return this.#runtime;
  }

  #runtimeTask() {
    const { node, fileOf } = this.#parts;
    return toRuntimeTask(this.#assigned, { node: node(), fileOf });
  }

  async #run(): Promise<void> {
    const { signal } = this.#forward;
    try {
      await this.#goForward(signal);
    } catch (error) {
      if (!signal.aborted) await this.#end('worker.failed', errorText(error), aboutOf(error));
    }
  }

  async #goForward(signal: AbortSignal): Promise<void> {
    if (!isAfter('starting', this.#observed.state) && !this.#recovered) {
      throw new Error('task: its runtime is gone: this node has no trace of it any more');
    }
    if (this.#observed.state === 'assigned') this.#accept();
    const runtime = this.runtime();
    if (isAfter('starting', this.#observed.state)) {
      await this.#prepare(runtime, signal);
      await this.#leaveToStart(signal);
      this.#observed.move('worker.starting', 'starting');
    }
    const started = await this.#start(runtime, signal);
    const exited = this.#watchExit(runtime);
    const exit = await this.#untilExit(runtime, started, exited, signal);
    signal.throwIfAborted();
    // What has ended can't be stopped, so from here nothing else decides how it ended.
    this.#mayRun = false;
    const error = exitError(exit);
    if (error === undefined) this.#observed.move('worker.completed', 'finished', { exitCode: exit.exitCode });
    else this.#observed.move('worker.failed', 'started', { error, exitCode: exit.exitCode });
    // Whoever waits to stop it has nothing more to wait for.
    this.#forward.abort(STOPPING);
  }

  /** Refuses what can't be done here before anything is made. */
  #accept(): void {
    const { task } = this.#assigned;
    const { driver, probes } = this.#parts;
    const issues = checkIssues(driver.check(task.spec)).map(({ field, rule }) => `${field}: ${rule}`);
    issues.push(...this.#runtimeTask().issues);
    if (issues.length === 0) {
      const issue = probeIssue(task, probes, this.runtime());
      if (issue !== undefined) issues.push(issue);
    }
    if (issues.length > 0) throw new Error(issues.join('; '));
    this.#observed.move('worker.accepted', 'accepted');
  }

  async #prepare(runtime: TaskRuntime, signal: AbortSignal): Promise<void> {
    this.#observed.move('worker.preparing', 'preparing');
    this.#touched = true;
    await this.#retried('prepare', this.#parts.limits.prepareMs, signal, (own) =>
      runtime.prepare({ signal: own }),
    );
    this.#observed.move('worker.prepared', 'prepared');
  }

  async #start(runtime: TaskRuntime, signal: AbortSignal): Promise<RuntimeStatus> {
    this.#touched = true;
    this.#mayRun = true;
    const answer = await this.#retried('start', this.#parts.limits.startMs, signal, async (own) => {
      const started = await runtime.start({ signal: own });
      // A start that nobody waits for any more may come after the stop; then it must not be the last word.
      if (own.aborted && !this.#life.signal.aborted) void this.#stopRuntime();
      return started;
    });
    const opened = checkStarted(answer, this.#assigned.task);
    this.#observed.started(opened);
    return opened;
  }

  /** Resolves with how it ended; throws why it must be ended. In between it becomes running. */
  async #untilExit(
    runtime: TaskRuntime,
    started: RuntimeStatus,
    exited: Promise<TaskExit>,
    signal: AbortSignal,
  ): Promise<TaskExit> {
    const onHealthy = () => this.#observed.move('worker.running', 'started');
    const watch = taskHealth({
      health: this.#assigned.task.spec.health,
      runtime,
      started,
      parts: this.#parts,
      wasHealthy: this.#observed.state === 'running',
      onHealthy,
      onRetry: (attempt) => this.#observed.say(attempt),
    });
    if (watch) return whileHealthy(watch, exited, signal);
    onHealthy();
    return exited;
  }

  /** Waits for the end for as long as the worker holds the task, so that a stop learns the exit code too. */
  #watchExit(runtime: TaskRuntime): Promise<TaskExit> {
    const { signal } = this.#life;
    const exited = this.#retried('wait', undefined, signal, (own) => runtime.wait({ signal: own })).then(
      (answer) => {
        this.#exit = checkExit(answer);
        return this.#exit;
      },
    );
    exited.catch(() => {});
    return exited;
  }

  #leaveToStart(signal: AbortSignal): Promise<void> {
    if (this.#assigned.task.desiredState !== 'ready') return Promise.resolve();
    return new Promise((resolve, reject) => {
      this.#leave = resolve;
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });
  }

  /** Calls the driver until it neither succeeds nor fails for good. */
  #retried<T>(
    what: string,
    deadlineMs: number | undefined,
    signal: AbortSignal,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<Awaited<T>> {
    const onRetry = (attempt: FailedAttempt) => this.#observed.say(attempt);
    return retried({ parts: this.#parts, what, deadlineMs, signal, onRetry }, work);
  }

  /** Ends the task once, stopping what may run first. Whoever asks first says how it ended. */
  #end(
    event: 'worker.stopped' | 'worker.failed',
    error?: string,
    about?: TaskStatus['about'],
  ): Promise<void> {
    if (isTerminal(this.#observed.state)) return this.#ending ?? Promise.resolve();
    this.#ending ??= this.#endNow(event, error, about);
    return this.#ending;
  }

  async #endNow(
    event: 'worker.stopped' | 'worker.failed',
    error: string | undefined,
    about: TaskStatus['about'],
  ): Promise<void> {
    this.#forward.abort(STOPPING);
    const trouble = this.#mayRun ? await this.#stopRuntime() : undefined;
    if (this.#life.signal.aborted) return;
    const exit: StatusDetail = {
      ...(this.#exit === undefined ? {} : { exitCode: this.#exit.exitCode }),
      ...(event === 'worker.stopped' && this.#cause !== undefined ? { cause: this.#cause } : {}),
      ...(about === undefined ? {} : { about }),
    };
    if (event === 'worker.stopped' && trouble === undefined) {
      this.#observed.move('worker.stopped', 'shutdown', exit);
      return;
    }
    const detail = { error: [error, trouble].filter((text) => text !== undefined).join('; '), ...exit };
    if (isAfter('starting', this.#observed.state)) this.#observed.move('worker.refused', 'rejected', detail);
    else this.#observed.move('worker.failed', this.#failureMessage(event), detail);
  }

  /** What it was at when it failed. */
  #failureMessage(event: 'worker.stopped' | 'worker.failed'): string {
    if (event === 'worker.stopped') return 'shutdown';
    return this.#observed.hasStarted ? 'started' : 'could not be started';
  }

  /** Stops the runtime, with escalation. @returns why it may still run, undefined when it does not. */
  async #stopRuntime(): Promise<string | undefined> {
    const trouble = await stopRuntime({
      parts: this.#parts,
      stop: (options) => this.runtime().stop(options),
      graceMs: this.#assigned.task.spec.stopGraceMs,
      signal: this.#life.signal,
      hasEnded: () => this.#exit !== undefined,
      onTrouble: (message, error) => this.#observed.say({ message, error }),
    });
    if (trouble === undefined) this.#mayRun = false;
    return trouble;
  }

  async #remove(): Promise<void> {
    const { driver, logger } = this.#parts;
    await this.shutdown();
    if (this.#touched) {
      const isGone = await removeRuntime({
        parts: this.#parts,
        remove: (options) =>
          this.#runtime ? this.#runtime.remove(options) : driver.discard(this.id, options),
        signal: this.#life.signal,
        onTrouble: (error) => logger.warn({ task: this.id, error }, 'task was not removed, trying again'),
      });
      this.#touched = !isGone;
    }
    this.close();
  }
}
