/**
 * Times the scheduler as it runs in a cluster: real ledger, real loop runner, real memory log, real state.
 *
 * What is timed, per run: from the moment the scheduler may decide, with all tasks pending, until the last
 * assignment has been encoded, appended to the memory log, applied to the state, folded into the scheduler's index
 * and received on the committed change feed. What is not timed: making nodes, services and pending tasks, and
 * the index of a new leader. `decisions/s` counts only the time inside `decide`. The first run is thrown away.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { ClusterEvent } from '../packages/core/src/events/event.ts';
import { MemoryEventLog } from '../packages/core/src/log/memory-event-log.ts';
import type { ControlLoop } from '../packages/core/src/manager/control-loop.ts';
import { NOTHING } from '../packages/core/src/manager/control-loop.ts';
import { Ledger } from '../packages/core/src/manager/ledger.ts';
import { LoopRunner } from '../packages/core/src/manager/loop-runner.ts';
import { createScheduler } from '../packages/core/src/manager/scheduler/scheduler.ts';
import type { ClusterId, NodeId, ServiceId, TaskId } from '../packages/core/src/model/ids.ts';
import { newId } from '../packages/core/src/model/ids.ts';
import { clusterSpecSchema, nodeSpecSchema } from '../packages/core/src/model/other-specs.ts';
import { serviceSpecSchema } from '../packages/core/src/model/service-spec.ts';
import { silentLogger } from '../packages/core/src/runtime/logger.ts';
import { seededRandom } from '../packages/core/src/runtime/random.ts';
import { systemClock } from '../packages/core/src/runtime/system-clock.ts';
import { Replica } from '../packages/core/src/state/replica.ts';
import { aDescription } from '../packages/core/src/testing/state-builder.ts';

/** What to schedule. */
export interface SchedulerBenchOptions {
  readonly nodes: number;
  readonly tasks: number;
  readonly services: number;
  /** Each service may stand on half of the nodes only. */
  readonly constraints: boolean;
  /** Each task reserves a share of a processor and memory. */
  readonly reservations: boolean;
  /** Each service is spread over 4 zones, and over 10 racks in each. */
  readonly preferences: boolean;
  /** Timed runs, after the one that is thrown away. */
  readonly runs: number;
}

/** What came of it: medians over the runs. */
export interface SchedulerBenchResult extends SchedulerBenchOptions {
  /** Pending to assigned on the committed change feed. */
  readonly milliseconds: number;
  readonly tasksPerSecond: number;
  /** The same by processor time, the garbage collector's threads included: what a busy machine says too. */
  readonly tasksPerCpuSecond: number;
  readonly decisionsPerSecond: number;
  /** Changes of objects received on the committed change feed. */
  readonly changesPerSecond: number;
  readonly transactions: number;
  readonly longestDecisionMs: number;
  /** How late timers of 1 ms were: how long the event loop was held up. */
  readonly pauseP50Ms: number;
  readonly pauseP99Ms: number;
  readonly pauseMaxMs: number;
  /** One task each of up to 100 services ended; until all have a replacement assigned. */
  readonly replaceMs: number;
  /** State and index, the log apart. Only with --expose-gc. */
  readonly heapBytesPerTask?: number;
}

/** Rows of a transaction of the set-up. */
const CHUNK = 5_000;

/** How often tasks are replaced in each run. */
const REPLACE_ROUNDS = 5;

interface Timings {
  readonly milliseconds: number;
  readonly cpuMs: number;
  readonly decideMs: number;
  readonly longestDecisionMs: number;
  readonly transactions: number;
  readonly changes: number;
  readonly pauseP50Ms: number;
  readonly pauseP99Ms: number;
  readonly pauseMaxMs: number;
  readonly replaceMs: number;
  readonly heapBytesPerTask: number | undefined;
}

/** Runs the benchmark. */
export async function benchScheduler(options: SchedulerBenchOptions): Promise<SchedulerBenchResult> {
  const timings: Timings[] = [];
  await runOnce(options, { weigh: false });
  for (let run = 0; run < options.runs; run++) timings.push(await runOnce(options, { weigh: false }));
  const heap = typeof globalThis.gc === 'function' ? await runOnce(options, { weigh: true }) : undefined;
  const of = (pick: (timing: Timings) => number) => median(timings.map(pick));
  return {
    ...options,
    milliseconds: of((timing) => timing.milliseconds),
    tasksPerSecond: Math.round(of((timing) => (options.tasks / timing.milliseconds) * 1_000)),
    tasksPerCpuSecond: Math.round(of((timing) => (options.tasks / timing.cpuMs) * 1_000)),
    decisionsPerSecond: Math.round(of((timing) => (options.tasks / timing.decideMs) * 1_000)),
    changesPerSecond: Math.round(of((timing) => (timing.changes / timing.milliseconds) * 1_000)),
    transactions: of((timing) => timing.transactions),
    longestDecisionMs: of((timing) => timing.longestDecisionMs),
    pauseP50Ms: of((timing) => timing.pauseP50Ms),
    pauseP99Ms: of((timing) => timing.pauseP99Ms),
    pauseMaxMs: of((timing) => timing.pauseMaxMs),
    replaceMs: of((timing) => timing.replaceMs),
    ...(heap?.heapBytesPerTask === undefined ? {} : { heapBytesPerTask: Math.round(heap.heapBytesPerTask) }),
  };
}

