/**
 * The write-ahead log as one thing: the segment that is written, those before it, and what they say together. It knows
 * files and places; when to write, and whom to answer, is the matter of the commit queue.
 */

import { type Disk, withFile } from './disk.ts';
import { asStorageError, FileStorageError, isOutOfSpace, systemCode } from './errors.ts';
import type { DataKeys } from './keys.ts';
import type { LogPlace, LogRecord, PreviousSegment } from './log-place.ts';
import { layOut } from './records.ts';
import { markContinued, type Segment, type SegmentPlace, SegmentWriter } from './segment.ts';

/** What the log is built of. */
export interface WalParts {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: DataKeys;
  readonly segmentBytes: number;
  readonly preallocateBytes: number;
}

/** What recovery hands over. */
export interface RecoveredWal {
  readonly segments: readonly Segment[];
  readonly place: LogPlace;
  /** The last segment, and its number of frames. */
  readonly previous: PreviousSegment | undefined;
}

/** Segments, the last of which may be open for writing. */
export class Wal {
  readonly #parts: WalParts;
  readonly #segments: Segment[];
  #writer: SegmentWriter | undefined;
  #previous: PreviousSegment | undefined;
  #durable: LogPlace;
  /** Out of use, and perhaps not yet gone for good. */
  #dropped: Segment[] = [];

  constructor(parts: WalParts, recovered: RecoveredWal) {
    this.#parts = parts;
    this.#segments = recovered.segments.slice();
    this.#previous = recovered.previous;
    this.#durable = recovered.place;
  }

