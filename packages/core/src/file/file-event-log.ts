/**
 * The event log on one machine's disk: the embedded default. One member, leader at once, each acknowledged entry
 * sealed and synced before it is applied and answered.
 *
 * This is the log as the port has it: opening, reading, positions, leadership, closing. What becomes of an append is
 * the matter of {@link GroupCommit}; what is on disk that of {@link LogFiles}.
 */

import * as path from 'node:path';
import { AppliedCursor } from '../log/applied-cursor.ts';
import {
  type Append,
  type AppendOutcome,
  type Entry,
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
import { Checkpoints, type View } from './checkpoints.ts';
import type { DiskLock } from './disk.ts';
import { GroupCommit } from './group-commit.ts';
import { asLogError } from './log-failure.ts';
import { LogFiles, SEGMENT_DIRECTORY, SNAPSHOT_DIRECTORY } from './log-files.ts';
import { type FileEventLogOptions, type FileEventLogSettings, withDefaults } from './options.ts';
import { RecentEntries } from './recent-entries.ts';
import { recover } from './recovery.ts';

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
  readonly #checkpoints: Checkpoints;
  readonly #commits: GroupCommit;
  #machine: LogStateMachine | undefined;
  #files: LogFiles | undefined;
  #lock: DiskLock | undefined;
  /** Why opening failed. */
  #notOpened: LogError | undefined;
  #opening: Promise<unknown> | undefined;
  #closed: Promise<void> | undefined;

  constructor(options: FileEventLogOptions) {
    this.#settings = withDefaults(options);
    const { logger, maxPayloadBytes, recentBytes } = this.#settings;
    this.#recent = new RecentEntries(recentBytes);
    this.#checkpoints = new Checkpoints(
      this.#settings,
      () => this.#view(),
      () => this.#recent.clear(),
    );
    this.#terms = new LeadershipTerms((error, epoch) =>
      logger.error({ err: error, epoch }, 'a listener or a term of leadership failed'),
    );
    this.#commits = new GroupCommit({
      settings: this.#settings,
      terms: this.#terms,
      applied: this.#applied,
      recent: this.#recent,
      onCommitted: (entries, bytes) => this.#checkpoints.committed(entries, bytes),
    });
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
    if (this.#opening || this.#closed) {
      return Promise.reject(new LogError('closed', 'a log is opened once; make another to open it again'));
    }
    const opening = this.#open(machine).catch(async (error: unknown) => {
      const failure = asLogError(error, 'opening failed');
      this.#notOpened = failure;
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
    await this.#commits.begin({ files, machine }, recovered.epoch + 1);
    if (this.#commits.isStopped) throw new LogError('closed', 'the log was closed while it was opened');
    if (this.#commits.failure) throw this.#commits.failure;
    this.#checkpoints.committed(recovered.entriesReplayed, recovered.bytesReplayed);
    if (files.segmentCount > MAX_SEGMENTS_AT_OPEN) this.#checkpoints.start();
    const { tornBytes, entriesReplayed, snapshotPosition } = recovered;
    return { tornBytes, entriesReplayed, snapshotPosition };
  }

  append(append: Append): Promise<AppendOutcome> {
    return this.#commits.append(append);
  }

  async barrier(options?: { readonly signal?: AbortSignal }): Promise<Position> {
    options?.signal?.throwIfAborted();
    if (this.#failure) throw this.#failure;
    if (!this.#commits.isOpen) throw new LogError('closed', 'the log is not open');
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
    return {
      leadership: this.#terms.current,
      first: files && files.oldest < last ? files.oldest + 1 : 0,
      last,
      applied: last,
      snapshot: files?.snapshot ?? 0,
      bytes: files?.bytes ?? 0,
      ...this.#statusFailure(),
    };
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  #statusFailure(): Pick<LogStatus, 'failure'> {
    if (this.#notOpened) return { failure: { reason: 'closed', message: this.#notOpened.message } };
    const { isStopped, refusesAll } = this.#commits;
    const wasClosedInOrder = isStopped && !this.#failure;
    return refusesAll === undefined || wasClosedInOrder ? {} : { failure: refusesAll };
  }

  get #failure(): LogError | undefined {
    return this.#notOpened ?? this.#commits.failure;
  }

  /** Takes a view between two batches, with a new segment behind it, so that all before can be forgotten. */
  #view(): Promise<View> {
    return this.#commits.between(async () => {
      try {
        return await this.#viewNow();
      } catch (error) {
        throw asLogError(error, 'the checkpoint failed');
      }
    });
  }

  async #viewNow(): Promise<View> {
    const machine = this.#machine;
    const files = this.#files;
    const epoch = this.#terms.epoch;
    if (this.#failure) throw this.#failure;
    if (!machine || !files || !this.#commits.isOpen) throw new LogError('closed', 'the log is not open');
    const { writer } = files;
    if (!writer || epoch === undefined)
      throw new LogError('io', this.#commits.refusesAll?.message ?? 'this member does not lead');
    const position = this.#applied.position;
    if (writer.segment.last > writer.segment.base) await files.rotate(position, epoch);
    return { capture: machine.capture(), position, epoch, files };
  }

  async #close(): Promise<void> {
    const wasOpen = this.#commits.isOpen;
    this.#commits.stop(new LogError('closed', 'the log is closed'));
    const checkpointsEnd = this.#checkpoints.close();
    await this.#opening?.catch(() => {});
    if (!wasOpen) return;
    // What is on its way to the disk is seen through, so its outcome is known.
    await this.#commits.settled();
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
