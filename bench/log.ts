/**
 * Measures the file log: durable, sealed appends in group commit, and the replay of a million entries. The
 * directory decides which disk is measured; the default is the system's for temporary files.
 */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileEventLog } from '@skep/core/file';
import type { AppendOutcome, Entry, EventLog, LogStateMachine, StateCapture } from '@skep/core/log';
import { encodeTransaction } from '../packages/core/src/events/codec.ts';
import type { ClusterEvent } from '../packages/core/src/events/event.ts';
import type { NodeId, ServiceId, TaskId } from '../packages/core/src/model/ids.ts';
import { parseServiceSpec } from '../packages/core/src/model/parse-spec.ts';
import { Replica } from '../packages/core/src/state/replica.ts';
import { quantile } from './harness/statistics.ts';
import { type Table, whole } from './harness/table.ts';

/** What to measure, and how long. */
export interface LogBenchOptions {
  /** Where to put the logs. Default: the system's directory for temporary files. */
  readonly dir?: string;
  /** How long each round of appends runs, in seconds. Default 3. */
  readonly seconds?: number;
  /** Entries to replay. Default 1,000,000. */
  readonly entries?: number;
  /** Bytes of each payload. Default 150. */
  readonly payloadBytes?: number;
}

/** One line of the result. */
export interface LogBenchRow {
  readonly name: string;
  readonly entriesPerSecond: number;
  /** From the call of `append` to its outcome, in milliseconds. */
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  /** Wall time of the whole, in milliseconds. */
  readonly totalMs: number;
}

/** The cheapest state there is: how many entries it saw. */
class Counter implements LogStateMachine {
  entries = 0;
  position = 0;

  apply(entry: Entry): void {
    this.entries += 1;
    this.position = entry.position;
  }

  capture(): StateCapture {
    const { position, entries } = this;
    return {
      position,
      async *chunks() {
        yield new TextEncoder().encode(String(entries));
      },
      release: () => {},
    };
  }

  async restore(position: number, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    let text = '';
    for await (const chunk of chunks) text += new TextDecoder().decode(chunk);
    this.entries = Number(text);
    this.position = position;
  }
}