  /** What is durable. */
  get durable(): LogPlace {
    return this.#durable;
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Ids of the key-encryption keys of all segments that a crash could bring back. */
  get keyIds(): readonly string[] {
    return [...this.#segments, ...this.#dropped].map(({ keyId }) => keyId);
  }

  /** Begins a new segment. On failure the old one, if any, stays in use. */
  async rotate(): Promise<void> {
    const { disk, directory, keys, preallocateBytes } = this.#parts;
    const old = this.#writer;
    const previous = old === undefined ? this.#previous : { number: old.segment.number, frames: old.frames };
    const where: SegmentPlace = { disk, directory, keys, preallocateBytes };
    const before = this.#segments.at(-1);
    const number = (previous?.number ?? 0) + 1;
    this.#writer = await SegmentWriter.create(where, { number, place: this.#durable, previous });
    this.#previous = previous;
    this.#segments.push(this.#writer.segment);
    // All of it is synced; that its spare space could not be given back harms nothing, nor that it can't be marked.
    await old?.finish().catch(() => {});
    if (before !== undefined && previous !== undefined) {
      await markContinued(disk, before, previous.frames).catch(() => {});
    }
  }

  /**
   * Writes records as one frame and syncs it.
   *
   * @param options.fromReserve - the records may use the space that is kept for compactions.
   * @param options.isUrgent - see `DiskFile.datasync`.
   * @throws FileStorageError `disk-full`, and then nothing of it is on disk; `failed`, and then nothing is certain.
   */
  async commit(
    records: readonly LogRecord[],
    after: LogPlace,
    { fromReserve, isUrgent }: { readonly fromReserve: boolean; readonly isUrgent: boolean },
  ): Promise<void> {
    const contents = layOut(records);
    const writer = await this.#writerFor(contents.length, fromReserve);
    try {
      await writer.write(contents);
    } catch (error) {
      if (isOutOfSpace(error)) await this.#takeBack(writer);
      throw asStorageError(error, `writing to ${writer.segment.path} failed`);
    }
    try {
      await writer.datasync(isUrgent);
    } catch (error) {
      // Also if there is no room: what a failed sync left behind can't be known, nor taken back.
      throw new FileStorageError('failed', `a sync of ${writer.segment.path} failed`, { cause: error });
    }
    writer.noteFrame(contents.length);
    this.#durable = after;
    this.#noteRecords(writer.segment, records);
  }

  /**
   * Notes that what was committed last is synced, when nothing comes behind it soon. Needs no sync of its own.
   *
   * @throws FileStorageError `failed`.
   */
  async markSynced(): Promise<void> {
    try {
      await this.#writer?.markSynced();
    } catch (error) {
      if (!isOutOfSpace(error)) throw asStorageError(error, 'a mark could not be written');
    }
  }

  /** Removes the segments at the front that hold nothing which is still needed. */
  async dropCovered(): Promise<void> {
    const { disk, directory } = this.#parts;
    const dropped: Segment[] = [];
    for (;;) {
      const [oldest] = this.#segments;
      if (oldest === undefined || this.#segments.length < 2 || oldest.lastEntry >= this.#durable.first) break;
      this.#segments.shift();
      dropped.push(oldest);
    }
    if (dropped.length === 0) return;
    this.#dropped.push(...dropped);
    for (const { path } of dropped) await removeFile(disk, path);
    await disk.syncDirectory(directory);
    this.#dropped = this.#dropped.filter((segment) => !dropped.includes(segment));
  }

  /** Closes the file. `inOrder` also writes down that nothing is missing behind the last record. */
  async close(inOrder: boolean): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (writer === undefined) return;
    if (!inOrder) return writer.abandon();
    try {
      const contents = layOut([{ kind: 'end' }]);
      await writer.makeRoom(contents.length, true);
      await writer.write(contents);
      await writer.datasync(false);
      writer.noteFrame(contents.length);
      await writer.markSynced();
    } catch (error) {
      await writer.abandon();
      throw asStorageError(error, `${writer.segment.path} could not be closed in order`);
    }
    await writer.finish();
  }

  async #writerFor(length: number, fromReserve: boolean): Promise<SegmentWriter> {
    const isFull = (this.#writer?.segment.end ?? 0) >= this.#parts.segmentBytes;
    // A compaction may be what makes room on a full disk: it never asks for a whole new segment.
    if (this.#writer === undefined || (isFull && !fromReserve)) {
      try {
        await this.rotate();
      } catch (error) {
        throw asStorageError(error, 'a new segment could not be made');
      }
    }
    const writer = this.#writer;
    if (writer === undefined) throw new FileStorageError('closed', 'the log is closed');
    try {
      await writer.makeRoom(length, fromReserve);
    } catch (error) {
      throw asStorageError(error, `${writer.segment.path} could not be extended`);
    }
    return writer;
  }

  /** The counter of the frame is used up, though it is not on disk: what comes next goes to another segment. */
  async #takeBack(writer: SegmentWriter): Promise<void> {
    this.#writer = undefined;
    this.#previous = { number: writer.segment.number, frames: writer.frames };
    try {
      await writer.takeBack();
    } catch (error) {
      throw new FileStorageError('failed', `a write that a full disk cut short can't be taken back`, {
        cause: error,
      });
    } finally {
      await writer.abandon();
    }
  }

  #noteRecords(segment: Segment, records: readonly LogRecord[]): void {
    for (const record of records) noteRecord(this.#segments, segment, record);
  }
}

/** Keeps `lastEntry` of each segment right while a record is taken in. */
export function noteRecord(segments: readonly Segment[], segment: Segment, record: LogRecord): void {
  if (record.kind === 'entries') segment.lastEntry = record.first + record.entries.length - 1;
  else if (record.kind === 'truncated') {
    for (const each of segments) each.lastEntry = Math.min(each.lastEntry, record.from - 1);
  } else if (record.kind === 'installed') {
    for (const each of segments) each.lastEntry = 0;
  }
}

/** Removes a file that may be gone already. */
export async function removeFile(disk: Disk, path: string): Promise<void> {
  try {
    await disk.unlink(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

/** The first bytes of a file, fewer if it has fewer. */
export function readStart(disk: Disk, path: string, length: number): Promise<Uint8Array> {
  return withFile(disk, path, 'read', async (file) => {
    const bytes = new Uint8Array(length);
    return bytes.subarray(0, await file.read(bytes, 0));
  });
}
