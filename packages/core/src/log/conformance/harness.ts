/** What the conformance tests ask of an engine and of a test library, and the few steps that all of them share. */

import type { Append, AppendOutcome, Entry, EventLog, LogErrorCode, ReadOptions } from '../event-log.ts';
import { RecordingMachine } from './recording-machine.ts';

/** What a test library gives: the part that vitest, jest, bun and deno have in common. */
export interface ConformanceTestApi {
  describe(name: string, body: () => void): unknown;
  it(name: string, body: () => Promise<void>): unknown;
  expect(actual: unknown): { toEqual(expected: unknown): unknown };
}

/** Makes fixtures: each a fresh, empty storage with logs on it. */
export interface EventLogHarness {
  create(): Promise<EventLogFixture>;
  /** Whether a log that is opened on the storage of a closed one has its entries. */
  readonly reopens: boolean;
  /** Whether fixtures have {@link EventLogFixture.crash}. */
  readonly crashes?: boolean;
  /** Whether fixtures have {@link EventLogFixture.endEpoch}. */
  readonly endsEpochs?: boolean;
  /** Whether fixtures have {@link EventLogFixture.fillDisk} and {@link EventLogFixture.freeDisk}. */
  readonly fillsDisk?: boolean;
}

/** One storage, with which a test does as it likes. */
export interface EventLogFixture {
  /**
   * A log on this storage, not opened. Called again after the last one was closed or crashed. Let it refuse more than
   * 10,000 to 15,000 waiting appends, if that can be set, so that back-pressure is tried.
   */
  log(): EventLog;
  /** Ends a log as the death of its process would, without closing it. */
  crash?(log: EventLog): Promise<void>;
  /** Ends the present epoch; this member must come to lead a later one by itself. */
  endEpoch?(log: EventLog): Promise<void>;
  /** From now on no write finds room. */
  fillDisk?(): Promise<void>;
  /** There is room again; the log must find out by itself, or within this call. */
  freeDisk?(): Promise<void>;
  /** Removes everything. Logs that are open still are closed before. */
  dispose(): Promise<void>;
}

/** Appends as a leader does: numbered, within one epoch. */
export class Leader {
  readonly log: EventLog;
  readonly epoch: number;
  sequence = 0;

  constructor(log: EventLog, epoch: number) {
    this.log = log;
    this.epoch = epoch;
  }

  /** Sends the next append. Does not wait. */
  send(payload: Uint8Array | string): Promise<AppendOutcome> {
    this.sequence += 1;
    return this.log.append(this.next(payload, this.sequence));
  }

  /** Sends the next append and expects it to be committed. Resolves to its position. */
  async commit(payload: Uint8Array | string): Promise<number> {
    const outcome = await this.send(payload);
    if (outcome.kind === 'committed') return outcome.position;
    throw new Error(
      `an append in sequence by the leader of epoch ${this.epoch} must be committed, but it was ${tell(outcome)}`,
    );
  }

  /** An append with the number given, whatever is due. */
  next(payload: Uint8Array | string, sequence: number): Append {
    const bytes = typeof payload === 'string' ? new TextEncoder().encode(payload) : payload;
    return { at: 1_700_000_000_000 + sequence, payload: bytes, epoch: this.epoch, sequence };
  }
}

/** Waits until this member leads an epoch later than `after`. */
export function nextLeader(log: EventLog, after = 0): Promise<Leader> {
  return new Promise((resolve) => {
    let stop: (() => void) | undefined;
    let found = false;
    stop = log.onLeadership((leadership) => {
      if (found || leadership.role !== 'leader' || leadership.epoch <= after) return;
      found = true;
      stop?.();
      resolve(new Leader(log, leadership.epoch));
    });
    if (found) stop();
  });
}

/** What most tests start from: an open log, its leader and the state beneath it. */
export interface Opened {
  readonly fixture: EventLogFixture;
  readonly log: EventLog;
  readonly machine: RecordingMachine;
  readonly leader: Leader;
}

/** Runs a test on a fresh, open log, and cleans up behind it. */
export async function withLeader(
  harness: EventLogHarness,
  test: (opened: Opened) => Promise<void>,
): Promise<void> {
  await withFixture(harness, async (fixture) => {
    const log = fixture.log();
    const machine = new RecordingMachine();
    await log.open(machine);
    try {
      await test({ fixture, log, machine, leader: await nextLeader(log) });
    } finally {
      await log.close();
    }
  });
}

/** Runs a test on a fresh storage, and cleans up behind it. */
export async function withFixture(
  harness: EventLogHarness,
  test: (fixture: EventLogFixture) => Promise<void>,
): Promise<void> {
  const fixture = await harness.create();
  try {
    await test(fixture);
  } finally {
    await fixture.dispose();
  }
}

/** Compares, and says on failure what an engine owes and why. */
export function makeCheck({
  expect,
}: ConformanceTestApi): (actual: unknown, expected: unknown, rule: string) => void {
  return (actual, expected, rule) => {
    try {
      expect(actual).toEqual(expected);
    } catch (cause) {
      const difference = cause instanceof Error ? cause.message : String(cause);
      throw new Error(`${rule}\n\n${difference}`, { cause });
    }
  };
}

/** Compares as {@link makeCheck} does. */
export type Check = ReturnType<typeof makeCheck>;

/** An outcome in words. */
export function tell(outcome: AppendOutcome): string {
  return outcome.kind === 'committed'
    ? 'committed'
    : `${outcome.kind}: ${outcome.reason} (${outcome.message})`;
}

/** An outcome as a short name: `committed`, or `rejected: busy`. */
export function brief(outcome: AppendOutcome): string {
  return outcome.kind === 'committed' ? 'committed' : `${outcome.kind}: ${outcome.reason}`;
}

/** All entries that a read gives. */
export async function readAll(log: EventLog, options: ReadOptions): Promise<Entry[]> {
  const entries: Entry[] = [];
  for await (const entry of log.read(options)) entries.push(entry);
  return entries;
}

/** The code of the {@link LogError} that a promise rejects with, or what it did instead. */
export async function rejectionCode(promise: Promise<unknown>): Promise<LogErrorCode | string> {
  try {
    await promise;
    return 'no rejection';
  } catch (error) {
    if (typeof error === 'object' && error !== null && 'code' in error) return String(error.code);
    return `no LogError but ${String(error)}`;
  }
}

/** The reason that a promise rejects with, or `no rejection`. */
export async function rejectionReason(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => 'no rejection',
    (reason: unknown) => reason,
  );
}

/** A promise and its resolver. */
export function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Payloads as text, for comparing. */
export function texts(entries: readonly { readonly payload: Uint8Array }[]): string[] {
  return entries.map(({ payload }) => new TextDecoder().decode(payload));
}
