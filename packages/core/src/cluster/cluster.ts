/**
 * `Cluster`: the whole orchestrator in one object. It opens a log, keeps the state that the log says, leads when the
 * log says so, and runs the nodes that live in this process. No signal handlers, no console, no process-wide state.
 */

import type { Observable } from 'rxjs';
import type { RuntimeDriver } from '../driver/runtime-driver.ts';
import { InvalidSpecError, PreconditionError } from '../errors.ts';
import type { EventLog, LogStatus, RecoveryReport } from '../log/event-log.ts';
import { MemoryEventLog } from '../log/memory-event-log.ts';
import { updateCluster } from '../manager/api/cluster-commands.ts';
import { findService } from '../manager/api/find.ts';
import type { LoopStatus } from '../manager/loop-runner.ts';
import { Manager } from '../manager/manager.ts';
import type { ClusterObject } from '../model/objects.ts';
import { type ClusterSpecInput, clusterSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import type { Clock } from '../runtime/clock.ts';
import { type Logger, silentLogger } from '../runtime/logger.ts';
import type { Random } from '../runtime/random.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { systemRandom } from '../runtime/system-random.ts';
import type { ObjectKind } from '../state/change.ts';
import { ChangeFeed } from '../state/change-feed.ts';
import { Replica } from '../state/replica.ts';
import type { ProbeNetwork } from '../worker/health/probe.ts';
import { Control, type VersionedCommandOptions } from './control.ts';
import { type Endpoints, endpointsOf, watchEndpoints } from './endpoints.ts';
import { Configs, Networks, Secrets } from './files.ts';
import { LocalNode, type LocalNodeOptions } from './local-node.ts';
import { Nodes } from './nodes.ts';
import { Services } from './services.ts';
import { Tasks } from './tasks.ts';
import { Watch, type WatchOptions } from './watch.ts';

/** Options of {@link Cluster.open}. */
export interface ClusterOptions extends WaitOptions {
  /** What runs the tasks of this process's own node. Without one, nodes come by {@link Cluster.addNode}. */
  readonly driver?: RuntimeDriver;
  /** Hostname, labels and address of that node. */
  readonly node?: Omit<LocalNodeOptions, 'driver'>;
  /** Directory to keep the cluster in: events, snapshots and what drivers must remember. Default: memory only. */
  readonly dir?: string;
  /** The event log, in place of the one that `dir` gives. It is closed with the cluster. */
  readonly log?: EventLog;
  /** Settings that a new cluster begins with. */
  readonly spec?: ClusterSpecInput;
  readonly logger?: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  /** How TCP health probes connect. Default: the host's sockets, where there are any. */
  readonly probes?: ProbeNetwork;
}

/** Options of {@link Cluster.close}. */
export interface CloseOptions {
  /**
   * `stop` (default): stop the tasks of this process's nodes first. `leave`: let them run; the next cluster that
   * opens the same directory takes them up again.
   */
  readonly tasks?: 'stop' | 'leave';
}

/** What a cluster tells of itself, for health pages and metrics. */
export interface ClusterHealth {
  /** Index of the newest committed transaction. */
  readonly index: number;
  readonly leading: boolean;
  readonly log: LogStatus;
  readonly loops: readonly LoopStatus[];
}

/** An open cluster. */
export class Cluster implements AsyncDisposable {
  readonly services: Services;
  readonly nodes: Nodes;
  readonly tasks: Tasks;
  readonly networks: Networks;
  readonly secrets: Secrets;
  readonly configs: Configs;
  /** What the log mended and replayed when it was opened. */
  readonly recovery: RecoveryReport;
  readonly #parts: ClusterParts;
  readonly #control: Control;
  readonly #localNodes = new Map<string, LocalNode>();
  #closing: Promise<void> | undefined;

  private constructor(parts: ClusterParts, recovery: RecoveryReport) {
    this.#parts = parts;
    this.recovery = recovery;
    this.#control = parts.control;
    this.services = new Services(parts.control);
    this.nodes = new Nodes(parts.control);
    this.tasks = new Tasks(parts.control);
    this.networks = new Networks(parts.control);
    this.secrets = new Secrets(parts.control);
    this.configs = new Configs(parts.control);
  }

  /**
   * Opens a cluster: recovers what is stored, and starts leading as soon as the log says so.
   *
   * @throws LogError when what is stored can't be read; InvalidSpecError; TimeoutError; AbortedError.
   */
  static async open(options: ClusterOptions = {}): Promise<Cluster> {
    if (options.log && options.dir !== undefined) {
      throw new InvalidSpecError([{ field: 'log', rule: 'must not be given together with dir' }]);
    }
    const clock = options.clock ?? systemClock;
    const random = options.random ?? systemRandom;
    const logger = options.logger ?? silentLogger;
    const clusterSpec = parseSpec(clusterSpecSchema, options.spec ?? {});
    const log = options.log ?? (await openLog(options.dir, { clock, logger }));
    const replica = new Replica();
    const feed = new ChangeFeed(replica);
    const forgetting = new Forgetting(log, logger);
    replica.onCommit((changes) => changes.forgets && forgetting.note());
    const recovery = await log.open(replica);
    const manager = new Manager({ log, replica, clock, random, logger, clusterSpec });
    const control = new Control({ manager, feed, clock, random, logger, forget: () => forgetting.done() });
    const cluster = new Cluster({ options, log, feed, manager, control }, recovery);
    try {
      await withDeadline(clock, options, 'a leading manager', (signal) => manager.whenLeading(signal));
      if (options.driver) await cluster.addNode({ ...options.node, driver: options.driver });
      return cluster;
    } catch (error) {
      await cluster.close();
      throw error;
    }
  }

  /** The cluster object: id and settings. */
  get info(): ClusterObject {
    const { cluster } = this.#control.state;
    if (!cluster) throw new PreconditionError('the cluster is not formed yet');
    return cluster;
  }

  /** Changes the cluster's settings. @throws InvalidSpecError, VersionConflictError, UnavailableError */
  async update(input: ClusterSpecInput, options: VersionedCommandOptions = {}): Promise<void> {
    const spec = parseSpec(clusterSpecSchema, input);
    await this.#control.command(
      'update cluster',
      options,
      (head) => updateCluster(head, spec, options.version),
      () => undefined,
    );
  }

  /**
   * Runs a node in this process. A node of the same hostname that was here before is taken up again, with its id and
   * what its driver left running.
   *
   * @throws NameConflictError if this process runs a node of that hostname already; DriverError.
   */
  async addNode(options: LocalNodeOptions): Promise<LocalNode> {
    const { dir, probes } = this.#parts.options;
    return LocalNode.start(this.#control, this.#localNodes, {
      ...options,
      ...(dir === undefined ? {} : { clusterDir: dir }),
      ...(probes === undefined ? {} : { probes }),
    });
  }

  /** The nodes that run in this process. */
  get localNodes(): readonly LocalNode[] {
    return [...this.#localNodes.values()];
  }

  /**
   * The cluster's changes: current objects first, then each change, resumable by index. Subscribe to it, or loop over
   * it with `for await`.
   */
  watch<K extends ObjectKind = ObjectKind>(options: WatchOptions<K> = {}): Watch<K> {
    return new Watch(this.#parts.feed, options, this.#control.lifetime);
  }

  /** Who may receive a service's traffic now, and each time that changes. @param ref - id or name */
  endpoints(ref: string): Observable<Endpoints> {
    return watchEndpoints(this.#parts.feed, ref, this.#control.lifetime);
  }

  /** Who may receive a service's traffic now. @throws NotFoundError */
  currentEndpoints(ref: string): Endpoints {
    const { state } = this.#control;
    return endpointsOf(state, findService(state, ref));
  }

  /** The state of this member, of its log and of its control loops. */
  get health(): ClusterHealth {
    return {
      index: this.#control.state.index,
      leading: this.#parts.manager.leading !== undefined,
      log: this.#parts.log.status(),
      loops: this.#parts.manager.loops,
    };
  }

  /** Closes the cluster: its nodes, its watches and waits, its log. Safe to call twice. */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /** Closes the cluster and stops its tasks. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(options: CloseOptions): Promise<void> {
    await Promise.all(this.localNodes.map((node) => node.close(options)));
    this.#control.close();
    this.#parts.manager.close();
    this.#parts.feed.close();
    await this.#parts.log.close();
  }
}

interface ClusterParts {
  readonly options: ClusterOptions;
  readonly log: EventLog;
  readonly feed: ChangeFeed;
  readonly manager: Manager;
  readonly control: Control;
}

/** Makes the log forget removed secrets: a snapshot without them, and no entry that held them. */
class Forgetting {
  readonly #log: EventLog;
  readonly #logger: Logger;
  #due = false;
  #running: Promise<void> = Promise.resolve();

  constructor(log: EventLog, logger: Logger) {
    this.#log = log;
    this.#logger = logger;
  }

  /** A committed transaction dropped a value. Also heard while replaying, when the process died before it was done. */
  note(): void {
    if (this.#due) return;
    this.#due = true;
    this.#running = this.#running.then(() => this.#checkpoint());
  }

  /** Resolves once everything that was noted is gone from the log. */
  done(): Promise<void> {
    return this.#running;
  }

  async #checkpoint(): Promise<void> {
    this.#due = false;
    try {
      await this.#log.checkpoint({ discard: true });
    } catch (error) {
      this.#logger.error(
        { error },
        'could not compact the log after a secret was removed; the next start will',
      );
    }
  }
}

async function openLog(dir: string | undefined, parts: { clock: Clock; logger: Logger }): Promise<EventLog> {
  if (dir === undefined) return new MemoryEventLog();
  const { FileEventLog } = await import('@skep/core/file');
  return new FileEventLog({ dir: `${dir}/log`, ...parts });
}
