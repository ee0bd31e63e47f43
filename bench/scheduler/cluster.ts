/**
 * A leader to measure: real ledger, real loop runners, real memory log, real state. What users and agents would do is
 * done by hand. Of the control loops only the scheduler runs at first, and it waits for its turn to be timed.
 */

import type { ClusterEvent } from '../../packages/core/src/events/event.ts';
import type { Append, AppendOutcome } from '../../packages/core/src/log/event-log.ts';
import { MemoryEventLog } from '../../packages/core/src/log/memory-event-log.ts';
import { type ControlLoop, NOTHING } from '../../packages/core/src/manager/control-loop.ts';
import { Ledger } from '../../packages/core/src/manager/ledger.ts';
import { LoopRunner } from '../../packages/core/src/manager/loop-runner.ts';
import { CONTROL_LOOPS } from '../../packages/core/src/manager/manager.ts';
import { createScheduler } from '../../packages/core/src/manager/scheduler/scheduler.ts';
import {
  type ClusterId,
  type NodeId,
  newId,
  type ServiceId,
  type TaskId,
} from '../../packages/core/src/model/ids.ts';
import { clusterSpecSchema, nodeSpecSchema } from '../../packages/core/src/model/other-specs.ts';
import { serviceSpecSchema } from '../../packages/core/src/model/service-spec.ts';
import { silentLogger } from '../../packages/core/src/runtime/logger.ts';
import { seededRandom } from '../../packages/core/src/runtime/random.ts';
import { systemClock } from '../../packages/core/src/runtime/system-clock.ts';
import type { ChangeSet } from '../../packages/core/src/state/change.ts';
import { Replica } from '../../packages/core/src/state/replica.ts';
import { aDescription } from '../../packages/core/src/testing/state-builder.ts';
import { ownTime } from '../harness/processor-waits.ts';
import type { Shape } from './shapes.ts';

/** Rows of a transaction of the set-up. */
const CHUNK = 1_000;

/** A log in memory that counts what it was given. */
class WeighedLog extends MemoryEventLog {
  bytes = 0;

  override append(append: Append): Promise<AppendOutcome> {
    this.bytes += append.payload.length;
    return super.append(append);
  }
}

/** A control loop that is told when it may decide, and timed. */
class GatedLoop implements ControlLoop {
  readonly name: string;
  open = false;
  decideMs = 0;
  longestMs = 0;
  readonly #loop: ControlLoop;

  constructor(loop: ControlLoop) {
    this.#loop = loop;
    this.name = loop.name;
  }

  begin(...args: Parameters<ControlLoop['begin']>): void {
    this.#loop.begin(...args);
  }

  observe(...args: Parameters<ControlLoop['observe']>): void {
    this.#loop.observe(...args);
  }

  decide(...args: Parameters<ControlLoop['decide']>): ReturnType<ControlLoop['decide']> {
    if (!this.open) return NOTHING;
    const tookMs = ownTime();
    const decision = this.#loop.decide(...args);
    const took = tookMs();
    this.decideMs += took;
    this.longestMs = Math.max(this.longestMs, took);
    return decision;
  }
}

/** A leader, its nodes and what they are to run. */
export class BenchCluster {
  readonly #log: WeighedLog;
  readonly #ledger: Ledger;
  readonly #random = seededRandom(1);
  #scheduler: GatedLoop | undefined;
  #runners: LoopRunner[] = [];

  private constructor(log: WeighedLog, ledger: Ledger) {
    this.#log = log;
    this.#ledger = ledger;
  }

  /**
   * @param retainBytes - payloads that the log keeps for its readers. Default: the log's.
   * @param replica - what is committed. Default: one that nobody else listens to.
   */
  static async open(retainBytes?: number, replica = new Replica()): Promise<BenchCluster> {
    const log = new WeighedLog(retainBytes === undefined ? {} : { retainBytes });
    await log.open(replica);
    const { epoch } = log.leadership();
    const random = seededRandom(2);
    const ledger = new Ledger({ log, replica, clock: systemClock, random, epoch, sequence: 0 });
    const cluster = new BenchCluster(log, ledger);
    await cluster.apply({
      type: 'cluster.created',
      id: newId<ClusterId>(random),
      spec: clusterSpecSchema.parse({}),
      digestKey: random.bytes(32),
    });
    return cluster;
  }

