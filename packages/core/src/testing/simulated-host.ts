/**
 * The machine under simulated drivers: the runtimes of tasks as scripts played on a clock. It outlives the drivers
 * that use it, as a real machine outlives the process that holds its driver, so a test restarts a worker by giving
 * the same host to a new driver.
 *
 * It decides nothing by itself but what its scripts say, and the same seed and clock give the same run.
 */

import type { ExecResult, LogChunk, RuntimeTask, TaskExit } from '../driver/runtime-driver.ts';
import { DriverError } from '../errors.ts';
import type { ClusterId, NodeId, TaskId } from '../model/ids.ts';
import type { TaskPort } from '../model/objects.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Random, seededRandom } from '../runtime/random.ts';
import type { SimulatedBehaviour, SimulatedDuration } from './simulated-behaviour.ts';
import { type RuntimeRecord, type SimulatedRuntime, viewOf } from './simulated-runtime.ts';

/** Options of a {@link SimulatedHost}. */
export interface SimulatedHostOptions {
  readonly clock: Clock;
  /** Default: seeded with 1. */
  readonly random?: Random;
  /** Behaviour by image; by `command[0]` for a spec without one. */
  readonly images?: Readonly<Record<string, SimulatedBehaviour>>;
  /** Asked first, so that one task of a service may behave unlike the others. */
  readonly behaviour?: (task: RuntimeTask) => SimulatedBehaviour | undefined;
  /** What becomes of an image that the table does not have. Default `run`: it behaves as `{}`. */
  readonly unknownImages?: 'run' | 'reject';
  /** First of the ports handed out. Default 40,000. */
  readonly firstPort?: number;
}

const encoder = new TextEncoder();

