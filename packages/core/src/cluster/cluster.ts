/**
 * `Cluster`: the whole orchestrator in one object. It opens a log, keeps the state that the log says, leads when the
 * log says so, and runs the nodes that live in this process. No signal handlers, no console, no process-wide state.
 */

import { InvalidSpecError, PreconditionError } from '../errors.ts';
import { type AtOptions, History, type StoryOptions } from '../history/history.ts';
import type { HistoryEvent } from '../history/history-event.ts';
import type { HistorySubject } from '../history/subject.ts';
import type { EventLog, RecoveryReport } from '../log/event-log.ts';
import { findService } from '../manager/api/find.ts';
import { Manager } from '../manager/manager.ts';
import { checkSources } from '../manager/metric-watch/metric-source.ts';
import type { Plan } from '../manager/planner/plan.ts';
import type { Plannable } from '../manager/planner/plan-action.ts';
import type { Endpoints } from '../model/endpoint.ts';
import type { ClusterObject } from '../model/objects.ts';
import { type ClusterSpecInput, clusterSpecSchema } from '../model/other-specs.ts';
import { parseSpec } from '../model/parse-spec.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import type { Clock } from '../runtime/clock.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import { silentLogger } from '../runtime/logger.ts';
import { systemClock } from '../runtime/system-clock.ts';
import { systemRandom } from '../runtime/system-random.ts';
import type { ObjectKind } from '../state/change.ts';
import { ChangeFeed } from '../state/change-feed.ts';
import { endpointsOf } from '../state/endpoints.ts';
import { Replica } from '../state/replica.ts';
import type { DispatcherPort } from '../worker/dispatcher-port.ts';
import type { ClusterHealth } from './cluster-health.ts';
import type { CloseOptions, ClusterOptions } from './cluster-options.ts';
import { collectionsOn, routedTo } from './collections.ts';
import { type CommandRequest, type CommandResponse, callOn, checkCommand } from './command-forwarder.ts';
import type { Configs } from './configs.ts';
import { Control, type VersionedCommandOptions } from './control.ts';
import { EndpointFeed } from './endpoints.ts';
import { explainOn, type TaskExplanation } from './explain.ts';
import { Forgetting } from './forgetting.ts';
import { LeaderDispatcher } from './leader-dispatcher.ts';
import { LocalNode, type LocalNodeOptions } from './local-node.ts';
import type { Networks } from './networks.ts';
import type { Nodes } from './nodes.ts';
import { chooseStorage, openLog } from './open-storage.ts';
import { PastCluster } from './past-cluster.ts';
import { type PlanOptions, planOn } from './plan.ts';
import type { Rebalancing } from './rebalancing.ts';
import type { SealedRecords } from './sealed-records.ts';
import type { Secrets } from './secrets.ts';
import type { Services } from './services.ts';
import type { Settings } from './settings.ts';
import { Tasks } from './tasks.ts';
import type { Volumes } from './volumes.ts';
import { Watch, type WatchOptions } from './watch.ts';

/** An open cluster. */
export class Cluster implements AsyncDisposable {
  readonly services: Services;
  readonly nodes: Nodes;
  readonly tasks: Tasks;
  readonly networks: Networks;
  readonly secrets: Secrets;
  readonly configs: Configs;
  /** Where volumes live that tasks follow. */
  readonly volumes: Volumes;
  /** Bytes that a program which builds on the cluster keeps in it. */
  readonly records: SealedRecords;
  /** Which tasks could be moved to spread the cluster better, and moving them. */
  readonly rebalance: Rebalancing;
  /** What agents of other machines talk to. It serves while this member leads, and tells them so when it does not. */
  readonly dispatcher: DispatcherPort;
  /** What the log mended and replayed when it was opened. */
  readonly recovery: RecoveryReport;
  readonly #parts: ClusterParts;
  readonly #control: Control;
  readonly #localNodes = new Map<string, LocalNode>();
  readonly #settings: Settings;
  /** The collections as they carry commands out here, whoever leads. */
  readonly #collections: Readonly<Record<string, object>>;
  #closing: Promise<void> | undefined;

  private constructor(parts: ClusterParts, recovery: RecoveryReport) {
    this.#parts = parts;
    this.recovery = recovery;
    this.#control = parts.control;
    const { control } = parts;
    this.dispatcher = new LeaderDispatcher(control.manager);
    const { forwarder } = parts.options;
    const collections = collectionsOn(control, (id, wanted) => this.tasks.logs(id, wanted));
    const routed = routedTo(collections, control, forwarder);
    this.#collections = collections;
    this.services = routed.services;
    this.nodes = routed.nodes;
    this.tasks = new Tasks(control, parts.options.agents);
    this.networks = routed.networks;
    this.secrets = routed.secrets;
    this.configs = routed.configs;
    this.volumes = routed.volumes;
    this.records = routed.records;
    this.rebalance = routed.rebalance;
    this.#settings = routed.settings;
  }

