/** One manager: a disk that outlives its processes, and the process that runs on it, if one does. */

import { Cluster, type ClusterOptions, MemoryHistoryStore, seededRandom, UnavailableError } from '@skep/core';
import {
  configurationOf,
  MemoryDisk,
  type MemoryNetwork,
  type MemoryTransport,
  type RaftOptions,
} from '@skep/raft';
import { RaftEventLog } from '@skep/raft/event-log';
import { hashText } from '@skep/raft/simulator';
import { type Calls, Endpoint } from './calls.ts';
import type { CommittedLog } from './committed-log.ts';
import type { Gate } from './gate.ts';
import { commandRoute, type ForwarderWrapper, type LogWrapper, type ManagerDoor } from './routes.ts';
import type { World } from './world.ts';

/** Ticks of 50 ms in place of 10: elections take about as long as over the default, with a fifth of the events. */
const TICK_MS = 50;
const RAFT: Partial<RaftOptions> = {
  heartbeatTicks: 2,
  electionTicksMin: 10,
  electionTicksMax: 16,
  campaignTicksMin: 1,
  campaignTicksMax: 4,
  commitStallTicks: 60,
  transferTicks: 10,
  departingTicks: 100,
};

/** What managers share. */
export interface ManagerParts {
  readonly world: World;
  readonly calls: Calls;
  readonly network: MemoryNetwork;
  readonly committed: CommittedLog;
  /** Those that found the cluster. */
  readonly names: readonly string[];
  readonly leader: () => ManagerDoor | undefined;
  readonly options: Pick<ClusterOptions, 'spec'>;
  readonly snapshotEntries: number;
  /** Managers keep a history. */
  readonly history: boolean;
  readonly wrapLog: LogWrapper;
  readonly wrapForwarder: ForwarderWrapper;
}

/** A manager. */
export class SimulatedManager implements ManagerDoor {
  readonly name: string;
  readonly #parts: ManagerParts;
  readonly #disk = new MemoryDisk();
  readonly #history: MemoryHistoryStore | undefined;
  readonly #gate: Gate;
  readonly #isFounder: boolean;
  #life = 0;
  #endpoint: Endpoint | undefined;
  #cluster: Cluster | undefined;
  #log: RaftEventLog | undefined;
  #transport: MemoryTransport | undefined;
  #opening = new AbortController();
  #failure: unknown;
  #free: (() => void) | undefined;
  #goOn: (() => void) | undefined;

  /** @param options.isFounder - it is one of the first; others wait until they are taken in. */
  constructor(name: string, parts: ManagerParts, options: { readonly isFounder: boolean }) {
    this.name = name;
    this.#parts = parts;
    this.#gate = parts.world.gates.of(name);
    this.#isFounder = options.isFounder;
    this.#history = parts.history ? new MemoryHistoryStore() : undefined;
  }

  get endpoint(): Endpoint | undefined {
    return this.#endpoint;
  }

  get cluster(): Cluster | undefined {
    return this.#cluster;
  }

  get isUp(): boolean {
    return this.#endpoint !== undefined;
  }

  /** Whether it stands still. */
  get isPaused(): boolean {
    return this.#gate.isShut;
  }

  /** Its member of Raft, while its process runs. */
  get raft(): RaftEventLog['node'] | undefined {
    return this.#log?.node;
  }

  /** Why its process could not go on by itself, if so. */
  get failure(): unknown {
    return this.#failure ?? this.raft?.failure;
  }

  /** Its term, while it leads. */
  get leadsIn(): number | undefined {
    const leadership = this.#cluster?.leading ? this.#log?.leadership() : undefined;
    return leadership?.role === 'leader' ? leadership.epoch : undefined;
  }

  /** Begins a process on its disk. It takes part at once, and serves as soon as there is a leader. */
  start(): void {
    if (this.isUp) return;
    const { world, network, names, committed, calls, leader, options, wrapLog, wrapForwarder } = this.#parts;
    const life = ++this.#life;
    const seed = hashText(`${this.name} ${life}`, world.seed);
    this.#endpoint = new Endpoint(this.name);
    this.#opening = new AbortController();
    this.#transport = network.join(this.name);
    this.#log = new RaftEventLog({
      id: this.name,
      storage: this.#disk.open(),
      transport: this.#transport,
      clock: this.#gate,
      random: seededRandom(seed),
      ...(this.#isFounder ? { bootstrap: configurationOf(names) } : {}),
      tickMs: TICK_MS,
      raft: RAFT,
      snapshotEntries: this.#parts.snapshotEntries,
    });
    const { signal } = this.#opening;
    Cluster.open({
      ...options,
      log: wrapLog(committed.watched(this.name, this.#log), this.name),
      forwarder: wrapForwarder(commandRoute(calls, this.#endpoint, leader), this.name),
      clock: this.#gate,
      random: seededRandom(seed + 1),
      logger: world.loggerOf(this.name),
      history: this.#history === undefined ? false : { store: this.#history },
      signal,
    }).then(
      (cluster) => {
        if (life === this.#life && this.isUp) this.#cluster = cluster;
        else void cluster.close({ tasks: 'leave' }).catch(() => {});
      },
      (error: unknown) => {
        if (signal.aborted) return;
        if (!isForWantOfRoom(error)) {
          this.#failure = error;
          return;
        }
        world.note(`${this.name} ends: it can't open the cluster without room on its disk`);
        this.crash();
      },
    );
  }

  /** The process dies: what was not on its disk is lost. What it was asked and has not answered ends with an error. */
  crash(): void {
    if (!this.isUp) return;
    this.#endpoint?.die();
    this.#endpoint = undefined;
    this.#disk.crash();
    void this.#transport?.close();
    // What is left of it in this program ends by itself: nothing of it reaches disk or network any more.
    void this.#log?.close().catch(() => {});
    this.#opening.abort(new Error(`${this.name} has crashed`));
    void this.#cluster?.close({ tasks: 'leave' }).catch(() => {});
    this.#cluster = undefined;
    this.#log = undefined;
    this.resume();
  }

  /** It stands still: nothing happens in it until {@link resume}, and nothing it is sent is lost. */
  pause(): void {
    if (!this.isUp || this.isPaused) return;
    this.#gate.shut();
    this.#goOn = this.#parts.network.hold(this.name);
  }

  resume(): void {
    this.#gate.open();
    this.#goOn?.();
    this.#goOn = undefined;
  }

  /** Its disk has no room until {@link freeDisk}, also for the processes that come after this one. */
  fillDisk(): void {
    this.#free ??= this.#disk.fill();
  }

  freeDisk(): void {
    this.#free?.();
    this.#free = undefined;
  }
}

/** A program that finds no room when it starts is told so, and ends; it is started again later. */
function isForWantOfRoom(error: unknown): boolean {
  return error instanceof UnavailableError && error.reason === 'disk-full';
}
