/**
 * The port between a worker and whatever runs its tasks: Docker, child processes, a simulation, or a runtime of
 * somebody else's. A driver serves one node. It never decides: the worker says prepare, start, stop, remove, and the
 * driver does it or says why not.
 *
 * What a driver promises, the conformance suite in `@skep/core/driver/conformance` checks:
 *
 * 1. **Keyed by task.** Everything a driver makes for a task carries the task's id and its cluster's and node's, and
 *    is found by them after a restart. A driver touches nothing else.
 * 2. **Idempotent.** Each step may be asked for again after a crash: preparing what is prepared, starting what runs,
 *    stopping what has ended and removing what is gone all succeed. One task id never has two runtimes.
 * 3. **Honest.** A step resolves when it is done and rejects with a {@link DriverError} when it could not be done.
 *    What a driver can't enforce, its description says.
 * 4. **Outlives its user.** The death of the process that holds the driver neither stops nor breaks a running task.
 */

import type { SpecIssue } from '../errors.ts';
import type { ClusterId, NodeId, ServiceId, TaskId } from '../model/ids.ts';
import type { AllocatedPort, NetworkAttachment, NodeDescription, RuntimeStatus } from '../model/objects.ts';
import type { AssignedGeneric } from '../model/resources.ts';
import type { TaskSpec } from '../model/task-spec.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { DriverNetworks } from './driver-networks.ts';