/** Runs all rounds, each with a discarded warm-up before it. */
export async function benchLog(options: LogBenchOptions = {}): Promise<LogBenchRow[]> {
  const { seconds = 3, entries = 1_000_000, payloadBytes = 150 } = options;
  const payload = new Uint8Array(payloadBytes).fill(7);
  const root = await mkdtemp(join(options.dir ?? tmpdir(), 'skep-bench-log-'));
  try {
    const rows: LogBenchRow[] = [];
    for (const appenders of [1, 100, 1000]) {
      const name = appenders === 1 ? 'append, 1 waiting appender' : `append, ${appenders} waiting appenders`;
      rows.push(
        await withLog(join(root, `appenders-${appenders}`), (log) =>
          waiting(log, name, appenders, seconds, payload),
        ),
      );
    }
    rows.push(await withLog(join(root, 'pipelined'), (log) => pipelined(log, seconds, payload)));
    rows.push(await replay(join(root, 'replay'), entries, payload));
    rows.push(await replayIntoState(join(root, 'state'), entries));
    return rows;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

async function withLog<T>(dir: string, use: (log: EventLog) => Promise<T>): Promise<T> {
  const log = new FileEventLog({ dir });
  await log.open(new Counter());
  try {
    return await use(log);
  } finally {
    await log.close();
  }
}

/** Hands out sequence numbers and refuses to count anything but a committed append. */
function leaderOf(log: EventLog, payload: Uint8Array): () => Promise<AppendOutcome> {
  const { epoch } = log.leadership();
  let sequence = 0;
  return async () => {
    sequence += 1;
    const outcome = await log.append({ at: 0, payload, epoch, sequence });
    if (outcome.kind !== 'committed')
      throw new Error(`append ${sequence} was ${outcome.kind}: ${outcome.message}`);
    return outcome;
  };
}

/** Each appender waits for its outcome before it appends again, as callers of an API do. */
async function waiting(
  log: EventLog,
  name: string,
  appenders: number,
  seconds: number,
  payload: Uint8Array,
): Promise<LogBenchRow> {
  const append = leaderOf(log, payload);
  const round = async (lengthMs: number) => {
    const latencies: number[] = [];
    const start = performance.now();
    await Promise.all(
      Array.from({ length: appenders }, async () => {
        for (;;) {
          const from = performance.now();
          if (from - start >= lengthMs) return;
          await append();
          latencies.push(performance.now() - from);
        }
      }),
    );
    return summary(name, latencies, performance.now() - start);
  };
  await round(500);
  return round(seconds * 1000);
}

/** One leader that keeps 2000 appends in flight, as control loops do. */
async function pipelined(log: EventLog, seconds: number, payload: Uint8Array): Promise<LogBenchRow> {
  const append = leaderOf(log, payload);
  const round = async (lengthMs: number) => {
    const latencies: number[] = [];
    const start = performance.now();
    let inFlight: Promise<unknown>[] = [];
    while (performance.now() - start < lengthMs) {
      const before = inFlight;
      inFlight = Array.from({ length: 1000 }, () => {
        const from = performance.now();
        return append().then(() => latencies.push(performance.now() - from));
      });
      await Promise.all(before);
    }
    await Promise.all(inFlight);
    return summary('append, one leader with 2000 in flight', latencies, performance.now() - start);
  };
  await round(500);
  return round(seconds * 1000);
}

const NO_SNAPSHOTS = {
  snapshotEveryEntries: Number.POSITIVE_INFINITY,
  snapshotEveryBytes: Number.POSITIVE_INFINITY,
};

/** Writes `entries` without any snapshot, then times opening on them. */
async function replay(dir: string, entries: number, payload: Uint8Array): Promise<LogBenchRow> {
  await withEntries(dir, entries, () => payload);
  const totalMs = await timeOpening(dir, () => new Counter(), entries);
  return { name: `replay of ${entries} entries`, entriesPerSecond: (entries / totalMs) * 1000, totalMs };
}

/** The same with a task's status in each entry, decoded and applied to the state of a cluster with 1,000 tasks. */
async function replayIntoState(dir: string, entries: number): Promise<LogBenchRow> {
  const ids = Array.from({ length: 1_000 }, (_, slot) => `task${String(slot).padStart(21, '0')}` as TaskId);
  const serviceId = 'service' as ServiceId;
  const spec = parseServiceSpec({ name: 'web', task: { image: 'web' } });
  const first: ClusterEvent[] = [
    { type: 'service.created', id: serviceId, spec },
    { type: 'task.created', serviceId, rows: ids.map((id, index) => ({ id, slot: index + 1 })) },
  ];
  await withEntries(dir, entries, (number) => {
    const id = ids[number % ids.length] ?? ('' as TaskId);
    const status = { state: 'running', at: number, message: 'started' } as const;
    const events: ClusterEvent[] = number === 1 ? first : [{ type: 'task.status', rows: [{ id, status }] }];
    return encodeTransaction({
      index: number,
      at: number,
      actor: { kind: 'node', id: 'node' as NodeId },
      events,
    });
  });
  const totalMs = await timeOpening(dir, () => new Replica(), entries);
  const name = `replay of ${entries} statuses into the state`;
  return { name, entriesPerSecond: (entries / totalMs) * 1000, totalMs };
}

async function withEntries(
  dir: string,
  entries: number,
  payload: (number: number) => Uint8Array,
): Promise<void> {
  const log = new FileEventLog({ dir, ...NO_SNAPSHOTS });
  await log.open(new Counter());
  const { epoch } = log.leadership();
  let last: Promise<AppendOutcome> | undefined;
  for (let sequence = 1; sequence <= entries; sequence += 1) {
    last = log.append({ at: 0, payload: payload(sequence), epoch, sequence });
    if (sequence % 1_000 === 0) await last;
  }
  await last;
  await log.close();
}

async function timeOpening(dir: string, machine: () => LogStateMachine, entries: number): Promise<number> {
  let totalMs = 0;
  // The first opening is the warm-up.
  for (let round = 0; round < 2; round += 1) {
    const log = new FileEventLog({ dir, ...NO_SNAPSHOTS });
    const start = performance.now();
    const { entriesReplayed } = await log.open(machine());
    totalMs = performance.now() - start;
    await log.close();
    if (entriesReplayed !== entries) throw new Error(`${entriesReplayed} of ${entries} entries came back`);
  }
  return totalMs;
}

function summary(name: string, latencies: number[], totalMs: number): LogBenchRow {
  latencies.sort((a, b) => a - b);
  return {
    name,
    entriesPerSecond: (latencies.length / totalMs) * 1000,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    totalMs,
  };
}

/** The rows as a table of text. */
export function logTable(rows: readonly LogBenchRow[]): Table {
  const latency = (ms: number | undefined) => ms?.toFixed(2) ?? '';
  return {
    headings: ['', 'entries/s', 'p50 ms', 'p99 ms', 'total ms'],
    rows: rows.map(({ name, entriesPerSecond, p50Ms, p99Ms, totalMs }) => [
      name,
      whole(entriesPerSecond),
      latency(p50Ms),
      latency(p99Ms),
      whole(totalMs),
    ]),
  };
}
