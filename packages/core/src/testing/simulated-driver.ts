/**
 * A runtime driver for tests and simulations: it plays the scripts of a {@link SimulatedHost} on that host's clock.
 * It stands where Docker or real processes would, and can fail, hang and lie on demand, so that what is above it can
 * be shown to cope. It keeps the whole contract of the port otherwise.
 */

import { DriverOperations } from '../driver/operations.ts';
import type {
  DriverContext,
  ExecOptions,
  ExecOutput,
  ExecResult,
  LogChunk,
  LogOptions,
  RecoveredTask,
  RuntimeDriver,
  RuntimeTask,
  TaskExit,
  TaskRuntime,
  TaskStats,
} from '../driver/runtime-driver.ts';
import { DriverError, type SpecIssue } from '../errors.ts';
import type { TaskId } from '../model/ids.ts';
import type { NodeDescription, RuntimeStatus } from '../model/objects.ts';
import type { TaskSpec } from '../model/task-spec.ts';
import { sleep } from '../runtime/clock.ts';
import type { SimulatedBehaviour, SimulatedDuration, SimulatedStep } from './simulated-behaviour.ts';
import { SimulatedHost, type SimulatedHostOptions } from './simulated-host.ts';
import { changed, never } from './simulated-operations.ts';
import type { SimulatedRuntime } from './simulated-runtime.ts';

/** Parts of a node's description that a test wants otherwise than the default. */
export type SimulatedDescription = Partial<NodeDescription>;

/** Options of a {@link SimulatedDriver}: a host of its own, or one to share. */
export type SimulatedDriverOptions = {
  /** Default: 64 processors, 256 GiB of memory, linux/amd64, everything enforced. */
  readonly description?: SimulatedDescription;
} & ({ readonly host: SimulatedHost } | SimulatedHostOptions);

const GIB = 1024 ** 3;

/** Runs simulated tasks on a {@link SimulatedHost}. */
export class SimulatedDriver implements RuntimeDriver {
  readonly name = 'simulated';
  readonly host: SimulatedHost;
  #description: SimulatedDescription;
  #context: DriverContext | undefined;
  #closed = false;
  readonly #operations = new DriverOperations();

  constructor(options: SimulatedDriverOptions) {
    this.host = 'host' in options ? options.host : new SimulatedHost(options);
    this.#description = options.description ?? {};
  }

  /** All runtimes on the host, this node's and others'. */
  runtimes(): readonly SimulatedRuntime[] {
    return this.host.runtimes();
  }

  /** Ends a running task from outside. Default code 137 by SIGKILL. */
  kill(id: TaskId, exitCode?: number): void {
    this.host.kill(id, exitCode);
  }

  /** Changes the node's description from the next call of `describe` on. */
  setDescription(description: SimulatedDescription): void {
    this.#description = { ...this.#description, ...description };
  }

