/**
 * Measures the time machine: `at()` over a history on disk, and the stories of objects. The history is written by a
 * replica as a member writes it, and then read by one that has the present state and nothing of the past in memory.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileHistoryStore } from '@skep/core/file';
import { encodeTransaction } from '../packages/core/src/events/codec.ts';
import type { ClusterEvent } from '../packages/core/src/events/event.ts';
import { History } from '../packages/core/src/history/history.ts';
import type { NodeId, ServiceId, TaskId } from '../packages/core/src/model/ids.ts';
import { parseServiceSpec } from '../packages/core/src/model/parse-spec.ts';
import { Lifetime } from '../packages/core/src/runtime/lifetime.ts';
import { silentLogger } from '../packages/core/src/runtime/logger.ts';
import { systemClock } from '../packages/core/src/runtime/system-clock.ts';
import { ChangeFeed } from '../packages/core/src/state/change-feed.ts';
import { Replica } from '../packages/core/src/state/replica.ts';
import { measurePauses, type PauseReport } from './harness/pauses.ts';
import { ownTime } from './harness/processor-waits.ts';
import { median, quantile } from './harness/statistics.ts';
import { milliseconds, type Table, whole } from './harness/table.ts';
import { BenchCluster } from './scheduler/cluster.ts';
import { DEFAULT_SHAPES } from './scheduler/shapes.ts';

/** What to measure. */
export interface HistoryBenchOptions {
  /** Where to put the history. Default: the system's directory for temporary files. */
  readonly dir?: string;
  /** Transactions, each with one status of one task. Default 100,000. */
  readonly events?: number;
  /** Tasks in the cluster, of 10 services. Default 1,000. */
  readonly tasks?: number;
  /** Moments that are jumped to. Default 50. */
  readonly jumps?: number;
}

/** One line of the result: how long each of many calls took, in milliseconds. */
export interface HistoryBenchRow {
  readonly name: string;
  readonly calls: number;
  /** By the wall clock. */
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Less the time for which other programs had the processor. */
  readonly own: { readonly p50Ms: number; readonly p99Ms: number };
}

/** How long a call took, in milliseconds. */
interface Took {
  readonly wallMs: number;
  readonly ownMs: number;
}

/** The whole result. */
export interface HistoryBenchResult {
  readonly events: number;
  readonly tasks: number;
  /** Events a second of own time that a replica applies and a change feed hears of, with and without a history. */
  readonly eventsPerSecond: { readonly recorded: number; readonly unrecorded: number };
  /** Tasks a second of own time that the scheduler places, log, state and all, with and without a history. */
  readonly tasksPerSecond: { readonly recorded: number; readonly unrecorded: number };
  readonly bytes: number;
  readonly openMs: number;
  readonly rows: readonly HistoryBenchRow[];
  /** Of the event loop, while all rows were measured. */
  readonly pauses: PauseReport;
}

const SERVICES = 10;
/** Times that the writing is measured with and without a history, by turns; the median counts. */
const TURNS = 3;
const PLACING_TURNS = 5;
const STATES = ['preparing', 'starting', 'running'] as const;

