/**
 * A whole cluster in one process: managers with Raft between them, workers with agents and simulated drivers, under
 * virtual time. Everything in it comes of one seed: the same seed and the same calls give the same run.
 */

import {
  type Cluster,
  type ClusterSpecInput,
  InvalidSpecError,
  NotFoundError,
  UnavailableError,
} from '@skep/core';
import {
  type ClusterState,
  type SimulatedBehaviour,
  SimulatedClock,
  type SimulatedHost,
} from '@skep/core/testing';
import { MemoryNetwork } from '@skep/raft';
import { randomStream } from '@skep/raft/simulator';
import { Calls } from './calls.ts';
import { CommittedLog, type TransactionListener } from './committed-log.ts';
import { type LatencyRange, Links } from './links.ts';
import type { DispatcherWrapper, ForwarderWrapper, LogWrapper } from './routes.ts';
import { SimulatedManager } from './simulated-manager.ts';
import { SimulatedWorker, type WorkerOptions } from './simulated-worker.ts';
import { tell } from './tell.ts';
import { type LogLine, World } from './world.ts';

/** Options of {@link SimulatedCluster.open}. */
export interface SimulatedClusterOptions {
  /** What everything random comes of. Default 1. */
  readonly seed?: number;
  /** How many managers, named `manager-1`, `manager-2`… Default 1. */
  readonly managers?: number;
  /** How many workers, or each by itself. Default 3. */
  readonly workers?: number | readonly WorkerOptions[];
  /** How tasks behave, by image; an image that is not named runs until it is stopped. */
  readonly images?: Readonly<Record<string, SimulatedBehaviour>>;
  /** Settings of the cluster. */
  readonly spec?: ClusterSpecInput;
  /** How long a message is under way, in ms, drawn for each. Default from 0.5 to 2. */
  readonly latencyMs?: LatencyRange;
  /** Log entries after which a manager takes a snapshot. Default 10,000. */
  readonly snapshotEntries?: number;
  /** Hears each line that managers and agents log. */
  readonly onLog?: LogLine;
  /** Changes what passes between managers and agents, to plant a bug or to look on. */
  readonly wrapDispatcher?: DispatcherWrapper;
  /** The same for what passes between a manager and its log, and between managers. */
  readonly wrapLog?: LogWrapper;
  readonly wrapForwarder?: ForwarderWrapper;
}

/** How far {@link SimulatedCluster.until} and {@link SimulatedCluster.run} let time go. */
export interface TimeLimit {
  /** Virtual time, in milliseconds. Default one hour. */
  readonly limitMs?: number;
}

/** A simulated cluster. */
export class SimulatedCluster implements AsyncDisposable {
  readonly clock: SimulatedClock;
  readonly #world: World;
  readonly #links: Links;
  readonly #committed: CommittedLog;
  readonly #managers: readonly SimulatedManager[];
  readonly #workers: readonly SimulatedWorker[];
  readonly #raftCuts: (from: string, to: string) => void;
  readonly #raftHeal: () => void;