/** Where a driver stands. Given once, by {@link RuntimeDriver.open}. */
export interface DriverContext {
  readonly clusterId: ClusterId;
  readonly nodeId: NodeId;
  /** The node's name. It is what the node is known by again, so a driver's description can't change it. */
  readonly hostname: string;
  /** A directory of the node's own that outlives the process. Absent in a cluster that keeps nothing. */
  readonly stateDir?: string;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** A file that the task must be able to read: a secret or a config. In memory only. */
export interface TaskFile {
  readonly kind: 'secret' | 'config';
  readonly name: string;
  /** File name, or absolute path where the driver can honour one. */
  readonly target: string;
  readonly mode: number;
  readonly data: Uint8Array;
}

/** All that a driver is told of a task. */
export interface RuntimeTask {
  readonly id: TaskId;
  readonly serviceId: ServiceId;
  readonly serviceName: string;
  /** `web.1.<id>`, or `web.<node>.<id>` in a global service. */
  readonly name: string;
  readonly slot: number;
  readonly spec: TaskSpec;
  readonly ports: readonly AllocatedPort[];
  /** Its places in networks that span nodes. Absent: none. */
  readonly attachments?: readonly NetworkAttachment[];
  readonly assignedGeneric: AssignedGeneric;
  readonly files: readonly TaskFile[];
  /** It may only run while somebody renews its lease. A driver keeps this with what it makes. Absent: it needs none. */
  readonly leaseMs?: number;
}

/** How a task's runtime ended. */
export interface TaskExit {
  /** 0–255; 128 + n when signal n ended it. */
  readonly exitCode: number;
  /** Name of the signal that ended it, if one did. */
  readonly signal?: string;
  /** The system took its memory away. */
  readonly outOfMemory?: boolean;
  /** More in the driver's own words. */
  readonly message?: string;
}

/** One piece of a task's output. */
export interface LogChunk {
  readonly stream: 'stdout' | 'stderr';
  /** When the driver saw it. Milliseconds since 1970. */
  readonly at: number;
  /** Whole lines where possible, with their line ends. */
  readonly data: Uint8Array;
}

/** What of the output is wanted. */
export interface LogOptions {
  /** Go on with new output until the runtime ends or the signal aborts. Default false. */
  readonly follow?: boolean;
  /** Only the last so many lines. Default all. */
  readonly tail?: number;
  /** Only what was seen at or after this time. Milliseconds since 1970. */
  readonly since?: number;
  readonly signal?: AbortSignal;
}

/** What a task uses just now. */
export interface TaskStats {
  readonly at: number;
  /** Processors in use, 1 = one whole. */
  readonly cpus: number;
  readonly memoryBytes: number;
}

/** A command run beside a task. */
export interface ExecResult {
  readonly exitCode: number;
  /** Output of both streams, at most 4 KiB from the end. */
  readonly output: string;
}

/** What somebody puts into a command that runs beside a task. The end of the input is the command's end of file. */
export type ExecInput =
  | { readonly kind: 'data'; readonly data: Uint8Array }
  /** The terminal has another size now. Means nothing without one. */
  | { readonly kind: 'resize'; readonly columns: number; readonly rows: number };

/** What a command gives back. The exit code comes last, and once. */
export type ExecOutput =
  | { readonly kind: 'output'; readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }
  | { readonly kind: 'exit'; readonly exitCode: number };

/** How to run a command that somebody works with. */
export interface ExecOptions {
  /** Give it a terminal. Both outputs come as one then. Default false. */
  readonly tty?: boolean;
  /** Read no faster than the command takes it. */
  readonly input: AsyncIterable<ExecInput>;
  /** Ends the command. */
  readonly signal: AbortSignal;
}

/** One task's runtime, whether it exists yet or not. Making this handle does nothing. */
export interface TaskRuntime {
  /** Fetches and creates what the task needs, without starting it. */
  prepare(options: { readonly signal: AbortSignal }): Promise<void>;
  /** Starts it, or finds it running. */
  start(options: { readonly signal: AbortSignal }): Promise<RuntimeStatus>;
  /** Resolves when it has ended, at once if it had; also for one that ended while nobody watched. */
  wait(options: { readonly signal: AbortSignal }): Promise<TaskExit>;
  /** Asks it to end, kills it after `graceMs`, and resolves when it is gone. */
  stop(options: { readonly graceMs: number; readonly signal: AbortSignal }): Promise<void>;
  /** Removes every trace but what the owner asked to keep. Stops it first if need be. */
  remove(options: { readonly signal: AbortSignal }): Promise<void>;
  logs(options: LogOptions): AsyncIterable<LogChunk>;
  /**
   * Watches the health check that the runtime has of its own, such as that of a container image; the worker asks
   * where the spec names no probe. Calls `onHealthy` once, at the first success, or at once where there is no such
   * check. Resolves with why it is unhealthy, in words. Absent: the driver's runtimes have no checks of their own.
   */
  watchHealth?(options: { readonly onHealthy: () => void; readonly signal: AbortSignal }): Promise<string>;
  /** Present when the driver's description says `exec`. */
  exec?(command: readonly string[], options: { readonly signal: AbortSignal }): Promise<ExecResult>;
  /**
   * The same with both ways open while it runs. Output comes as fast as it is read. Present when the driver's
   * description says `interactive`; it may be absent where `exec` is present.
   *
   * @throws DriverError, also when `tty` is asked for and the driver has no terminals.
   */
  execInteractive?(command: readonly string[], options: ExecOptions): AsyncIterable<ExecOutput>;
  /** Present when the driver's description says `stats`. */
  stats?(options: { readonly signal: AbortSignal }): Promise<TaskStats>;
}

/** What a driver found of an earlier life. */
export interface RecoveredTask {
  readonly id: TaskId;
  /** `running` or ended; an ended one still gives its exit to `wait`. */
  readonly running: boolean;
  /** As it was given. */
  readonly leaseMs?: number;
}

/** Runs the tasks of one node. */
export interface RuntimeDriver {
  /** Short name: `docker`, `process`. */
  readonly name: string;
  /** Gets ready for this node, and finds what an earlier life left. Called once, before all else. */
  open(context: DriverContext): Promise<readonly RecoveredTask[]>;
  /** Resources, platform and abilities of the node. Called again now and then; a change is told to the managers. */
  describe(): Promise<NodeDescription>;
  /** What of this spec the driver can't do, before anything is made. Pure and quick. */
  check(spec: TaskSpec): readonly SpecIssue[];
  /** The handle of a task's runtime. */
  runtime(task: RuntimeTask): TaskRuntime;
  /** Removes what an earlier life left of a task that nobody wants any more. Idempotent. */
  discard(id: TaskId, options: { readonly signal: AbortSignal }): Promise<void>;
  /**
   * From now on, tasks run in the networks of their attachments, which somebody makes through this. A task that is
   * prepared waits for its networks. Until it is called, attachments mean nothing to the driver. Absent: they never do.
   */
  takeNetworks?(): DriverNetworks;
  /** Lets go of everything without stopping the tasks. Safe to call twice. */
  close(): Promise<void>;
}
