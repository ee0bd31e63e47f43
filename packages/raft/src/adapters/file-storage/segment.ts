/**
 * One segment of the log: a file of frames, written from front to back by the process that made it and never changed
 * but for a torn end being cut off. Each opening of the storage begins a new one, so that no counter, and with it no
 * nonce, is used twice under one key.
 *
 * A segment is made aside, synced with its first frame and then renamed: a file under its final name is whole up to
 * that frame, and damage there can't be the trace of a crash. Space is written as zeroes some way ahead, because a sync
 * into a file that keeps its length is about half the work of one that grows it.
 *
 * Behind each frame comes a mark that it is synced, and behind the last one of a segment that has a successor, that it
 * has. By them a synced frame that rotted is told from one that a crash cut short, and a segment that is gone from one
 * that never was.
 */

import * as path from 'node:path';
import type { LogIndex } from '../../core/types.ts';
import { type Disk, type DiskFile, withFile } from './disk.ts';
import { isOutOfSpace } from './errors.ts';
import { HEADER_BYTES, makeHeader } from './file-header.ts';
import { FRAME_KIND, FRAME_OVERHEAD, MARK_BYTES, sealFrame, writeMark } from './frame.ts';
import type { DataKeys } from './keys.ts';
import type { LogPlace, PreviousSegment } from './log-place.ts';
import { type LaidOut, layOut } from './records.ts';

/** Kept free behind the last frame, so that a compaction, which frees space, can be noted on a full disk. */
const RESERVE_BYTES = 16 * 1024;

const SPARE_BUFFER_BYTES = 1024 * 1024;

/** Names of segments that are not finished yet end so. */
export const UNFINISHED = '.partial';

/** A segment on disk. */
export interface Segment {
  readonly path: string;
  readonly number: number;
  /** The key-encryption key that it was made under. */
  readonly keyId: string;
  /** The last entry in it that was not cut off or replaced since; 0 if there is none. */
  lastEntry: LogIndex;
  /** Bytes up to the end of its last frame. */
  end: number;
}

/** The file name of a segment. */
export function segmentName(number: number): string {
  return `${String(number).padStart(16, '0')}.wal`;
}

/** The number in a file name, if it is that of a segment. */
export function segmentNumber(name: string): number | undefined {
  return /^\d{16}\.wal$/.test(name) ? Number(name.slice(0, 16)) : undefined;
}

/** Where segments are made. */
export interface SegmentPlace {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: DataKeys;
  /** How far ahead space is allocated, in bytes. */
  readonly preallocateBytes: number;
}

/** What a new segment begins with. */
export interface SegmentStart {
  readonly number: number;
  readonly place: LogPlace;
  readonly previous: PreviousSegment | undefined;
}

/** The segment that is written now, one frame at a time. */
export class SegmentWriter {
  readonly segment: Segment;
  readonly #file: DiskFile;
  readonly #key: Uint8Array;
  readonly #preallocateBytes: number;
  #allocated: number;
  #frames = 1;
  /** The last frame that a mark on its own was written for. */
  #marked = 0;
  #plain = Buffer.alloc(0);
  #sealed = Buffer.alloc(0);

  private constructor(
    segment: Segment,
    parts: { file: DiskFile; key: Uint8Array; preallocateBytes: number; allocated: number },
  ) {
    this.segment = segment;
    this.#file = parts.file;
    this.#key = parts.key;
    this.#preallocateBytes = parts.preallocateBytes;
    this.#allocated = parts.allocated;
  }

  /** Makes a segment, durable under its name once this resolves. On failure nothing is left that counts. */
  static async create(where: SegmentPlace, start: SegmentStart): Promise<SegmentWriter> {
    const { disk, directory, keys, preallocateBytes } = where;
    const { number, place, previous } = start;
    const header = await makeHeader({ kind: 'segment', number }, keys);
    const base = layOut([{ kind: 'base', place, previous }]);
    const plain = Buffer.alloc(base.length);
    base.writeTo(plain);
    const end = HEADER_BYTES + FRAME_OVERHEAD + base.length;
    const initial = Buffer.alloc(end + RESERVE_BYTES + preallocateBytes);
    initial.set(header.bytes);
    const frame = { counter: 1, kind: FRAME_KIND.records };
    sealFrame(header.fileKey, frame, plain, initial.subarray(HEADER_BYTES));
    const target = path.join(directory, segmentName(number));
    const aside = target + UNFINISHED;
    const file = await disk.open(aside, 'create');
    let name = aside;
    try {
      await file.write(initial, 0);
      await file.sync();
      await disk.rename(aside, target);
      name = target;
      await disk.syncDirectory(directory);
    } catch (error) {
      await file.close().catch(() => {});
      await disk.unlink(name).catch(() => {});
      throw error;
    }
    const segment: Segment = { path: target, number, keyId: header.keyId, lastEntry: 0, end };
    return new SegmentWriter(segment, {
      file,
      key: header.fileKey,
      preallocateBytes,
      allocated: initial.length,
    });
  }