/** Runs the whole. */
export async function benchHistory(options: HistoryBenchOptions = {}): Promise<HistoryBenchResult> {
  const { events = 100_000, tasks = 1_000, jumps = 50 } = options;
  const root = await mkdtemp(join(options.dir ?? tmpdir(), 'skep-bench-history-'));
  try {
    const { present, eventsPerSecond } = await writeHistory(root, events, tasks);
    const tasksPerSecond = await comparePlacing(root);
    const { wallMs: openMs } = await timed(async () => (await open(root, present)).history.close());
    const end = measurePauses();
    const rows = await jumpAbout(root, present, events, jumps);
    const pauses = end();
    const { store, history } = await open(root, present);
    const { bytes } = store;
    await history.close();
    return { events, tasks, eventsPerSecond, tasksPerSecond, bytes, openMs, rows, pauses };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Writes the history that is read then, and others to compare. What is left in memory is the present alone. */
async function writeHistory(root: string, events: number, tasks: number) {
  const payloads = transactions(events, tasks);
  const unrecorded: number[] = [];
  const recorded: number[] = [];
  for (let turn = 0; turn < TURNS; turn += 1) {
    unrecorded.push((await timed(() => commitAll(payloads))).ownMs);
    const dir = turn === 0 ? root : join(root, `again-${turn}`);
    recorded.push((await timed(() => commitAll(payloads, new FileHistoryStore({ dir })))).ownMs);
  }
  const replica = new Replica();
  for (const [number, payload] of payloads.entries()) apply(replica, number, payload);
  return { present: await chunksOf(replica), eventsPerSecond: rates(events, recorded, unrecorded) };
}

/** The whole way of the scheduler's decisions, with and without a history, by turns. */
async function comparePlacing(root: string) {
  const [shape] = DEFAULT_SHAPES;
  if (!shape) throw new Error('there is no shape to place');
  const placing = async (store?: FileHistoryStore) => {
    const replica = new Replica();
    const history = store && (await historyOf(store, replica));
    const cluster = await BenchCluster.open(undefined, replica);
    await cluster.addNodes(shape.nodes);
    const services = await cluster.addServices(shape);
    cluster.runScheduler();
    await cluster.addPending(shape, services);
    const stop = cluster.letSchedule();
    const { ownMilliseconds } = await cluster.untilAssigned(shape.tasks, () => cluster.wake());
    stop();
    await cluster.close();
    await history?.close();
    return ownMilliseconds;
  };
  const unrecorded: number[] = [];
  const recorded: number[] = [];
  for (let turn = 0; turn < PLACING_TURNS; turn += 1) {
    unrecorded.push(await placing());
    recorded.push(await placing(new FileHistoryStore({ dir: join(root, `placing-${turn}`) })));
  }
  return rates(shape.tasks, recorded, unrecorded);
}

function rates(count: number, recorded: readonly number[], unrecorded: readonly number[]) {
  const perSecond = (times: readonly number[]) => (count * 1_000) / median(times);
  return { recorded: perSecond(recorded), unrecorded: perSecond(unrecorded) };
}

async function jumpAbout(
  root: string,
  present: readonly Uint8Array[],
  events: number,
  jumps: number,
): Promise<HistoryBenchRow[]> {
  // A stride that is prime to the whole visits all of the range, at every distance from a checkpoint.
  const moments = range(jumps).map((number) => 1 + ((number * 61_813 + 9_999) % (events - 1)));
  const alone: Took[] = [];
  for (const moment of moments) {
    const { history } = await open(root, present);
    alone.push(await timed(() => history.at(moment)));
    await history.close();
  }
  const { history } = await open(root, present);
  const dragged = await timedEach(moments, (moment) => history.at(moment));
  const middle = Math.floor(events / 2) + 4_321;
  const forward = await timedEach(range(200), (step) => history.at(middle + step));
  const back = await timedEach(range(200), (step) => history.at(middle - step));
  const services = await timedEach(range(SERVICES), (number) =>
    readAll(history.story({ service: `web-${number}` })),
  );
  const lives = await timedEach(range(10), (number) => readAll(history.story({ task: taskId(number) })));
  await history.close();
  return [
    row('at(), nothing in memory: from the nearest checkpoint', alone),
    row('at() anywhere, one jump after the other', dragged),
    row('at() the next event', forward),
    row('at() the event before', back),
    row('history of a service, whole', services),
    row(`history of a task, whole (${whole(events / 1_000)} changes)`, lives),
  ];
}

/** A cluster of some tasks, then statuses that go round among them. */
function transactions(events: number, tasks: number): Uint8Array[] {
  const perService = Math.ceil(tasks / SERVICES);
  const first = range(SERVICES).flatMap((number): ClusterEvent[] => {
    const id = `service-${number}` as ServiceId;
    const spec = parseServiceSpec({ name: `web-${number}`, task: { image: 'web' }, replicas: perService });
    const rows = range(perService).map((slot) => ({
      id: taskId(number * perService + slot),
      slot: slot + 1,
    }));
    return [
      { type: 'service.created', id, spec },
      { type: 'task.created', serviceId: id, rows },
    ];
  });
  const actor = { kind: 'node', id: 'node' as NodeId } as const;
  const began = Date.now() - events;
  return range(events).map((number) => {
    const at = began + number;
    const state = STATES[Math.floor(number / tasks) % STATES.length] ?? 'running';
    const status = { state, at, message: 'started' } as const;
    const id = taskId((number * 7) % (perService * SERVICES));
    const happened: ClusterEvent[] = number === 0 ? first : [{ type: 'task.status', rows: [{ id, status }] }];
    return encodeTransaction({ index: number + 1, at, actor, events: happened });
  });
}

function taskId(number: number): TaskId {
  return `task${String(number).padStart(21, '0')}` as TaskId;
}

function apply(replica: Replica, number: number, payload: Uint8Array): void {
  replica.apply({ position: number + 1, epoch: 1, sequence: number + 1, at: 0, payload });
}

/** What a member does: commits come in batches, with turns of the event loop between, and a feed hears of them. */
async function commitAll(payloads: readonly Uint8Array[], store?: FileHistoryStore): Promise<void> {
  const replica = new Replica();
  const history = store && (await historyOf(store, replica));
  const feed = new ChangeFeed(replica);
  for (const [number, payload] of payloads.entries()) {
    apply(replica, number, payload);
    if (number % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  feed.close();
  await history?.close();
}

/** A member that was opened from a snapshot: it has the present, and its history is on the disk. */
async function open(root: string, present: readonly Uint8Array[]) {
  const replica = new Replica();
  const store = new FileHistoryStore({ dir: root });
  const history = await historyOf(store, replica);
  await replica.restore(1, inTurn(present));
  return { history, store };
}

function historyOf(store: FileHistoryStore, replica: Replica): Promise<History> {
  const parts = { clock: systemClock, logger: silentLogger, lifetime: new Lifetime() };
  return History.open({ ...parts, store, options: {}, replica });
}

async function chunksOf(replica: Replica): Promise<Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of replica.capture().chunks()) chunks.push(chunk);
  return chunks;
}

async function* inTurn<T>(items: readonly T[]): AsyncGenerator<T, void, undefined> {
  yield* items;
}

async function readAll(items: AsyncIterable<unknown>): Promise<void> {
  for await (const item of items) void item;
}

async function timed(work: () => Promise<unknown>): Promise<Took> {
  const own = ownTime();
  const begun = performance.now();
  await work();
  return { wallMs: performance.now() - begun, ownMs: own() };
}

async function timedEach<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<Took[]> {
  const times: Took[] = [];
  for (const item of items) times.push(await timed(() => work(item)));
  return times;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function row(name: string, times: readonly Took[]): HistoryBenchRow {
  const quantiles = (of: (took: Took) => number) => {
    const sorted = times.map(of).sort((a, b) => a - b);
    return { p50Ms: quantile(sorted, 0.5), p99Ms: quantile(sorted, 0.99) };
  };
  const own = quantiles(({ ownMs }) => ownMs);
  return { name, calls: times.length, ...quantiles(({ wallMs }) => wallMs), own };
}

/** How long reading the past takes. */
export function historyTable({ rows }: HistoryBenchResult): Table {
  return {
    headings: ['', 'calls', 'p50 ms', 'p99 ms', 'own p50 ms', 'own p99 ms'],
    rows: rows.map(({ name, calls, p50Ms, p99Ms, own }) => [
      name,
      whole(calls),
      ...[p50Ms, p99Ms, own.p50Ms, own.p99Ms].map(milliseconds),
    ]),
  };
}

/** What keeping it takes. */
export function keepingTable({ eventsPerSecond, tasksPerSecond }: HistoryBenchResult): Table {
  const row = (what: string, { recorded, unrecorded }: HistoryBenchResult['eventsPerSecond']) => [
    what,
    whole(recorded),
    whole(unrecorded),
  ];
  return {
    headings: ['a second of own time', 'with a history', 'without'],
    rows: [
      row('transactions of one event each, applied and told to the change feed', eventsPerSecond),
      row('tasks placed on 1,000 nodes, 10,000 of them: deciding, log, state, feed', tasksPerSecond),
    ],
  };
}

/** The rest, in words. */
export function historyWords({ events, tasks, bytes, openMs, pauses }: HistoryBenchResult): string {
  const longest = (pauses.own ?? pauses.wall).max;
  return [
    `${whole(events)} events, one status each, in a cluster of ${whole(tasks)} tasks: ${whole(bytes)} bytes, opened in`,
    `${milliseconds(openMs)} ms. The longest pause of the event loop was ${milliseconds(longest)} ms.`,
  ].join('\n');
}
