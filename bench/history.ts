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
import { Replica } from '../packages/core/src/state/replica.ts';
import { measurePauses, type PauseReport } from './harness/pauses.ts';
import { quantile } from './harness/statistics.ts';
import { milliseconds, textTable, whole } from './harness/table.ts';

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
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

/** The whole result. */
export interface HistoryBenchResult {
  readonly events: number;
  readonly tasks: number;
  /** Events a second that a replica applies, with and without a history behind it. */
  readonly eventsPerSecond: { readonly recorded: number; readonly unrecorded: number };
  readonly bytes: number;
  readonly openMs: number;
  readonly rows: readonly HistoryBenchRow[];
  /** Of the event loop, while all rows were measured. */
  readonly pauses: PauseReport;
}

const SERVICES = 10;
const STATES = ['preparing', 'starting', 'running'] as const;

/** Runs the whole. */
export async function benchHistory(options: HistoryBenchOptions = {}): Promise<HistoryBenchResult> {
  const { events = 100_000, tasks = 1_000, jumps = 50 } = options;
  const root = await mkdtemp(join(options.dir ?? tmpdir(), 'skep-bench-history-'));
  try {
    const payloads = transactions(events, tasks);
    const warmUp = new Replica();
    for (let turn = 0; turn < 2; turn += 1) apply(turn === 0 ? warmUp : new Replica(), payloads);
    const unrecorded = await timed(async () => apply(new Replica(), payloads));
    const recorded = await timed(() => record(root, payloads));
    const present = [...(await chunksOf(warmUp))];
    const openMs = await timed(async () => (await open(root, present)).history.close());
    const end = measurePauses();
    const rows = await jumpAbout(root, present, events, jumps);
    const pauses = end();
    const { store, history } = await open(root, present);
    const { bytes } = store;
    await history.close();
    const perSecond = (ms: number) => (payloads.length / ms) * 1000;
    const eventsPerSecond = { recorded: perSecond(recorded), unrecorded: perSecond(unrecorded) };
    return { events, tasks, eventsPerSecond, bytes, openMs, rows, pauses };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function jumpAbout(
  root: string,
  present: readonly Uint8Array[],
  events: number,
  jumps: number,
): Promise<HistoryBenchRow[]> {
  // A stride that is prime to the whole visits all of the range, at every distance from a checkpoint.
  const moments = range(jumps).map((number) => 1 + ((number * 61_813 + 9_999) % (events - 1)));
  const alone: number[] = [];
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

function apply(replica: Replica, payloads: readonly Uint8Array[]): void {
  for (const [number, payload] of payloads.entries()) {
    replica.apply({ position: number + 1, epoch: 1, sequence: number + 1, at: 0, payload });
  }
}

/** What a member does: commits come in batches, with turns of the event loop between. */
async function record(root: string, payloads: readonly Uint8Array[]): Promise<void> {
  const replica = new Replica();
  const history = await historyOf(new FileHistoryStore({ dir: root }), replica);
  for (const [number, payload] of payloads.entries()) {
    replica.apply({ position: number + 1, epoch: 1, sequence: number + 1, at: 0, payload });
    if (number % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await history.close();
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

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function timedEach<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<number[]> {
  const times: number[] = [];
  for (const item of items) times.push(await timed(() => work(item)));
  return times;
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, number) => number);
}

function row(name: string, times: readonly number[]): HistoryBenchRow {
  const sorted = [...times].sort((a, b) => a - b);
  const at = (share: number) => quantile(sorted, share);
  return { name, calls: times.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}

/** The result for people. */
export function historyReport(result: HistoryBenchResult): string {
  const { events, tasks, bytes, openMs, rows, pauses, eventsPerSecond } = result;
  const table = textTable(
    ['', 'calls', 'p50 ms', 'p99 ms', 'max ms'],
    rows.map(({ name, calls, p50Ms, p99Ms, maxMs }) => [
      name,
      whole(calls),
      ...[p50Ms, p99Ms, maxMs].map(milliseconds),
    ]),
  );
  const { recorded, unrecorded } = eventsPerSecond;
  const longest = (pauses.own ?? pauses.wall).max;
  return [
    `${whole(events)} events, one status each, in a cluster of ${whole(tasks)} tasks: ${whole(bytes)} bytes of history`,
    `applied and recorded: ${whole(recorded)} events/s; applied alone: ${whole(unrecorded)} events/s`,
    `opened in ${milliseconds(openMs)} ms; longest pause of the event loop ${milliseconds(longest)} ms`,
    '',
    table,
  ].join('\n');
}