  /** Bytes of all payloads that were appended so far. */
  get loggedBytes(): number {
    return this.#log.bytes;
  }

  get ledger(): Ledger {
    return this.#ledger;
  }

  /** Makes nodes of 64 processors and 256 GiB in 2 tiers, 4 zones and 40 racks, all ready. */
  async addNodes(count: number): Promise<readonly NodeId[]> {
    const ids: NodeId[] = [];
    const events: ClusterEvent[] = [];
    for (let number = 0; number < count; number++) {
      const id = newId<NodeId>(this.#random);
      ids.push(id);
      const labels = {
        tier: number % 2 === 0 ? 'front' : 'back',
        zone: `zone-${number % 4}`,
        rack: `rack-${(number >> 2) % 10}`,
      };
      events.push({
        type: 'node.joined',
        id,
        spec: nodeSpecSchema.parse({ labels }),
        description: aDescription({ hostname: `node-${number}`, cpus: 64, memoryBytes: 256 * 1024 ** 3 }),
        address: `10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`,
      });
    }
    for (let at = 0; at < events.length; at += 500) await this.apply(...events.slice(at, at + 500));
    for (const chunk of chunks(ids)) {
      await this.apply({ type: 'node.status', state: 'ready', message: 'ready', ids: chunk });
    }
    return ids;
  }

  async addServices(shape: Shape): Promise<readonly ServiceId[]> {
    const ids: ServiceId[] = [];
    for (let number = 0; number < shape.services; number++) {
      const id = newId<ServiceId>(this.#random);
      const tier = number % 2 === 0 ? 'front' : 'back';
      const spec = serviceSpecSchema.parse({
        name: `service-${number}`,
        replicas: tasksOf(shape, number),
        task: {
          image: 'image',
          resources: {
            reservations: shape.reservations ? { cpus: 0.05, memoryBytes: 16 * 1024 ** 2 } : {},
          },
          placement: {
            constraints: shape.constraints ? [`node.labels.tier==${tier}`] : [],
            preferences: shape.preferences
              ? [{ spread: 'node.labels.zone' }, { spread: 'node.labels.rack' }]
              : [],
          },
        },
      });
      await this.apply(
        { type: 'service.created', id, spec },
        { type: 'service.allocated', id, endpoint: { ports: [] } },
      );
      ids.push(id);
    }
    return ids;
  }

  /** Makes the services' tasks, pending. */
  async addPending(shape: Shape, services: readonly ServiceId[]): Promise<void> {
    for (const [number, serviceId] of services.entries()) {
      const ids = Array.from({ length: tasksOf(shape, number) }, () => newId<TaskId>(this.#random));
      let slot = 0;
      for (const chunk of chunks(ids)) {
        const rows = chunk.map((id) => {
          slot += 1;
          return { id, slot };
        });
        await this.apply({ type: 'task.created', serviceId, rows }, { type: 'task.allocated', ids: chunk });
      }
    }
  }

  /** Starts the scheduler's loop: it observes from now on, and decides when it is let. */
  runScheduler(): void {
    this.#scheduler = new GatedLoop(createScheduler());
    this.#runners.push(this.#run(this.#scheduler));
  }

  /**
   * Starts the scheduler's loop and waits until it has built its index, which a new leader does in its first turns: from
   * then on the index is folded from what changes, as it is in a leader at work.
   */
  async runLoadedScheduler(): Promise<void> {
    this.runScheduler();
    const stop = this.letSchedule();
    await this.wake();
    await this.#untilQuiet();
    stop();
  }

  /** Lets the scheduler decide. Returns the way to stop it, which tells how long it took to decide. */
  letSchedule(): () => { readonly decideMs: number; readonly longestMs: number } {
    const scheduler = this.#scheduler;
    if (!scheduler) throw new Error('the scheduler does not run');
    scheduler.decideMs = 0;
    scheduler.longestMs = 0;
    scheduler.open = true;
    return () => {
      scheduler.open = false;
      return { decideMs: scheduler.decideMs, longestMs: scheduler.longestMs };
    };
  }

  /** Starts all the other control loops, and waits until none has anything to do. */
  async runAllLoops(): Promise<void> {
    const others = CONTROL_LOOPS.map((create) => create()).filter(
      ({ name }) => name !== this.#scheduler?.name,
    );
    for (const loop of others) this.#runners.push(this.#run(loop));
    await this.#untilQuiet();
  }

  /** Until no loop has decided anything for a while. */
  async #untilQuiet(): Promise<void> {
    const decisions = () => this.#runners.reduce((sum, runner) => sum + runner.status.decisions, 0);
    for (let quiet = 0, before = decisions(); quiet < 50; ) {
      await new Promise((resolve) => setImmediate(resolve));
      const now = decisions();
      quiet = now === before ? quiet + 1 : 0;
      before = now;
    }
  }

  /** Stops all loops and lets go of what they keep. */
  stopLoops(): void {
    for (const runner of this.#runners.splice(0)) runner.stop();
    this.#scheduler = undefined;
  }

  /**
   * Waits until so many tasks were seen to be assigned on the committed change feed.
   *
   * @param begin - sets off what leads to it.
   */
  async untilAssigned(tasks: number, begin: () => Promise<void>): Promise<Assigned> {
    let assigned = 0;
    let changes = 0;
    let transactions = 0;
    let resolve = () => {};
    const done = new Promise<void>((end) => {
      resolve = end;
    });
    const hear = (set: ChangeSet) => {
      transactions += 1;
      changes += set.changes.length;
      for (const change of set.changes) {
        if (change.kind === 'task' && change.after?.status.state === 'assigned') {
          if (change.before?.status.state === 'pending') assigned += 1;
        }
      }
      if (assigned >= tasks) resolve();
    };
    const stop = this.#ledger.onCommitted(hear);
    const start = performance.now();
    const ownMs = ownTime();
    await begin();
    await done;
    const milliseconds = performance.now() - start;
    stop();
    return { milliseconds, ownMilliseconds: ownMs(), changes, transactions };
  }

  /** Wakes every loop without changing anything. */
  async wake(): Promise<void> {
    await this.apply({
      type: 'cluster.updated',
      spec: this.#ledger.head.cluster?.spec ?? clusterSpecSchema.parse({}),
    });
  }

  async apply(...events: ClusterEvent[]): Promise<void> {
    await this.#ledger.transact({ kind: 'user' }, () => ({ events, result: undefined }));
  }

  async close(): Promise<void> {
    this.stopLoops();
    await this.#log.close();
  }

  #run(loop: ControlLoop): LoopRunner {
    return new LoopRunner(loop, { ledger: this.#ledger, clock: systemClock, logger: silentLogger });
  }
}

/** What was heard on the committed change feed until enough tasks were assigned. */
export interface Assigned {
  readonly milliseconds: number;
  /** Less the time for which other programs had the processor. */
  readonly ownMilliseconds: number;
  readonly changes: number;
  readonly transactions: number;
}

/** The tasks of one service: all have as many, and the first ones take what is left over. */
function tasksOf({ tasks, services }: Shape, number: number): number {
  return Math.floor(tasks / services) + (number < tasks % services ? 1 : 0);
}

function chunks<T>(items: readonly T[]): T[][] {
  const found: T[][] = [];
  for (let at = 0; at < items.length; at += CHUNK) found.push(items.slice(at, at + CHUNK));
  return found;
}
