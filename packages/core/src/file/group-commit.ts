/**
 * The way of an append to the disk: appends that wait become batches, one after the other, each sealed, synced,
 * applied and only then answered. It sits between the log, which is asked for things, and the files; it begins each
 * epoch and ends it when the disk is full or fails.
 *
 * Appends that arrive while a sync is running are sealed as one frame and synced together when it is done, so the
 * number of syncs does not grow with the load. There is never more than one outstanding, which is what lets recovery
 * tell a torn write from damage. A failed sync is final: what the kernel did with the pages then is not to be known
 * (Rebello et al., USENIX ATC 2020), so nothing more is taken until the log is opened anew.
 */

import type { AppliedCursor } from '../log/applied-cursor.ts';
import {
  type Append,
  type AppendOutcome,
  type Entry,
  type Epoch,
  LogError,
  type LogStateMachine,
  type LogStatus,
  type Position,
} from '../log/event-log.ts';
import type { LeadershipTerms } from '../log/leadership-terms.ts';
import { rejected, unknown } from '../log/outcomes.ts';
import type { CancelTimer } from '../runtime/clock.ts';
import { yieldTurn } from '../runtime/clock.ts';
import { AppendQueue, type WaitingAppend } from './append-queue.ts';
import { isDiskFull } from './disk.ts';
import { asLogError, messageOf } from './log-failure.ts';
import { frameBytes, type LogFiles } from './log-files.ts';
import type { FileEventLogSettings } from './options.ts';
import type { RecentEntries } from './recent-entries.ts';
import type { SegmentWriter } from './segment.ts';

/** What the pipeline moves as it commits. */
export interface GroupCommitParts {
  readonly settings: FileEventLogSettings;
  readonly terms: LeadershipTerms;
  readonly applied: AppliedCursor;
  readonly recent: RecentEntries;
  /** Told after each batch how many entries it had and how many bytes it took on disk. */
  readonly onCommitted: (entries: number, bytes: number) => void;
}

/** Where committed entries go: to the files, then to the machine. */
interface Target {
  readonly files: LogFiles;
  readonly machine: LogStateMachine;
}

/** Commits appends in groups. */
export class GroupCommit {
  readonly #parts: GroupCommitParts;
  readonly #queue: AppendQueue;
  /** Work to be done between two batches, when all that was written is applied. */
  readonly #between: (() => Promise<void>)[] = [];
  #target: Target | undefined;
  #open = false;
  #stopped = false;
  #failure: LogError | undefined;
  #fullSince: string | undefined;
  #cancelRetry: CancelTimer | undefined;
  #sequence = 0;
  #running: Promise<void> | undefined;

  constructor(parts: GroupCommitParts) {
    this.#parts = parts;
    this.#queue = new AppendQueue(parts.settings);
  }

  /** An epoch has begun, or waits for room on the disk, and the log was not stopped. */
  get isOpen(): boolean {
    return this.#open && !this.#stopped;
  }

  get isStopped(): boolean {
    return this.#stopped;
  }

  /** What ended the log for good. */
  get failure(): LogError | undefined {
    return this.#failure;
  }

  /** Why no append can be taken, whoever sends it. */
  get refusesAll(): LogStatus['failure'] {
    if (this.#failure) return { reason: 'closed', message: this.#failure.message };
    return this.#fullSince === undefined ? undefined : { reason: 'disk-full', message: this.#fullSince };
  }

  /** Begins the first epoch. When the disk is full it begins once there is room; other faults are in `failure`. */
  begin(target: Target, epoch: Epoch): Promise<void> {
    this.#target = target;
    return this.#beginEpoch(target.files, epoch);
  }

  /** Takes an append if it is the one due, in the epoch of now. Its outcome comes after its sync. */
  append(append: Append): Promise<AppendOutcome> {
    const refusal = this.#refusal(append);
    if (refusal) return Promise.resolve(refusal);
    this.#sequence = append.sequence;
    const outcome = this.#queue.push(append);
    this.#kick();
    return outcome;
  }

  /** Does this between two batches, when all that was written is applied, and gives what it gives. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#between.push(() => work().then(resolve, reject));
      this.#kick();
    });
  }

  /** Takes no more appends, refuses those that wait and ends the epoch. What is being written goes on. */
  stop(reason: LogError): void {
    this.#stopped = true;
    this.#cancelRetry?.();
    this.#end(reason);
  }

  /** Resolves when what was on its way to the disk is decided. */
  async settled(): Promise<void> {
    await this.#running;
  }

  #refusal({ epoch, sequence, payload }: Append): AppendOutcome | undefined {
    const leads = this.#parts.terms.epoch;
    const { maxPayloadBytes } = this.#parts.settings;
    if (!this.isOpen) return rejected('closed', 'the log is not open');
    const failure = this.refusesAll;
    if (failure) return rejected(failure.reason, failure.message);
    if (leads === undefined) return rejected('not-leader', 'this member does not lead');
    if (epoch !== leads) return rejected('fenced', `epoch ${epoch} is over, the present one is ${leads}`);
    if (sequence !== this.#sequence + 1) {
      return rejected('out-of-sequence', `append ${sequence} came where ${this.#sequence + 1} was due`);
    }
    if (payload.length > maxPayloadBytes) {
      const message = `a payload of ${payload.length} bytes is over the limit of ${maxPayloadBytes}`;
      return rejected('too-large', message);
    }
    const { overflow } = this.#queue;
    return overflow === undefined ? undefined : rejected('busy', overflow);
  }