  private constructor(
    options: Required<Omit<SimulatedClusterOptions, 'onLog'>> & Pick<SimulatedClusterOptions, 'onLog'>,
  ) {
    const { seed, managers, workers, latencyMs, images, spec, snapshotEntries } = options;
    this.clock = new SimulatedClock();
    const { clock } = this;
    this.#world = new World(seed, clock, options.onLog);
    const links = new Links({ clock, random: randomStream(seed, 'links'), latency: latencyMs });
    this.#links = links;
    this.#committed = new CommittedLog();
    this.#committed.onTransaction((changes) => {
      for (const line of tell(changes)) this.#world.note(line);
    });
    const network = new MemoryNetwork({
      clock,
      random: randomStream(seed, 'raft'),
      get latencyMs() {
        return links.latencyMs;
      },
    });
    this.#raftCuts = (from, to) => network.cut(from, to);
    this.#raftHeal = () => network.heal();
    const calls = new Calls({ clock, links });
    const names = Array.from({ length: managers }, (_, at) => `manager-${at + 1}`);
    const leader = () => this.#leading();
    const shared = { world: this.#world, calls, network, committed: this.#committed, names, leader };
    const { wrapLog, wrapForwarder } = options;
    const parts = { ...shared, options: { spec }, snapshotEntries, wrapLog, wrapForwarder };
    this.#managers = names.map((name) => new SimulatedManager(name, parts));
    const each = typeof workers === 'number' ? Array.from({ length: workers }, () => ({})) : workers;
    this.#workers = each.map((worker: WorkerOptions, at) => {
      const own = {
        world: this.#world,
        calls,
        managers: this.#managers,
        images,
        wrap: options.wrapDispatcher,
      };
      return new SimulatedWorker(worker.name ?? `worker-${at + 1}`, at + 1, worker, own);
    });
    const all = [...names, ...this.#workers.map(({ name }) => name)];
    if (new Set(all).size !== all.length) {
      throw new InvalidSpecError([{ field: 'workers', rule: 'must have names of their own' }]);
    }
  }

  /**
   * Opens a cluster, and lets time pass until a manager leads and all workers are ready.
   *
   * @throws InvalidSpecError for an option that is out of range; TimeoutError when it does not come up.
   */
  static async open(options: SimulatedClusterOptions = {}): Promise<SimulatedCluster> {
    const { managers = 1, workers = 3, seed = 1 } = options;
    const issues = [
      ...(Number.isSafeInteger(managers) && managers >= 1
        ? []
        : [{ field: 'managers', rule: 'must be a whole number of at least 1' }]),
      ...(Number.isSafeInteger(seed) ? [] : [{ field: 'seed', rule: 'must be a whole number' }]),
      ...(typeof workers !== 'number' || (Number.isSafeInteger(workers) && workers >= 0)
        ? []
        : [{ field: 'workers', rule: 'must be a whole number of at least 0, or a list' }]),
    ];
    if (issues.length > 0) throw new InvalidSpecError(issues);
    const simulated = new SimulatedCluster({
      images: {},
      spec: {},
      latencyMs: [0.5, 2],
      snapshotEntries: 10_000,
      wrapDispatcher: (port) => port,
      wrapLog: (log) => log,
      wrapForwarder: (forwarder) => forwarder,
      ...options,
      managers,
      workers,
      seed,
    });
    for (const manager of simulated.#managers) manager.start();
    await simulated.until(
      () => simulated.#managers.every(({ cluster }) => cluster) && simulated.leader !== undefined,
    );
    for (const worker of simulated.#workers) {
      await simulated.run(worker.join(simulated.cluster));
      worker.start(simulated.cluster);
    }
    const isReady = () => [...simulated.state.nodes()].every(({ status }) => status.state === 'ready');
    await simulated.until(isReady);
    return simulated;
  }

  /** The cluster as the leader has it; where nobody leads, as any manager that runs has it. */
  get cluster(): Cluster {
    const cluster = this.#leading()?.cluster ?? this.#managers.find((manager) => manager.cluster)?.cluster;
    if (!cluster) throw new UnavailableError('not-leader', 'no manager runs');
    return cluster;
  }

  /** The name of the manager that leads, if one does. */
  get leader(): string | undefined {
    return this.#leading()?.name;
  }

  /** The newest committed state, whoever holds it. */
  get state(): ClusterState {
    return this.#committed.state;
  }

  /** The names of the managers. */
  get managers(): readonly string[] {
    return this.#managers.map(({ name }) => name);
  }

  /** The names of the workers. */
  get workers(): readonly string[] {
    return this.#workers.map(({ name }) => name);
  }

  /** Everything that happened so far, a line each. */
  get trace(): readonly string[] {
    return this.#world.lines;
  }

  /** A checksum of the trace: two runs of one seed have the same. */
  get traceHash(): number {
    return this.#world.hash;
  }

  /** What was committed, as a bystander sees it. */
  get committed(): CommittedLog {
    return this.#committed;
  }

  /** A manager's cluster, to ask it rather than the leader. Undefined while it is down or not open yet. */
  manager(name: string): Cluster | undefined {
    return find(this.#managers, 'manager', name).cluster;
  }

  /** A worker's machine: what runs on it, and how it behaves. @throws NotFoundError */
  host(worker: string): SimulatedHost {
    return find(this.#workers, 'worker', worker).host;
  }

  /** A worker's node, once it has joined. @throws NotFoundError */
  nodeOf(worker: string): string | undefined {
    return find(this.#workers, 'worker', worker).nodeId;
  }

  /** Whether the process of this name runs. @throws NotFoundError */
  isUp(name: string): boolean {
    return this.#process(name).isUp;
  }

  /** Lets time pass until the promise settles, and gives what it gives. */
  run<T>(work: Promise<T>, limit: TimeLimit = {}): Promise<T> {
    return this.clock.run(work, limit);
  }

  /** Lets `ms` of virtual time pass. */
  advance(ms: number): Promise<void> {
    return this.clock.advance(ms);
  }

  /** Lets time pass until the predicate holds. @throws TimeoutError at the limit. */
  until(predicate: () => boolean, limit: TimeLimit = {}): Promise<void> {
    return this.clock.runUntil(predicate, limit);
  }

  /**
   * The process dies. A manager loses what was not on its disk; a worker's tasks run on without their agent, unless the
   * whole `machine` goes down.
   *
   * @throws NotFoundError
   */
  crash(name: string, options: { readonly machine?: boolean } = {}): void {
    const process = this.#process(name);
    this.note(`${name} crashes${options.machine ? ', with its machine' : ''}`);
    process.crash(options);
  }

  /**
   * Starts a process that is down: a manager on its disk, an agent on its machine. A worker whose node was removed
   * joins as a new one; that, and the start of an agent, need a manager that runs.
   *
   * @throws NotFoundError; UnavailableError when no manager runs.
   */
  async restart(name: string): Promise<void> {
    const process = this.#process(name);
    this.note(`${name} starts`);
    if (process instanceof SimulatedManager) {
      process.start();
      return;
    }
    const { cluster } = this;
    const isRemoved = process.nodeId !== undefined && !this.state.node(process.nodeId);
    if (isRemoved) {
      // Who was taken out learns of it first, and lets go of what it ran.
      process.start(cluster);
      await this.until(() => process.agent?.state === 'removed' && process.host.runtimes().length === 0);
      process.crash();
      await this.run(process.join(cluster));
    }
    process.start(cluster);
  }

  /** Nothing passes between those named and the others, either way, until {@link heal}. @throws NotFoundError */
  partition(some: readonly string[], others?: readonly string[]): void {
    for (const name of [...some, ...(others ?? [])]) this.#process(name);
    const rest = others ?? [...this.managers, ...this.workers].filter((name) => !some.includes(name));
    this.note(`${some.join(', ')} cut off from ${rest.join(', ')}`);
    for (const one of some) {
      for (const other of rest) {
        this.#cut(one, other);
        this.#cut(other, one);
      }
    }
  }

  /** Nothing passes from one to the other, until {@link heal}; the way back stays open. @throws NotFoundError */
  cut(from: string, to: string): void {
    this.#process(from);
    this.#process(to);
    this.note(`nothing passes from ${from} to ${to}`);
    this.#cut(from, to);
  }

  /** Ends every partition and cut, and every slowness. */
  heal(): void {
    this.note('the network heals');
    this.#links.heal();
    this.#raftHeal();
    this.#links.slowDown(1);
  }

  /** Every message takes so many times as long, until {@link heal}. */
  slowDown(factor: number): void {
    this.note(`messages take ${factor} times as long`);
    this.#links.slowDown(factor);
  }

  /** Hears of each committed transaction, once, in order. Returns the way to stop. */
  onTransaction(listener: TransactionListener): () => void {
    return this.#committed.onTransaction(listener);
  }

  /** Adds a line to the trace. */
  note(what: string): void {
    this.#world.note(what);
  }

  /** Ends all processes. Nothing of the cluster is left. */
  async close(): Promise<void> {
    for (const each of [...this.#workers, ...this.#managers]) each.crash();
    await this.clock.advance(60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #cut(from: string, to: string): void {
    this.#links.cut(from, to);
    this.#raftCuts(from, to);
  }

  /** Of two that both think so, as in a partition, the one of the newer term. */
  #leading(): SimulatedManager | undefined {
    let newest: SimulatedManager | undefined;
    for (const manager of this.#managers) {
      if ((manager.leadsIn ?? 0) > (newest?.leadsIn ?? 0)) newest = manager;
    }
    return newest;
  }

  #process(name: string): SimulatedManager | SimulatedWorker {
    const found = [...this.#managers, ...this.#workers].find((each) => each.name === name);
    if (!found) throw new NotFoundError('process', name);
    return found;
  }
}

function find<T extends { readonly name: string }>(all: readonly T[], kind: string, name: string): T {
  const found = all.find((each) => each.name === name);
  if (!found) throw new NotFoundError(kind, name);
  return found;
}