  /**
   * Opens a cluster: recovers what is stored, and starts leading as soon as the log says so. Where another member of
   * the log leads, it follows: reads and watches show what has come here, and commands are refused as
   * `UnavailableError` with reason `not-leader`, naming the member to ask. It leads by itself once that one is gone.
   *
   * @throws UnavailableError when what is stored can't be read, with the log's code as its reason (`locked`, `corrupt`,
   *   `wrong-key`, `unsupported-version`, `io`); InvalidSpecError; TimeoutError; AbortedError.
   */
  static async open(options: ClusterOptions = {}): Promise<Cluster> {
    if (options.log && options.dir !== undefined) {
      throw new InvalidSpecError([{ field: 'log', rule: 'must not be given together with dir' }]);
    }
    if (options.dir === '') throw new InvalidSpecError([{ field: 'dir', rule: 'must not be empty' }]);
    checkSources(options.metricSources);
    const clock = options.clock ?? systemClock;
    let opening: Promise<Cluster> | undefined;
    try {
      return await withDeadline(clock, options, 'the open cluster', (signal) => {
        opening = Cluster.#open(options, clock, signal);
        return opening;
      });
    } catch (error) {
      // Nobody will have the cluster that still comes about.
      void opening?.then((late) => late.close()).catch(() => {});
      throw error;
    }
  }

