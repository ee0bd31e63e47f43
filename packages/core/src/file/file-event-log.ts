/**
 * The event log on one machine's disk: the embedded default. One member, leader at once, each acknowledged entry
 * sealed and synced before it is applied and answered.
 *
 * Appends that arrive while a sync is running are sealed as one frame and synced together when it is done, so the
 * number of syncs does not grow with the load. There is never more than one outstanding, which is what lets recovery
 * tell a torn write from damage. A failed sync is final: what the kernel did with the pages then is not to be known
 * (Rebello et al., USENIX ATC 2020), so the log takes no more appends until it is opened anew.
 */

import * as path from 'node:path';
import { AppliedCursor } from '../log/applied-cursor.ts';
import {
  type Append,
  type AppendOutcome,
  type Entry,
  type Epoch,
  type EventLog,
  type Leadership,
  type LeaderTerm,
  type LogCapabilities,
  LogError,
  type LogStateMachine,
  type LogStatus,
  type Position,
  type ReadOptions,
  type RecoveryReport,
} from '../log/event-log.ts';
import { LeadershipTerms } from '../log/leadership-terms.ts';
import type { CancelTimer } from '../runtime/clock.ts';
import { yieldTurn } from '../runtime/clock.ts';
import { AppendQueue, rejected, type WaitingAppend } from './append-queue.ts';
import { Checkpoints, type View } from './checkpoints.ts';
import { type DiskLock, isDiskFull } from './disk.ts';
import { asLogError, messageOf } from './log-failure.ts';
import { frameBytes, LogFiles, SEGMENT_DIRECTORY, SNAPSHOT_DIRECTORY } from './log-files.ts';
import { type FileEventLogOptions, type FileEventLogSettings, withDefaults } from './options.ts';
import { RecentEntries } from './recent-entries.ts';
import { recover } from './recovery.ts';
import type { SegmentWriter } from './segment.ts';

/** A checkpoint is taken at opening when restarts have left more segments than this. */
const MAX_SEGMENTS_AT_OPEN = 32;

/**
 * An {@link EventLog} in a directory.
 *
 * @throws LogError from `open`: `locked`, `corrupt` (naming file and offset), `wrong-key`, `unsupported-version`, `io`.
 */