/**
 * One run on a cluster of its own.
 *
 * @param weigh - measure the heap. Forced collections throw compiled code away, so such a run is not for timing.
 */
async function runOnce(options: SchedulerBenchOptions, { weigh }: { weigh: boolean }): Promise<Timings> {
  const cluster = await BenchCluster.open();
  try {
    await cluster.addNodes(options);
    const services = await cluster.addServices(options);
    const heapBefore = weigh ? await heapBytes() : undefined;
    cluster.runScheduler();
    const perService = Math.ceil(options.tasks / options.services);
    let left = options.tasks;
    for (const service of services) {
      await cluster.addPending(service, Math.min(perService, left));
      left -= Math.min(perService, left);
    }
    const timing = await cluster.schedule(options.tasks);
    const heapAfter = weigh ? await heapBytes() : undefined;
    const replaced: number[] = [];
    for (let round = 0; round < REPLACE_ROUNDS; round++) {
      replaced.push(await cluster.replace(services.slice(0, 100)));
    }
    const replaceMs = median(replaced);
    return {
      ...timing,
      replaceMs,
      heapBytesPerTask:
        heapBefore === undefined || heapAfter === undefined
          ? undefined
          : (heapAfter - heapBefore) / options.tasks,
    };
  } finally {
    await cluster.close();
  }
}

/** A control loop that is told when to begin, and timed. */
class GatedLoop implements ControlLoop {
  readonly name = 'scheduler';
  open = false;
  decideMs = 0;
  longestMs = 0;
  readonly #loop = createScheduler();

  begin(...args: Parameters<ControlLoop['begin']>): void {
    this.#loop.begin(...args);
  }

  observe(...args: Parameters<ControlLoop['observe']>): void {
    this.#loop.observe(...args);
  }

  decide(...args: Parameters<ControlLoop['decide']>): ReturnType<ControlLoop['decide']> {
    if (!this.open) return NOTHING;
    const start = performance.now();
    const decision = this.#loop.decide(...args);
    const took = performance.now() - start;
    this.decideMs += took;
    this.longestMs = Math.max(this.longestMs, took);
    return decision;
  }
}

/** A leader without anything but the scheduler. */
class BenchCluster {
  readonly #log: MemoryEventLog;
  readonly #ledger: Ledger;
  readonly #loop = new GatedLoop();
  readonly #random = seededRandom(1);
  #runner: LoopRunner | undefined;

  private constructor(log: MemoryEventLog, ledger: Ledger) {
    this.#log = log;
    this.#ledger = ledger;
  }

