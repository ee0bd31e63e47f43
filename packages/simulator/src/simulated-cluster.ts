/**
 * A whole cluster in one process: managers with Raft between them, workers with agents and simulated drivers, under
 * virtual time. Everything in it comes of one seed: the same seed and the same calls give the same run.
 */

import {
  type Cluster,
  InvalidSpecError,
  NotFoundError,
  PreconditionError,
  UnavailableError,
} from '@skep/core';
import { type ClusterState, SimulatedClock, type SimulatedHost } from '@skep/core/testing';
import { MemoryNetwork } from '@skep/raft';
import { randomStream } from '@skep/raft/simulator';
import { Calls } from './calls.ts';
import { CommittedLog, type TransactionListener } from './committed-log.ts';
import { Links } from './links.ts';
import { Membership } from './membership.ts';
import { checkOptions, type SimulatedClusterOptions } from './options.ts';
import { type ManagerParts, SimulatedManager } from './simulated-manager.ts';
import { SimulatedWorker, type WorkerOptions } from './simulated-worker.ts';
import { tell } from './tell.ts';
import { World } from './world.ts';

/** A manager that was taken out goes on for so long, as if it had not heard of it; in ms. */
const LINGERS_MS = 5_000;

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
  readonly #membership: Membership;
  readonly #managerParts: ManagerParts;
  #managers: readonly SimulatedManager[];
  /** Managers that are being taken out. */
  readonly #leaving = new Set<SimulatedManager>();
  /** Managers that were taken out, and whose processes may not know it yet. */
  readonly #gone: SimulatedManager[] = [];
  #managersMade: number;
  readonly #workers: readonly SimulatedWorker[];
  readonly #network: MemoryNetwork;

  private constructor(
    options: Required<Omit<SimulatedClusterOptions, 'onLog'>> & Pick<SimulatedClusterOptions, 'onLog'>,
  ) {
    const { seed, managers, workers, latencyMs, images, spec, snapshotEntries, history } = options;
    const { wrapLog, wrapForwarder } = options;
    this.clock = new SimulatedClock();
    const { clock } = this;
    this.#world = new World(seed, clock, options.onLog);
    const { gates } = this.#world;
    const links = new Links({ clock, random: randomStream(seed, 'links'), latency: latencyMs, gates });
    this.#links = links;
    this.#committed = new CommittedLog();
    this.#committed.onTransaction((changes) => {
      for (const line of tell(changes)) this.#world.note(line);
    });
    const network = new MemoryNetwork({
      ...{ clock, random: randomStream(seed, 'raft') },
      get latencyMs() {
        return links.latencyMs;
      },
    });
    this.#network = network;
    const calls = new Calls({ clock, links });
    const names = Array.from({ length: managers }, (_, at) => `manager-${at + 1}`);
    const leader = () => this.#leading();
    this.#managerParts = {
      ...{ world: this.#world, calls, network, committed: this.#committed, names, leader },
      ...{ options: { spec }, snapshotEntries, history, wrapLog, wrapForwarder },
    };
    this.#managers = names.map((name) => new SimulatedManager(name, this.#managerParts, { isFounder: true }));
    this.#managersMade = managers;
    this.#membership = new Membership(this.#world, leader);
    const each = typeof workers === 'number' ? Array.from({ length: workers }, () => ({})) : workers;
    const parts = { world: this.#world, calls, images, wrap: options.wrapDispatcher };
    this.#workers = each.map((worker: WorkerOptions, at) => {
      const own = { ...parts, managers: () => this.#managers };
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
    checkOptions({ managers, workers, seed });
    const simulated = new SimulatedCluster({
      images: {},
      spec: {},
      latencyMs: [0.5, 2],
      snapshotEntries: 10_000,
      history: false,
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
      await simulated.run(worker.join(() => simulated.cluster));
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

  /** Whether the process of this name stands still. @throws NotFoundError */
  isPaused(name: string): boolean {
    return this.#process(name).isPaused;
  }

  /** Why a manager's process could not go on by itself, if so. @throws NotFoundError */
  failureOf(manager: string): unknown {
    return find(this.#managers, 'manager', manager).failure;
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
    const isRemoved = process.nodeId !== undefined && !this.state.node(process.nodeId);
    if (isRemoved) {
      // Who was taken out learns of it first, and lets go of what it ran.
      process.start(this.cluster);
      await this.until(() => process.agent?.state === 'removed' && process.host.runtimes().length === 0);
      process.crash();
      await this.run(process.join(() => this.cluster));
    }
    process.start(this.cluster);
  }

  /**
   * A new manager, with an empty disk. It is there at once, and takes part when the promise resolves to its name: that
   * takes a leader, and time, so hand it to {@link run}, or go on meanwhile.
   */
  async addManager(): Promise<string> {
    this.#managersMade += 1;
    const name = `manager-${this.#managersMade}`;
    const manager = new SimulatedManager(name, this.#managerParts, { isFounder: false });
    this.#managers = [...this.#managers, manager];
    this.note(`${name} is new, and wants to be a manager`);
    manager.start();
    await this.#membership.add(name);
    this.note(`${name} is a manager`);
    return name;
  }

  /**
   * Takes a manager out for good, as {@link addManager} adds it. Its process goes on for a while.
   *
   * @throws NotFoundError; PreconditionError for the last one.
   */
  async removeManager(name: string): Promise<void> {
    const manager = find(this.#managers, 'manager', name);
    if (this.#managers.length - this.#leaving.size <= 1 || this.#leaving.has(manager)) {
      throw new PreconditionError('the last manager can not be taken out, nor one that is on its way out');
    }
    this.#leaving.add(manager);
    this.note(`${name} is to be a manager no more`);
    await this.#membership.remove(name);
    this.note(`${name} is no manager any more`);
    this.#managers = this.#managers.filter((each) => each !== manager);
    this.#leaving.delete(manager);
    this.#gone.push(manager);
    this.clock.setTimer(LINGERS_MS, () => manager.crash());
  }

  /**
   * The process stands still until {@link resume}: time goes on, and nothing is lost that is sent to it. Of a worker, the
   * agent alone; its tasks run on.
   *
   * @throws NotFoundError
   */
  pause(name: string): void {
    this.note(`${name} stands still`);
    this.#process(name).pause();
  }

  /** @throws NotFoundError */
  resume(name: string): void {
    this.note(`${name} goes on`);
    this.#process(name).resume();
  }

  /** A manager's disk has no room until {@link freeDisk}. @throws NotFoundError */
  fillDisk(manager: string): void {
    this.note(`${manager} has no room on its disk`);
    find(this.#managers, 'manager', manager).fillDisk();
  }

  /** @throws NotFoundError */
  freeDisk(manager: string): void {
    this.note(`${manager} has room on its disk`);
    find(this.#managers, 'manager', manager).freeDisk();
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
    this.#network.heal();
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
    for (const each of [...this.#workers, ...this.#managers, ...this.#gone]) each.crash();
    await this.clock.advance(60_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #cut(from: string, to: string): void {
    this.#links.cut(from, to);
    this.#network.cut(from, to);
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