export class FileEventLog implements EventLog {
  readonly capabilities: LogCapabilities;
  readonly #settings: FileEventLogSettings;
  readonly #terms: LeadershipTerms;
  readonly #applied = new AppliedCursor();
  readonly #recent: RecentEntries;
  readonly #queue: AppendQueue;
  readonly #checkpoints: Checkpoints;
  /** Work to be done between two batches, when all that was written is applied. */
  readonly #between: (() => Promise<void>)[] = [];
  #state: 'new' | 'opening' | 'open' | 'closed' = 'new';
  #machine: LogStateMachine | undefined;
  #files: LogFiles | undefined;
  #lock: DiskLock | undefined;
  #failure: LogError | undefined;
  #fullSince: string | undefined;
  #cancelRetry: CancelTimer | undefined;
  #sequence = 0;
  #running: Promise<void> | undefined;
  #opening: Promise<unknown> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: FileEventLogOptions) {
    this.#settings = withDefaults(options);
    const { logger, maxPayloadBytes, recentBytes } = this.#settings;
    this.#recent = new RecentEntries(recentBytes);
    this.#queue = new AppendQueue(this.#settings);
    this.#checkpoints = new Checkpoints(
      this.#settings,
      () => this.#view(),
      () => this.#recent.clear(),
    );
    this.#terms = new LeadershipTerms((error, epoch) =>
      logger.error({ err: error, epoch }, 'a listener or a term of leadership failed'),
    );
    this.capabilities = {
      durable: true,
      encryptedAtRest: true,
      replicated: false,
      membership: false,
      transfer: false,
      leaseReads: false,
      maxPayloadBytes,
    };
  }

  open(machine: LogStateMachine): Promise<RecoveryReport> {
    if (this.#state !== 'new') {
      return Promise.reject(new LogError('closed', 'a log is opened once; make another to open it again'));
    }
    this.#state = 'opening';
    const opening = this.#open(machine).catch(async (error: unknown) => {
      this.#state = 'closed';
      const failure = asLogError(error, 'opening failed');
      this.#failure = failure;
      this.#applied.fail(failure);
      await this.#files?.close(false).catch(() => {});
      await this.#lock?.release();
      throw failure;
    });
    this.#opening = opening;
    return opening;
  }

  async #open(machine: LogStateMachine): Promise<RecoveryReport> {
    const { disk, dir, keyProvider, logger } = this.#settings;
    const segmentDirectory = path.join(dir, SEGMENT_DIRECTORY);
    const snapshotDirectory = path.join(dir, SNAPSHOT_DIRECTORY);
    for (const directory of [dir, segmentDirectory, snapshotDirectory]) await disk.makeDirectory(directory);
    await disk.syncDirectory(dir);
    this.#lock = await disk.lock(path.join(dir, 'lock'));
    if (!this.#lock)
      throw new LogError('locked', `the log in ${dir} is open already, in this process or another`);
    const onApplied = (position: Position) => this.#applied.advance(position);
    const recovered = await recover({
      disk,
      segmentDirectory,
      snapshotDirectory,
      keys: keyProvider,
      machine,
      logger,
      onApplied,
    });
    this.#machine = machine;
    const files = new LogFiles(this.#settings, recovered);
    this.#files = files;
    if (recovered.discards) await files.forget(0);
    await this.#beginEpoch(files, recovered.epoch + 1);
    if (this.#isClosed) throw new LogError('closed', 'the log was closed while it was opened');
    if (this.#failure) throw this.#failure;
    this.#checkpoints.committed(recovered.entriesReplayed, recovered.bytesReplayed);
    if (files.segmentCount > MAX_SEGMENTS_AT_OPEN) this.#checkpoints.start();
    const { tornBytes, entriesReplayed, snapshotPosition } = recovered;
    return { tornBytes, entriesReplayed, snapshotPosition };
  }

  append(append: Append): Promise<AppendOutcome> {
    const refusal = this.#refusal(append);
    if (refusal) return Promise.resolve(refusal);
    this.#sequence = append.sequence;
    const outcome = this.#queue.push(append);
    this.#kick();
    return outcome;
  }

  async barrier(options?: { readonly signal?: AbortSignal }): Promise<Position> {
    options?.signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    if (this.#state !== 'open') throw new LogError('closed', 'the log is not open');
    // No other process can have appended, and what was acknowledged here was applied before.
    return this.#applied.position;
  }

  waitApplied(position: Position, signal?: AbortSignal): Promise<void> {
    return this.#applied.wait(position, signal);
  }

  async *read(options: ReadOptions): AsyncGenerator<Entry, void, undefined> {
    const { live, signal } = options;
    let after = options.after;
    const end = live ? Number.POSITIVE_INFINITY : this.#applied.position;
    while (after < end) {
      signal?.throwIfAborted();
      const files = this.#files;
      if (!files) throw this.#failure ?? new LogError('closed', 'the log is not open');
      if (after < files.oldest) {
        const message = `entries up to position ${files.oldest} are forgotten, ${after + 1} was asked for`;
        throw new LogError('compacted', message, { oldest: files.oldest });
      }
      const upTo = Math.min(end, this.#applied.position);
      if (after >= upTo) {
        await this.#applied.wait(after + 1, signal);
        continue;
      }
      const before = after;
      for await (const entry of this.#recent.after(after) ?? files.read(after, upTo)) {
        if (entry.position > upTo) break;
        signal?.throwIfAborted();
        after = entry.position;
        yield entry;
      }
      if (after === before && after >= files.oldest) {
        throw new LogError(
          'io',
          `a segment with position ${after + 1} was removed from ${this.#settings.dir}`,
        );
      }
    }
  }

  leadership(): Leadership {
    return this.#terms.current;
  }

  onLeadership(listener: (leadership: Leadership) => void): () => void {
    return this.#terms.onLeadership(listener);
  }

  whileLeader(term: (term: LeaderTerm) => Promise<void>): () => void {
    return this.#terms.whileLeader(term);
  }

  checkpoint(options: { readonly discard?: boolean; readonly signal?: AbortSignal } = {}): Promise<Position> {
    return this.#checkpoints.take(options.discard ?? true, options.signal);
  }

  status(): LogStatus {
    const files = this.#files;
    const last = this.#applied.position;
    const failure = this.#state === 'closed' && !this.#failure ? undefined : this.#refusesAll();
    return {
      leadership: this.#terms.current,
      first: files && files.oldest < last ? files.oldest + 1 : 0,
      last,
      applied: last,
      snapshot: files?.snapshot ?? 0,
      bytes: files?.bytes ?? 0,
      ...(failure === undefined ? {} : { failure }),
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #refusal({ epoch, sequence, payload }: Append): AppendOutcome | undefined {
    const leads = this.#terms.epoch;
    const { maxPayloadBytes } = this.capabilities;
    if (this.#state !== 'open') return rejected('closed', 'the log is not open');
    const failure = this.#refusesAll();
    if (failure) return rejected(failure.reason, failure.message);
    if (leads === undefined) return rejected('not-leader', 'this member does not lead');
    if (epoch !== leads) return rejected('fenced', `epoch ${epoch} is over, the present one is ${leads}`);
    if (sequence !== this.#sequence + 1) {
      return rejected('out-of-sequence', `append ${sequence} came where ${this.#sequence + 1} was due`);
    }
    if (payload.length > maxPayloadBytes) {
      return rejected(
        'too-large',
        `a payload of ${payload.length} bytes is over the limit of ${maxPayloadBytes}`,
      );
    }
    const { overflow } = this.#queue;
    return overflow === undefined ? undefined : rejected('busy', overflow);
  }

  /** Why no append can be taken, whoever sends it. */
  #refusesAll(): LogStatus['failure'] {
    if (this.#failure) return { reason: 'closed', message: this.#failure.message };
    return this.#fullSince === undefined ? undefined : { reason: 'disk-full', message: this.#fullSince };
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
      await yieldTurn(this.#settings.clock);
      const task = this.#between.shift();
      if (task) await task();
      else if (!this.#queue.isEmpty) await this.#commitBatch();
      else return;
    }
  }

  async #commitBatch(): Promise<void> {
    const files = this.#files;
    const epoch = this.#terms.epoch;
    let writer = files?.writer;
    if (!files || !writer || epoch === undefined)
      return this.#queue.refuseAll('not-leader', 'the epoch is over');
    const batch = this.#queue.takeBatch();
    try {
      if (writer.segment.end >= this.#settings.segmentBytes) {
        writer = await files.rotate(this.#applied.position, epoch);
      }
    } catch (error) {
      if (isDiskFull(error)) return this.#becomeFull(files, batch, error);
      this.#fail(asLogError(error, 'no new segment can be made'));
      for (const { resolve } of batch)
        resolve(rejected('closed', 'the disk failed before anything was written'));
      return;
    }
    const contents = this.#queue.encode(batch, this.#applied.position + 1);
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
    const base = this.#applied.position;
    writer.commit(contents.length, base + batch.length);
    this.#applyBatch(batch, base);
    this.#checkpoints.committed(batch.length, frameBytes(contents.length));
  }

  #applyBatch(batch: readonly WaitingAppend[], base: Position): void {
    const machine = this.#machine;
    let position = base;
    for (const { append, resolve } of batch) {
      if (this.#failure) {
        resolve({ kind: 'unknown', reason: 'closed', message: this.#failure.message });
        continue;
      }
      position += 1;
      const { at, payload, epoch, sequence } = append;
      const entry: Entry = { position, epoch, sequence, at, payload };
      try {
        machine?.apply(entry);
      } catch (error) {
        const message = `the state machine refused position ${position}: ${messageOf(error)}`;
        this.#fail(new LogError('io', message, { cause: error }));
        resolve({ kind: 'unknown', reason: 'closed', message });
        continue;
      }
      this.#recent.push(entry);
      this.#applied.advance(position);
      resolve({ kind: 'committed', position });
    }
  }

  /** Ends the log: what was being written may or may not be there, what waited is not. */
  #failUnknown(batch: readonly WaitingAppend[], message: string, cause: unknown): void {
    this.#fail(new LogError('io', message, { cause }));
    for (const { resolve } of batch) resolve({ kind: 'unknown', reason: 'closed', message });
  }

  #fail(failure: LogError): void {
    if (this.#failure) return;
    this.#failure = failure;
    this.#settings.logger.error({ err: failure }, 'the log has failed and takes no more appends');
    this.#queue.refuseAll('closed', failure.message);
    this.#applied.fail(failure);
    this.#terms.change({ role: 'none', epoch: this.#terms.current.epoch });
  }

  /** Nothing of the batch stays on disk, the epoch ends, and a new one begins when a segment can be made. */
  async #becomeFull(files: LogFiles, batch: readonly WaitingAppend[], cause: unknown): Promise<void> {
    try {
      await files.takeBack();
    } catch (error) {
      this.#failUnknown(
        batch,
        `a write that the full disk cut short can't be taken back: ${messageOf(error)}`,
        error,
      );
      return;
    }
    const message = `the disk is full: ${messageOf(cause)}`;
    this.#setFull(message);
    for (const { resolve } of batch) resolve(rejected('disk-full', message));
    this.#queue.refuseAll('disk-full', message);
    this.#terms.change({ role: 'none', epoch: this.#terms.current.epoch });
  }

  #setFull(message: string): void {
    if (this.#fullSince === undefined) this.#settings.logger.error({ dir: this.#settings.dir }, message);
    this.#fullSince = message;
    const { clock, diskFullRetryMs } = this.#settings;
    this.#cancelRetry = clock.setTimer(diskFullRetryMs, () => {
      this.#between.push(async () => {
        const files = this.#files;
        if (!files || this.#isClosed || this.#failure) return;
        await this.#beginEpoch(files, this.#terms.current.epoch + 1);
      });
      this.#kick();
    });
  }

  /** Begins an epoch, whose number is durable in the header of its first segment before anybody hears of it. */
  async #beginEpoch(files: LogFiles, epoch: Epoch): Promise<void> {
    let writer: SegmentWriter;
    try {
      writer = await files.rotate(this.#applied.position, epoch);
    } catch (error) {
      if (!isDiskFull(error)) return this.#fail(asLogError(error, 'no segment can be made'));
      if (this.#isClosed) return;
      this.#state = 'open';
      this.#terms.change({ role: 'none', epoch: epoch - 1 });
      this.#setFull(`the disk is full: ${messageOf(error)}`);
      return;
    }
    if (this.#isClosed) return;
    this.#state = 'open';
    if (this.#fullSince !== undefined) {
      this.#settings.logger.info({ file: writer.segment.path }, 'the disk has room again');
    }
    this.#fullSince = undefined;
    this.#sequence = 0;
    this.#terms.change({ role: 'leader', epoch });
  }

  /** Takes a view between two batches, with a new segment behind it, so that all before can be forgotten. */
  #view(): Promise<View> {
    return new Promise((resolve, reject) => {
      this.#between.push(() =>
        this.#viewNow().then(resolve, (error) => reject(asLogError(error, 'the checkpoint failed'))),
      );
      this.#kick();
    });
  }

  async #viewNow(): Promise<View> {
    const machine = this.#machine;
    const files = this.#files;
    const epoch = this.#terms.epoch;
    if (this.#failure) throw this.#failure;
    if (!machine || !files || this.#state !== 'open') throw new LogError('closed', 'the log is not open');
    const { writer } = files;
    if (!writer || epoch === undefined)
      throw new LogError('io', this.#fullSince ?? 'this member does not lead');
    const position = this.#applied.position;
    if (writer.segment.last > writer.segment.base) await files.rotate(position, epoch);
    return { capture: machine.capture(), position, epoch, files };
  }

  /** Read anew each time: closing may happen during any wait. */
  get #isClosed(): boolean {
    return this.#state === 'closed';
  }

  async #close(): Promise<void> {
    const before = this.#state;
    this.#state = 'closed';
    const closed = new LogError('closed', 'the log is closed');
    this.#cancelRetry?.();
    this.#queue.refuseAll('closed', closed.message);
    this.#terms.change({ role: 'none', epoch: this.#terms.current.epoch });
    this.#applied.fail(closed);
    const checkpointsEnd = this.#checkpoints.close();
    await this.#opening?.catch(() => {});
    if (before !== 'open') return;
    // What is on its way to the disk is seen through, so its outcome is known.
    await this.#running;
    await checkpointsEnd;
    try {
      await this.#files?.close(this.#failure === undefined);
    } catch (error) {
      this.#settings.logger.warn(
        { err: error },
        'the log could not be closed in order; nothing acknowledged is lost',
      );
    } finally {
      await this.#lock?.release();
    }
  }
}