  open(context: DriverContext): Promise<readonly RecoveredTask[]> {
    this.#context = context;
    return Promise.resolve(
      this.host
        .runtimes()
        .filter((runtime) => this.#owns(runtime))
        .map(({ id, state, task: { leaseMs } }) => ({
          id,
          running: state === 'running',
          ...(leaseMs === undefined ? {} : { leaseMs }),
        })),
    );
  }

  describe(): Promise<NodeDescription> {
    return Promise.resolve({
      hostname: this.#opened().hostname,
      platform: { os: 'linux', architecture: 'amd64' },
      resources: { cpus: 64, memoryBytes: 256 * GIB, generic: {} },
      engine: { driver: this.name, version: '1', labels: {} },
      capabilities: {
        exec: true,
        interactive: 'terminal',
        stats: true,
        limits: { cpus: true, memory: true, pids: true },
      },
      ...this.#description,
    });
  }

  check(spec: TaskSpec): readonly SpecIssue[] {
    const issues: SpecIssue[] = [];
    if (this.host.behaviourOf({ spec }) === undefined) {
      issues.push({ field: 'image', rule: this.#unknownImage(spec) });
    }
    const enforced = this.#description.capabilities?.limits ?? { cpus: true, memory: true, pids: true };
    const { limits } = spec.resources;
    const refuse = (field: string) =>
      issues.push({ field: `resources.limits.${field}`, rule: 'is not enforced by this simulated driver' });
    if (limits.cpus !== undefined && !enforced.cpus) refuse('cpus');
    if (limits.memoryBytes !== undefined && !enforced.memory) refuse('memoryBytes');
    if (limits.pids !== undefined && !enforced.pids) refuse('pids');
    return issues;
  }

  runtime(task: RuntimeTask): TaskRuntime {
    const behaviour = this.host.behaviourOf(task) ?? {};
    breakSync(behaviour, 'runtime');
    const step =
      <Options extends { readonly signal: AbortSignal }, Result>(
        name: SimulatedStep,
        run: (options: Options) => Promise<Result>,
      ) =>
      (options: Options): Promise<Result> => {
        breakSync(behaviour, name);
        return this.#operation(options.signal, (signal) => run({ ...options, signal }));
      };
    return {
      prepare: step('prepare', ({ signal }) => this.#prepare(task, signal)),
      start: step('start', ({ signal }) => this.#start(task, behaviour, signal)),
      wait: step('wait', ({ signal }) => this.#wait(task.id, behaviour, signal)),
      stop: step('stop', (options: { graceMs: number; signal: AbortSignal }) =>
        this.#stop(task.id, options.graceMs, behaviour, options.signal),
      ),
      remove: step('remove', ({ signal }) => this.#remove(task.id, signal)),
      logs: (options) => this.#logs(task.id, options),
      exec: (command, options) =>
        step('exec', ({ signal }) => this.#exec(task.id, command, behaviour, signal))(options),
      execInteractive: (command, options) => this.#execInteractive(task.id, command, behaviour, options),
      stats: step('stats', () => this.#stats(task.id, behaviour)),
    };
  }

  async discard(id: TaskId, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#operation(signal, (linked) => this.#remove(id, linked));
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#operations.abort(this.#closedError());
    return Promise.resolve();
  }

  async #prepare(task: RuntimeTask, signal: AbortSignal): Promise<void> {
    const context = this.#opened();
    const behaviour = this.host.behaviourOf(task);
    if (behaviour === undefined) throw new DriverError(this.#unknownImage(task.spec));
    if (this.#runtime(task.id) !== undefined) return;
    const callsBefore = this.host.countPrepare(task.id);
    if (behaviour.hangPrepare) await never(signal, behaviour.ignoreAbort);
    await this.#pass(behaviour.prepareMs, signal);
    if (callsBefore < (behaviour.rejectTemporary ?? 0)) {
      throw new DriverError('the registry does not answer', { temporary: true });
    }
    if (callsBefore < (behaviour.rejectImage ?? 0)) {
      throw new DriverError('the registry is away', { temporary: true, about: 'image' });
    }
    if (behaviour.failImage !== undefined) throw new DriverError(behaviour.failImage, { about: 'image' });
    if (behaviour.failPrepare !== undefined) throw new DriverError(behaviour.failPrepare);
    this.host.create(task, context, behaviour);
  }

  async #start(
    task: RuntimeTask,
    behaviour: SimulatedBehaviour,
    signal: AbortSignal,
  ): Promise<RuntimeStatus> {
    const before = this.#runtime(task.id);
    if (before === undefined) throw new DriverError(`task ${task.id} is not prepared`);
    if (before.state === 'created') {
      if (behaviour.hangStart) await never(signal, behaviour.ignoreAbort);
      await this.#pass(behaviour.startMs, signal);
      if (behaviour.failStart !== undefined) throw new DriverError(behaviour.failStart);
      if (this.#runtime(task.id) === undefined) throw new DriverError(`task ${task.id} was removed`);
      this.host.start(task.id);
    }
    const started = this.#runtime(task.id);
    if (started === undefined || started.starts === 0) {
      throw new DriverError(`task ${task.id} was stopped before it was started`);
    }
    return { id: `simulated-${task.id}`, ports: started.ports };
  }

  async #wait(id: TaskId, behaviour: SimulatedBehaviour, signal: AbortSignal): Promise<TaskExit> {
    if (behaviour.failWait !== undefined) throw new Error(behaviour.failWait);
    return this.#changed(id, signal, () => {
      const runtime = this.#runtime(id);
      if (runtime === undefined) throw new DriverError(`task ${id} has no runtime here`);
      return runtime.exit;
    });
  }

  async #stop(
    id: TaskId,
    graceMs: number,
    behaviour: SimulatedBehaviour,
    signal: AbortSignal,
  ): Promise<void> {
    if (behaviour.hangStop) await never(signal, behaviour.ignoreAbort);
    if (this.#runtime(id) === undefined) return;
    this.host.signalStop(id);
    const graceOver = this.host.clock.setTimer(graceMs, () => this.host.kill(id));
    try {
      await this.#changed(id, signal, () => {
        const runtime = this.#runtime(id);
        return runtime === undefined || runtime.state === 'ended' ? true : undefined;
      });
    } finally {
      graceOver();
    }
  }

  async #remove(id: TaskId, signal: AbortSignal): Promise<void> {
    const runtime = this.#runtime(id);
    if (runtime === undefined) return;
    if (runtime.state === 'running') {
      await this.#stop(id, runtime.task.spec.stopGraceMs, this.host.behaviourOf(runtime.task) ?? {}, signal);
    }
    this.host.remove(id);
  }

  async *#logs(id: TaskId, options: LogOptions): AsyncGenerator<LogChunk> {
    this.#opened();
    if (this.#runtime(id) === undefined) throw new DriverError(`task ${id} has no runtime here`);
    const output = this.host.output(id);
    const since = options.since ?? Number.NEGATIVE_INFINITY;
    let next = output.length;
    const history = output.filter((chunk) => chunk.at >= since);
    yield* options.tail === undefined ? history : history.slice(Math.max(0, history.length - options.tail));
    while (options.follow && !options.signal?.aborted) {
      const more = await this.#operation(options.signal, (signal) =>
        this.#changed(id, signal, () => {
          if (output.length > next) return true;
          return this.#runtime(id)?.state === 'ended' || this.#runtime(id) === undefined ? false : undefined;
        }),
      ).catch((error: unknown) => {
        // A follower that gives up has simply reached its end.
        if (options.signal?.aborted) return false;
        throw error;
      });
      while (next < output.length) {
        const chunk = output[next++];
        if (chunk !== undefined && chunk.at >= since) yield chunk;
      }
      if (!more) return;
    }
  }

  async #exec(
    id: TaskId,
    command: readonly string[],
    behaviour: SimulatedBehaviour,
    signal: AbortSignal,
  ): Promise<ExecResult> {
    this.#running(id);
    if (behaviour.hangExec) await never(signal, behaviour.ignoreAbort);
    await this.#pass(behaviour.execMs, signal);
    this.#running(id);
    return this.host.exec(id, command);
  }