  #kick(): void {
    if (this.#running) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (!this.#queue.isEmpty || this.#between.length > 0) this.#kick();
    });
  }

  /** Commits batch after batch. A turn before each lets all who were just answered join it with their next append. */
  async #run(): Promise<void> {
    for (;;) {
      await yieldTurn(this.#parts.settings.clock);
      const task = this.#between.shift();
      if (task) await task();
      else if (!this.#queue.isEmpty) await this.#commitBatch();
      else return;
    }
  }

  async #commitBatch(): Promise<void> {
    const { settings, terms, applied, onCommitted } = this.#parts;
    const target = this.#target;
    const epoch = terms.epoch;
    let writer = target?.files.writer;
    if (!target || !writer || epoch === undefined)
      return this.#queue.refuseAll('not-leader', 'the epoch is over');
    const { files, machine } = target;
    const batch = this.#queue.takeBatch();
    try {
      if (writer.segment.end >= settings.segmentBytes) writer = await files.rotate(applied.position, epoch);
    } catch (error) {
      if (isDiskFull(error)) return this.#becomeFull(files, batch, error);
      this.#fail(asLogError(error, 'no new segment can be made'));
      for (const { resolve } of batch)
        resolve(rejected('closed', 'the disk failed before anything was written'));
      return;
    }
    const contents = this.#queue.encode(batch, applied.position + 1);
    try {
      await writer.write(contents);
    } catch (error) {
      if (isDiskFull(error)) return this.#becomeFull(files, batch, error);
      return this.#failUnknown(batch, `writing failed: ${messageOf(error)}`, error);
    }
    try {
      await writer.datasync();
    } catch (error) {
      return this.#failUnknown(batch, `syncing failed: ${messageOf(error)}`, error);
    }
    const base = applied.position;
    writer.commit(contents.length, base + batch.length);
    this.#applyBatch(machine, batch, base);
    onCommitted(batch.length, frameBytes(contents.length));
  }

  #applyBatch(machine: LogStateMachine, batch: readonly WaitingAppend[], base: Position): void {
    let position = base;
    for (const { append, resolve } of batch) {
      if (this.#failure) {
        resolve(unknown('closed', this.#failure.message));
        continue;
      }
      position += 1;
      const { at, payload, epoch, sequence } = append;
      const entry: Entry = { position, epoch, sequence, at, payload };
      try {
        machine.apply(entry);
      } catch (error) {
        const message = `the state machine refused position ${position}: ${messageOf(error)}`;
        this.#fail(new LogError('io', message, { cause: error }));
        resolve(unknown('closed', message));
        continue;
      }
      this.#parts.recent.push(entry);
      this.#parts.applied.advance(position);
      resolve({ kind: 'committed', position });
    }
  }

  /** Ends the log: what was being written may or may not be there, what waited is not. */
  #failUnknown(batch: readonly WaitingAppend[], message: string, cause: unknown): void {
    this.#fail(new LogError('io', message, { cause }));
    for (const { resolve } of batch) resolve(unknown('closed', message));
  }

  #fail(failure: LogError): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#parts.settings.logger.error({ err: failure }, 'the log has failed and takes no more appends');
    this.#end(failure);
  }

  #end(reason: LogError): void {
    this.#queue.refuseAll('closed', reason.message);
    this.#parts.applied.fail(reason);
    this.#endEpoch();
  }

  #endEpoch(): void {
    const { terms } = this.#parts;
    terms.change({ role: 'none', epoch: terms.current.epoch });
  }

  /** Nothing of the batch stays on disk, the epoch ends, and a new one begins when a segment can be made. */
  async #becomeFull(files: LogFiles, batch: readonly WaitingAppend[], cause: unknown): Promise<void> {
    try {
      await files.takeBack();
    } catch (error) {
      const message = `a write that the full disk cut short can't be taken back: ${messageOf(error)}`;
      return this.#failUnknown(batch, message, error);
    }
    const message = `the disk is full: ${messageOf(cause)}`;
    this.#setFull(files, message);
    for (const { resolve } of batch) resolve(rejected('disk-full', message));
    this.#queue.refuseAll('disk-full', message);
    this.#endEpoch();
  }

  #setFull(files: LogFiles, message: string): void {
    const { clock, dir, diskFullRetryMs, logger } = this.#parts.settings;
    if (this.#fullSince === undefined) logger.error({ dir }, message);
    this.#fullSince = message;
    this.#cancelRetry = clock.setTimer(diskFullRetryMs, () => {
      this.#between.push(async () => {
        if (this.#stopped || this.#failure) return;
        await this.#beginEpoch(files, this.#parts.terms.current.epoch + 1);
      });
      this.#kick();
    });
  }

  /** Begins an epoch, whose number is durable in the header of its first segment before anybody hears of it. */
  async #beginEpoch(files: LogFiles, epoch: Epoch): Promise<void> {
    const { settings, terms, applied } = this.#parts;
    let writer: SegmentWriter;
    try {
      writer = await files.rotate(applied.position, epoch);
    } catch (error) {
      if (!isDiskFull(error)) return this.#fail(asLogError(error, 'no segment can be made'));
      if (this.#stopped) return;
      this.#open = true;
      terms.change({ role: 'none', epoch: epoch - 1 });
      this.#setFull(files, `the disk is full: ${messageOf(error)}`);
      return;
    }
    if (this.#stopped) return;
    this.#open = true;
    if (this.#fullSince !== undefined) {
      settings.logger.info({ file: writer.segment.path }, 'the disk has room again');
    }
    this.#fullSince = undefined;
    this.#sequence = 0;
    terms.change({ role: 'leader', epoch });
  }
}