  static async open(): Promise<BenchCluster> {
    const log = new MemoryEventLog();
    const replica = new Replica();
    await log.open(replica);
    const { epoch } = log.leadership();
    const random = seededRandom(2);
    const ledger = new Ledger({ log, replica, clock: systemClock, random, epoch, sequence: 0 });
    const cluster = new BenchCluster(log, ledger);
    await cluster.#apply({
      type: 'cluster.created',
      id: newId<ClusterId>(random),
      spec: clusterSpecSchema.parse({}),
      digestKey: random.bytes(32),
    });
    return cluster;
  }

  async addNodes({ nodes }: SchedulerBenchOptions): Promise<void> {
    const ids: NodeId[] = [];
    const events: ClusterEvent[] = [];
    for (let number = 0; number < nodes; number++) {
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
    for (let at = 0; at < events.length; at += 500) await this.#apply(...events.slice(at, at + 500));
    for (const chunk of chunks(ids)) {
      await this.#apply({ type: 'node.status', state: 'ready', message: 'ready', ids: chunk });
    }
  }

  async addServices(options: SchedulerBenchOptions): Promise<ServiceId[]> {
    const ids: ServiceId[] = [];
    for (let number = 0; number < options.services; number++) {
      const id = newId<ServiceId>(this.#random);
      const tier = number % 2 === 0 ? 'front' : 'back';
      const spec = serviceSpecSchema.parse({
        name: `service-${number}`,
        replicas: Math.ceil(options.tasks / options.services),
        task: {
          image: 'image',
          resources: {
            reservations: options.reservations ? { cpus: 0.05, memoryBytes: 16 * 1024 ** 2 } : {},
          },
          placement: {
            constraints: options.constraints ? [`node.labels.tier==${tier}`] : [],
            preferences: options.preferences
              ? [{ spread: 'node.labels.zone' }, { spread: 'node.labels.rack' }]
              : [],
          },
        },
      });
      await this.#apply(
        { type: 'service.created', id, spec },
        { type: 'service.allocated', id, endpoint: { ports: [] } },
      );
      ids.push(id);
    }
    return ids;
  }

  /** Starts the scheduler's loop: it observes from now on, and decides when the gate opens. */
  runScheduler(): void {
    this.#runner = new LoopRunner(this.#loop, {
      ledger: this.#ledger,
      clock: systemClock,
      logger: silentLogger,
    });
  }

  async addPending(serviceId: ServiceId, count: number): Promise<void> {
    const ids = Array.from({ length: count }, () => newId<TaskId>(this.#random));
    for (const chunk of chunks(ids)) {
      const rows = chunk.map((id, index) => ({ id, slot: index + 1 }));
      await this.#apply({ type: 'task.created', serviceId, rows }, { type: 'task.allocated', ids: chunk });
    }
  }

  /** Opens the gate, and waits until so many assignments came on the committed change feed. */
  async schedule(tasks: number): Promise<Omit<Timings, 'replaceMs' | 'heapBytesPerTask'>> {
    let assigned = 0;
    let changes = 0;
    let transactions = 0;
    let resolve = () => {};
    const promise = new Promise<void>((done) => {
      resolve = done;
    });
    const stop = this.#ledger.onCommitted((set) => {
      if (set.actor.kind !== 'loop') return;
      transactions += 1;
      changes += set.changes.length;
      for (const change of set.changes) {
        if (change.kind === 'task' && change.after?.status.state === 'assigned') assigned += 1;
      }
      if (assigned >= tasks) resolve();
    });
    this.#loop.decideMs = 0;
    this.#loop.longestMs = 0;
    const pauses = monitorEventLoopDelay({ resolution: 1 });
    pauses.enable();
    const spec = this.#ledger.head.cluster?.spec ?? clusterSpecSchema.parse({});
    this.#loop.open = true;
    const cpuBefore = process.cpuUsage();
    const start = performance.now();
    await this.#apply({ type: 'cluster.updated', spec });
    await promise;
    const milliseconds = performance.now() - start;
    const cpu = process.cpuUsage(cpuBefore);
    this.#loop.open = false;
    pauses.disable();
    stop();
    const { decideMs, longestMs } = this.#loop;
    return {
      milliseconds,
      cpuMs: (cpu.user + cpu.system) / 1_000,
      decideMs,
      longestDecisionMs: longestMs,
      transactions,
      changes,
      pauseP50Ms: pauses.percentile(50) / 1e6,
      pauseP99Ms: pauses.percentile(99) / 1e6,
      pauseMaxMs: pauses.max / 1e6,
    };
  }

  /** Ends one task of each service and makes another in its place. @returns how long those took to be assigned. */
  async replace(services: readonly ServiceId[]): Promise<number> {
    for (const service of services) {
      for (const task of this.#ledger.head.tasksOfService(service)) {
        if (task.status.state !== 'assigned') continue;
        const status = { state: 'failed', at: Date.now(), message: 'failed' } as const;
        await this.#apply(
          { type: 'task.status', rows: [{ id: task.id, status }] },
          { type: 'task.desired', state: 'shutdown', ids: [task.id] },
        );
        break;
      }
      await this.addPending(service, 1);
    }
    return (await this.schedule(services.length)).milliseconds;
  }

  async close(): Promise<void> {
    this.#runner?.stop();
    await this.#log.close();
  }

  async #apply(...events: ClusterEvent[]): Promise<void> {
    await this.#ledger.transact({ kind: 'user' }, () => ({ events, result: undefined }));
  }
}

/** Prints a result for people. */
export function printSchedulerBench(result: SchedulerBenchResult): void {
  const { nodes, tasks, services, runs } = result;
  const kinds = (['constraints', 'reservations', 'preferences'] as const).filter((kind) => result[kind]);
  console.log(
    `${nodes} nodes, ${tasks} tasks of ${services} services, ${kinds.join(', ') || 'plain'}; median of ${runs} runs`,
  );
  const rows: Record<string, string> = {
    'pending to assigned, ms': result.milliseconds.toFixed(1),
    'tasks/s': result.tasksPerSecond.toLocaleString('en'),
    'tasks per second of processor time': result.tasksPerCpuSecond.toLocaleString('en'),
    'decisions/s, deciding alone': result.decisionsPerSecond.toLocaleString('en'),
    'changes/s on the committed feed': result.changesPerSecond.toLocaleString('en'),
    transactions: String(result.transactions),
    'longest decision, ms': result.longestDecisionMs.toFixed(1),
    'event loop pause p50 / p99 / max, ms': [result.pauseP50Ms, result.pauseP99Ms, result.pauseMaxMs]
      .map((ms) => ms.toFixed(1))
      .join(' / '),
    [`replacing ${Math.min(100, services)} tasks of as many services, ms`]: result.replaceMs.toFixed(1),
    'heap bytes a task': result.heapBytesPerTask?.toLocaleString('en') ?? 'run node with --expose-gc',
  };
  for (const [what, figure] of Object.entries(rows)) console.log(`  ${what.padEnd(50)} ${figure}`);
}

function chunks<T>(items: readonly T[]): T[][] {
  const found: T[][] = [];
  for (let at = 0; at < items.length; at += CHUNK) found.push(items.slice(at, at + CHUNK));
  return found;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

/** What is alive. Twice and a turn apart, since what one collection frees may be all that keeps another. */
async function heapBytes(): Promise<number> {
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}