  static async #open(options: ClusterOptions, clock: Clock, signal: AbortSignal): Promise<Cluster> {
    const random = options.random ?? systemRandom;
    const logger = options.logger ?? silentLogger;
    const clusterSpec = parseSpec(clusterSpecSchema, options.spec ?? {});
    const storage = await chooseStorage(options, { clock, logger });
    const { log } = storage;
    const lifetime = new Lifetime();
    const replica = new Replica();
    const forgetting = new Forgetting({ log, clock, logger, lifetime });
    replica.onForget(() => forgetting.note());
    const history =
      storage.history && (await History.open({ ...storage.history, clock, logger, lifetime, replica }));
    const recovery = await openLog(log, replica, history);
    history?.compare(!log.capabilities.replicated);
    // It begins behind the replay: what nobody hears of costs less.
    const feed = new ChangeFeed(replica);
    history?.serve(feed);
    const manager = new Manager({
      ...{ log, replica, clock, random, logger, clusterSpec },
      ...(options.id === undefined ? {} : { clusterId: options.id }),
      ...(options.metricSources === undefined ? {} : { metricSources: options.metricSources }),
    });
    const control = new Control({ manager, feed, clock, random, logger, lifetime, forgetting });
    const cluster = new Cluster({ options, log, history, feed, manager, control }, recovery);
    try {
      const leading = await manager.whenServing(signal);
      // A follower that is new has nothing to show until it has learned of the cluster.
      if (!leading) await control.until('the cluster', { signal }, ({ cluster: formed }) => formed);
      forgetting.start();
      if (options.driver) await cluster.addNode({ ...options.node, driver: options.driver, signal });
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

  /**
   * Changes settings of the cluster. What is absent stays as it is.
   *
   * @throws InvalidSpecError, VersionConflictError, UnavailableError, OutcomeUnknownError
   */
  update(change: ClusterSpecInput, options: VersionedCommandOptions = {}): Promise<void> {
    return this.#settings.update(change, options);
  }

  /**
   * Carries out a command that another member has sent here, since this one leads.
   *
   * @throws UnavailableError `not-leader` if it does not; InvalidSpecError; the command's own error.
   */
  async carryOut(request: CommandRequest, signal?: AbortSignal): Promise<CommandResponse> {
    checkCommand(request);
    const { collection, method, args, options } = request;
    const target = this.#collections[collection] ?? {};
    const result = await callOn(target, method, [...args, { ...options, ...(signal ? { signal } : {}) }]);
    return { result, index: this.#control.state.index };
  }

  /**
   * Runs a node in this process. A node of the same hostname that was here before is taken up again, with its id and
   * what its driver left running.
   *
   * @throws NameConflictError if this process runs a node of that hostname already; DriverError; TimeoutError with
   *   what the driver or the managers said last.
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
    const { feed, history } = this.#parts;
    return new Watch(feed, options, this.#control.lifetime, history);
  }

  /**
   * Who may receive a service's traffic now, and each time that changes. Subscribe to it, or loop over it.
   *
   * @param ref - id or name
   */
  endpoints(ref: string, options: { readonly signal?: AbortSignal } = {}): EndpointFeed {
    return new EndpointFeed(this.#parts.feed, ref, options, this.#control.lifetime);
  }

  /** Who may receive a service's traffic now. @throws NotFoundError */
  currentEndpoints(ref: string): Endpoints {
    const { state } = this.#control;
    return endpointsOf(state, findService(state, ref));
  }

  /**
   * What would come of it: of applying a service's spec, or of `drain(node)`, `lose(node)`, `scale(service, n)`. The
   * real control loops play it through on this member's committed state, with nothing else going on and every task
   * coming to run; nothing is written, and no node hears of it. Carry it out with `ifIndex: plan.index`.
   *
   * @throws what the command would throw: NotFoundError, InvalidSpecError, PreconditionError; with `at`, what
   *   {@link at} throws; TimeoutError; AbortedError; ClosedError
   */
  async plan(plannable: Plannable, options: PlanOptions = {}): Promise<Plan> {
    return planOn(this.#control, (moment, waiting) => this.#history.at(moment, waiting), plannable, options);
  }

  /** This member leads: its loops decide, and commands are carried out here. */
  get leading(): boolean {
    return this.#parts.manager.leading !== undefined;
  }

  /**
   * Why a task has the node that it has, or none: the nodes that each filter turned away and by what, the best few and
   * how they compare, and when it was decided; for one that waits, what would make it fit. Any member can tell.
   *
   * @throws NotFoundError, InvalidSpecError, TimeoutError, AbortedError, ClosedError
   */
  async explain(taskId: string, options: WaitOptions = {}): Promise<TaskExplanation> {
    return explainOn(this.#control.state, this.#control, taskId, options);
  }

  /**
   * The cluster as it was: behind a transaction, by its index, or at a time. Answered by this member alone, leading or
   * not. What happened lately comes at once; what lies back farther is made from the nearest checkpoint.
   *
   * @throws HistoryPrunedError for what is forgotten, with the oldest moment that is not; PreconditionError for the
   *   future, or without a history; InvalidSpecError; UnavailableError when it can't be read; AbortedError; ClosedError
   */
  async at(moment: number | Date, options: AtOptions = {}): Promise<PastCluster> {
    return new PastCluster(await this.#history.at(moment, options));
  }

  /**
   * What happened to an object, oldest first: each change with its time, who made it and why, and the fields that
   * differ. Objects that are gone have a history, too. Without an object: everything.
   *
   * @throws InvalidSpecError, PreconditionError at once; while it is told, NotFoundError when nothing that is kept
   *   mentions the object, and as {@link at}
   */
  history(object?: HistorySubject, options: StoryOptions = {}): AsyncIterableIterator<HistoryEvent> {
    return this.#history.story(object, options);
  }

  get #history(): History {
    const { history } = this.#parts;
    if (!history) throw new PreconditionError('this cluster was opened without a history');
    return history;
  }

  /** The state of this member, of its log and of its control loops. */
  get health(): ClusterHealth {
    return {
      index: this.#control.state.index,
      at: this.#control.state.at,
      leading: this.leading,
      log: this.#parts.log.status(),
      loops: this.#parts.manager.loops,
    };
  }

  /**
   * Closes the cluster: takes no more commands, stops or leaves its tasks, sees what is on its way to the log through,
   * and ends every watch and wait. Safe to call twice.
   *
   * @throws TimeoutError, AbortedError when stopping the tasks took too long; the cluster is closed all the same, and
   *   tasks may still run.
   */
  close(options: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(options);
    return this.#closing;
  }

  /** Closes the cluster and stops its tasks. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close({ tasks = 'stop', ...waiting }: CloseOptions): Promise<void> {
    const { clock } = this.#control;
    this.#control.takeNoMore();
    // Nodes that all leave must not have their tasks moved from one to the other on the way out.
    this.#parts.manager.stopDeciding();
    try {
      await withDeadline(clock, waiting, 'the end of the tasks', async () => {
        await Promise.all(this.localNodes.map((node) => node.close({ tasks })));
      });
    } finally {
      await this.#parts.manager.leading?.ledger.idle();
      this.#control.close();
      this.#parts.manager.close();
      this.#parts.feed.close();
      await this.#parts.log.close();
      await this.#parts.history?.close();
    }
  }
}

interface ClusterParts {
  readonly options: ClusterOptions;
  readonly log: EventLog;
  readonly history: History | undefined;
  readonly feed: ChangeFeed;
  readonly manager: Manager;
  readonly control: Control;
}