/** A simulated machine. Shared by all drivers that are opened on it, one after the other or at once. */
export class SimulatedHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly #images: Map<string, SimulatedBehaviour>;
  readonly #options: SimulatedHostOptions;
  readonly #runtimes = new Map<TaskId, RuntimeRecord>();
  readonly #prepareCalls = new Map<TaskId, number>();
  readonly #listeners = new Map<TaskId, Set<() => void>>();
  readonly #stopListeners = new Set<(id: TaskId) => void>();
  #nextPort: number;

  constructor(options: SimulatedHostOptions) {
    this.clock = options.clock;
    this.random = options.random ?? seededRandom(1);
    this.#options = options;
    this.#images = new Map(Object.entries(options.images ?? {}));
    this.#nextPort = options.firstPort ?? 40_000;
  }

  /** All runtimes that were made and not removed, in the order of their making. */
  runtimes(): readonly SimulatedRuntime[] {
    return [...this.#runtimes.values()].map(viewOf);
  }

  /** Those of them that run. */
  running(): readonly SimulatedRuntime[] {
    return this.runtimes().filter((runtime) => runtime.state === 'running');
  }

  /** One runtime, or undefined when it was never made or is removed. */
  runtime(id: TaskId): SimulatedRuntime | undefined {
    const runtime = this.#runtimes.get(id);
    return runtime && viewOf(runtime);
  }

  /** Changes what tasks of this image do from their next preparation on. */
  setBehaviour(image: string, behaviour: SimulatedBehaviour): void {
    this.#images.set(image, behaviour);
  }

  /** Changes what exec probes of one task find. */
  setHealthy(id: TaskId, healthy: boolean): void {
    this.#existing(id).healthy = healthy;
  }

  /** Ends a running task from outside, as somebody's `kill -9` or its own bug would. Default code 137 by SIGKILL. */
  kill(id: TaskId, exitCode = 137, signal = exitCode === 137 ? 'SIGKILL' : undefined): void {
    this.end(id, signal === undefined ? { exitCode } : { exitCode, signal });
  }

  /** The machine loses its power and comes back: everything that ran has ended, nothing is removed. */
  reboot(): void {
    for (const id of this.#runtimes.keys()) {
      this.end(id, { exitCode: 137, signal: 'SIGKILL', message: 'the machine went down' });
    }
  }

  /** Makes a running task print a line. */
  print(id: TaskId, line: string, stream: LogChunk['stream'] = 'stdout'): void {
    const runtime = this.#existing(id);
    runtime.logs.push({ stream, at: this.clock.now(), data: encoder.encode(`${line}\n`) });
    this.#changed(id);
  }

  /** A duration as a number: itself, or drawn between its bounds. */
  draw(duration: SimulatedDuration | undefined): number {
    if (duration === undefined || typeof duration === 'number') return duration ?? 0;
    const [min, max] = duration;
    return Math.floor(min + this.random.next() * (max - min + 1));
  }

  /** What this task would do here, or undefined when its image is not known and must be. */
  behaviourOf(task: Pick<RuntimeTask, 'spec'> | RuntimeTask): SimulatedBehaviour | undefined {
    const own = 'id' in task ? this.#options.behaviour?.(task) : undefined;
    if (own !== undefined) return own;
    const known = this.#images.get(task.spec.image ?? task.spec.command?.[0] ?? '');
    return known ?? (this.#options.unknownImages === 'reject' ? undefined : {});
  }

  /** Images in the table. */
  images(): readonly string[] {
    return [...this.#images.keys()];
  }

  /** Counts one more call of `prepare`; how many there were before. */
  countPrepare(id: TaskId): number {
    const before = this.#prepareCalls.get(id) ?? 0;
    this.#prepareCalls.set(id, before + 1);
    return before;
  }

  /** Makes the runtime unless it is there. Throws DriverError when a port that it must have is taken. */
  create(
    task: RuntimeTask,
    owner: { readonly clusterId: ClusterId; readonly nodeId: NodeId },
    behaviour: SimulatedBehaviour,
  ): void {
    if (this.#runtimes.has(task.id)) return;
    const ports = task.ports.map((port): TaskPort => {
      const { target, protocol } = port;
      if (port.mode !== 'host' || port.published === undefined) {
        return { target, protocol, port: this.#freePort(protocol) };
      }
      if (this.#portTaken(port.published, protocol)) {
        throw new DriverError(`port ${port.published}/${protocol} is in use on this node`);
      }
      return { target, protocol, port: port.published };
    });
    this.#runtimes.set(task.id, {
      task,
      clusterId: owner.clusterId,
      nodeId: owner.nodeId,
      behaviour,
      ports,
      logs: [],
      cancels: [],
      state: 'created',
      starts: 0,
      startedAt: undefined,
      stopSignals: 0,
      exit: undefined,
      healthy: undefined,
    });
  }

  /** Starts the runtime unless it was started before. */
  start(id: TaskId): void {
    const runtime = this.#existing(id);
    if (runtime.state !== 'created') return;
    const { behaviour } = runtime;
    runtime.state = 'running';
    runtime.starts++;
    runtime.startedAt = this.clock.monotonic();
    for (const { afterMs, stream, line } of behaviour.output ?? []) {
      if (!afterMs) this.print(id, line, stream);
      else runtime.cancels.push(this.clock.setTimer(afterMs, () => this.print(id, line, stream)));
    }
    if (behaviour.runMs !== undefined) {
      const exit: TaskExit = {
        exitCode: behaviour.exitCode ?? 0,
        ...(behaviour.exitSignal !== undefined && { signal: behaviour.exitSignal }),
        ...(behaviour.outOfMemory && { outOfMemory: true }),
      };
      runtime.cancels.push(this.clock.setTimer(this.draw(behaviour.runMs), () => this.end(id, exit)));
    }
    this.#changed(id);
  }

  /** Delivers the stop signal. One that was never started ends at once. */
  signalStop(id: TaskId): void {
    const runtime = this.#runtimes.get(id);
    if (runtime === undefined || runtime.state === 'ended') return;
    if (runtime.state === 'created') {
      runtime.state = 'ended';
      runtime.exit = { exitCode: 143, message: 'stopped before it was started' };
      this.#changed(id);
      return;
    }
    for (const listener of this.#stopListeners) listener(id);
    runtime.stopSignals++;
    const { behaviour } = runtime;
    if (behaviour.ignoreStop) return;
    const exit: TaskExit =
      behaviour.stopExitCode === undefined
        ? { exitCode: 143, signal: 'SIGTERM' }
        : { exitCode: behaviour.stopExitCode };
    const stopMs = this.draw(behaviour.stopMs);
    if (stopMs === 0) this.end(id, exit);
    else runtime.cancels.push(this.clock.setTimer(stopMs, () => this.end(id, exit)));
  }

  /** Hears of each stop signal, before the task does. Returns the way to stop. */
  onStopSignal(listener: (id: TaskId) => void): () => void {
    this.#stopListeners.add(listener);
    return () => this.#stopListeners.delete(listener);
  }

  /** Ends a running task; does nothing to any other. */
  end(id: TaskId, exit: TaskExit): void {
    const runtime = this.#runtimes.get(id);
    if (runtime?.state !== 'running') return;
    for (const cancel of runtime.cancels.splice(0)) cancel();
    runtime.state = 'ended';
    runtime.exit = exit;
    this.#changed(id);
  }

  /** Removes every trace, ending it first. */
  remove(id: TaskId): void {
    this.end(id, { exitCode: 137, signal: 'SIGKILL' });
    this.#runtimes.delete(id);
    this.#prepareCalls.delete(id);
    this.#changed(id);
  }

  /** The lines printed so far. The same array grows with the next ones. */
  output(id: TaskId): readonly LogChunk[] {
    return this.#existing(id).logs;
  }

  /** Runs a command beside a task, as its script says. */
  exec(id: TaskId, command: readonly string[]): ExecResult {
    const { behaviour, healthy, startedAt = 0 } = this.#existing(id);
    const ageMs = this.clock.monotonic() - startedAt;
    if (behaviour.exec) return behaviour.exec(command, ageMs);
    const scripted = behaviour.healthy ?? true;
    const well = healthy ?? (typeof scripted === 'function' ? scripted(ageMs) : scripted);
    return { exitCode: well ? 0 : 1, output: '' };
  }

  /** Calls back at each change of a task's state or output, until the returned function is called. */
  listen(id: TaskId, callback: () => void): () => void {
    const listeners = this.#listeners.get(id) ?? new Set();
    this.#listeners.set(id, listeners.add(callback));
    return () => {
      listeners.delete(callback);
      if (listeners.size === 0 && this.#listeners.get(id) === listeners) this.#listeners.delete(id);
    };
  }

  #existing(id: TaskId): RuntimeRecord {
    const runtime = this.#runtimes.get(id);
    if (runtime === undefined) throw new DriverError(`task ${id} has no runtime here`);
    return runtime;
  }

  #changed(id: TaskId): void {
    for (const callback of [...(this.#listeners.get(id) ?? [])]) callback();
  }

  #freePort(protocol: TaskPort['protocol']): number {
    for (;;) {
      const port = this.#nextPort;
      this.#nextPort = port >= 65_535 ? (this.#options.firstPort ?? 40_000) : port + 1;
      if (!this.#portTaken(port, protocol)) return port;
    }
  }

  #portTaken(port: number, protocol: TaskPort['protocol']): boolean {
    for (const { ports, state } of this.#runtimes.values()) {
      if (state !== 'ended' && ports.some((each) => each.port === port && each.protocol === protocol))
        return true;
    }
    return false;
  }
}