  /** Frames so far, the first included. */
  get frames(): number {
    return this.#frames;
  }

  /**
   * Makes room for contents of `length` bytes. When it rejects, nothing changed that counts.
   *
   * @param fromReserve - the contents may use the space that is kept for compactions.
   */
  async makeRoom(length: number, fromReserve: boolean): Promise<void> {
    const needed =
      this.segment.end + MARK_BYTES + length + FRAME_OVERHEAD + (fromReserve ? 0 : RESERVE_BYTES);
    if (needed <= this.#allocated) return;
    const missing = needed - this.#allocated;
    try {
      await this.#extend(missing + this.#preallocateBytes);
    } catch (error) {
      if (!isOutOfSpace(error)) throw error;
      await this.#extend(missing);
    }
  }

  /** Writes one frame behind the last, and the mark of that one. It counts once {@link SegmentWriter.datasync} resolves and `noteFrame` is called. */
  async write(contents: LaidOut): Promise<void> {
    const { length } = contents;
    if (this.#plain.length < length) {
      const spare = Math.min(length, SPARE_BUFFER_BYTES);
      this.#plain = Buffer.allocUnsafe(length + spare);
      this.#sealed = Buffer.allocUnsafe(MARK_BYTES + length + spare + FRAME_OVERHEAD);
    }
    writeMark('synced', this.#frames, this.#sealed);
    contents.writeTo(this.#plain);
    const frame = { counter: this.#frames + 1, kind: FRAME_KIND.records };
    const into = this.#sealed.subarray(MARK_BYTES);
    const bytes = MARK_BYTES + sealFrame(this.#key, frame, this.#plain.subarray(0, length), into);
    await this.#file.write(this.#sealed.subarray(0, bytes), this.segment.end, true);
  }

  datasync(isUrgent: boolean): Promise<void> {
    return this.#file.datasync(isUrgent);
  }

  /** The frame that was written, with contents of `length` bytes, is durable. */
  noteFrame(length: number): void {
    this.segment.end += MARK_BYTES + length + FRAME_OVERHEAD;
    this.#frames += 1;
  }

  /** Writes the mark of the last frame now, because nothing comes behind it soon. */
  async markSynced(): Promise<void> {
    if (this.#marked === this.#frames) return;
    this.#marked = this.#frames;
    const mark = Buffer.alloc(MARK_BYTES);
    writeMark('synced', this.#frames, mark);
    await this.#file.write(mark, this.segment.end, true);
  }

  /** Takes back, durably, whatever of a frame was written. No frame may be written here afterwards. */
  async takeBack(): Promise<void> {
    await this.#file.truncate(this.segment.end);
    await this.#file.sync();
  }

  /** Gives allocated space back and closes the file. Needs no sync: zeroes behind the end mean nothing. */
  async finish(): Promise<void> {
    try {
      await this.#file.truncate(this.segment.end + MARK_BYTES);
    } finally {
      await this.#file.close();
    }
  }

  /** Closes the file and changes nothing. */
  abandon(): Promise<void> {
    return this.#file.close();
  }

  async #extend(bytes: number): Promise<void> {
    await this.#file.write(Buffer.alloc(bytes), this.#allocated);
    this.#allocated += bytes;
  }
}

/** Writes behind the last frame of a segment, the one with that counter, that the log goes on in another segment. */
export async function markContinued(disk: Disk, segment: Segment, frames: number): Promise<void> {
  const mark = Buffer.alloc(MARK_BYTES);
  writeMark('continued', frames, mark);
  await withFile(disk, segment.path, 'update', (file) => file.write(mark, segment.end));
}