  async *#execInteractive(
    id: TaskId,
    command: readonly string[],
    behaviour: SimulatedBehaviour,
    options: ExecOptions,
  ): AsyncGenerator<ExecOutput, void, undefined> {
    this.#running(id);
    const { capabilities } = this.#description;
    if (options.tty && capabilities !== undefined && capabilities.interactive !== 'terminal') {
      throw new DriverError('exec: tty: there are no terminals on this simulated node');
    }
    if (behaviour.execInteractive) {
      yield* behaviour.execInteractive(command, options);
      return;
    }
    const run = (signal: AbortSignal) => this.#exec(id, command, behaviour, signal);
    const { exitCode, output } = await this.#operation(options.signal, run);
    if (output !== '') yield { kind: 'output', stream: 'stdout', data: new TextEncoder().encode(output) };
    yield { kind: 'exit', exitCode };
  }

  async #stats(id: TaskId, behaviour: SimulatedBehaviour): Promise<TaskStats> {
    this.#running(id);
    const used = behaviour.stats ?? { cpus: 0.1, memoryBytes: 16 * 1024 * 1024 };
    return { at: this.host.clock.now(), ...used };
  }

  #opened(): DriverContext {
    if (this.#closed) throw this.#closedError();
    if (this.#context === undefined) throw new DriverError('simulated driver is not open');
    return this.#context;
  }

  #closedError(): DriverError {
    return new DriverError('simulated driver is closed', { temporary: true });
  }

  #running(id: TaskId): void {
    this.#opened();
    if (this.#runtime(id)?.state !== 'running') throw new DriverError(`task ${id} does not run`);
  }

  /** A runtime of this node, never another's. */
  #runtime(id: TaskId): SimulatedRuntime | undefined {
    const runtime = this.host.runtime(id);
    return runtime !== undefined && this.#owns(runtime) ? runtime : undefined;
  }

  #owns(runtime: SimulatedRuntime): boolean {
    return runtime.clusterId === this.#context?.clusterId && runtime.nodeId === this.#context.nodeId;
  }

  #unknownImage(spec: TaskSpec): string {
    const known = this.host.images();
    return `unknown image '${spec.image ?? spec.command?.[0] ?? ''}'; known: ${known.join(', ') || 'none'}`;
  }

  /** Runs one step under a signal that aborts when the caller's does or the driver is closed. */
  async #operation<T>(
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    this.#opened();
    return this.#operations.run(signal, work);
  }

  async #pass(duration: SimulatedDuration | undefined, signal: AbortSignal): Promise<void> {
    const ms = this.host.draw(duration);
    if (ms > 0) await sleep(this.host.clock, ms, signal);
    signal.throwIfAborted();
    this.#opened();
  }

  /** Resolves with what `read` gives as soon as it gives something. */
  #changed<T>(id: TaskId, signal: AbortSignal, read: () => T | undefined): Promise<T> {
    return changed((look) => this.host.listen(id, look), signal, read);
  }
}

function breakSync({ throwSync }: SimulatedBehaviour, step: SimulatedStep): void {
  if (throwSync === step || (Array.isArray(throwSync) && throwSync.includes(step))) {
    throw new Error(`simulated driver broke in ${step}`);
  }
}
