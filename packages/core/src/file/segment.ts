/**
 * One segment: a file of sealed batches, written once from front to back by the process that made it. After each
 * recovery a new one begins, so that no frame number, and with it no nonce, is ever used twice under one key.
 *
 * Space is preallocated as zeroes some way ahead, because syncing a write into a file that keeps its size costs about
 * half of syncing one that grows it. The end of the log is therefore where frames end, not where the file does.
 */

import * as path from 'node:path';
import type { Epoch, Position } from '../log/event-log.ts';
import type { Random } from '../runtime/random.ts';
import type { Disk, DiskFile } from './disk.ts';
import { createHeader, HEADER_BYTES } from './file-header.ts';
import { FRAME_OVERHEAD, sealFrame } from './frame.ts';
import { FIRST_FRAME, type FrameMark } from './frame-reader.ts';
import type { KeyProvider } from './keys.ts';

/** Readers can start at least this close before any position, in bytes. */
const MARK_EVERY_BYTES = 256 * 1024;

/** What is known of a segment, open for writing or not. */
export interface Segment {
  readonly path: string;
  readonly number: number;
  /** The last position before this segment. */
  readonly base: Position;
  readonly fileKey: Uint8Array;
  /** The last position in it; `base` when it has none. */
  last: Position;
  /** Where its frames end, in bytes. */
  end: number;
  /** Places to start reading from: each with the last position before it. */
  readonly marks: { readonly after: Position; readonly mark: FrameMark }[];
}

/** Notes a frame, so that readers find their way. */
export function noteFrame(segment: Segment, after: Position, mark: FrameMark): void {
  const last = segment.marks.at(-1);
  if (last && mark.offset - last.mark.offset < MARK_EVERY_BYTES) return;
  segment.marks.push({ after, mark });
}

/** The latest known place from which all entries behind `position` can be read. */
export function markBefore(segment: Segment, position: Position): FrameMark {
  let found = FIRST_FRAME;
  for (const { after, mark } of segment.marks) {
    if (after > position) break;
    found = mark;
  }
  return found;
}

/** The name of a segment's file. */
export function segmentName(number: number): string {
  return `${String(number).padStart(12, '0')}.log`;
}

/** The number in a segment's file name, if it is one. */
export function segmentNumber(name: string): number | undefined {
  return /^\d{12}\.log$/.test(name) ? Number.parseInt(name, 10) : undefined;
}

/** Where and how segments are made. */
export interface SegmentPlace {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: KeyProvider;
  readonly random: Random;
  readonly preallocateBytes: number;
}

/** The segment that is written now. One frame at a time. */
export class SegmentWriter {
  readonly segment: Segment;
  readonly #file: DiskFile;
  readonly #preallocateBytes: number;
  #allocated: number;
  #counter = FIRST_FRAME.counter;
  #frame = Buffer.alloc(0);

  private constructor(segment: Segment, file: DiskFile, allocated: number, preallocateBytes: number) {
    this.segment = segment;
    this.#file = file;
    this.#allocated = allocated;
    this.#preallocateBytes = preallocateBytes;
  }

  /** Makes a segment, durable with its name before this resolves. On failure nothing is left of it. */
  static async create(
    place: SegmentPlace,
    { number, base, epoch }: { readonly number: number; readonly base: Position; readonly epoch: Epoch },
  ): Promise<SegmentWriter> {
    const header = { kind: 'segment', number, base, epoch, discards: false } as const;
    const { bytes, fileKey } = await createHeader(header, place.keys, place.random);
    const file = path.join(place.directory, segmentName(number));
    const opened = await place.disk.open(file, 'create');
    try {
      const initial = Buffer.alloc(HEADER_BYTES + place.preallocateBytes);
      initial.set(bytes);
      await opened.write(initial, 0);
      await opened.sync();
      await place.disk.syncDirectory(place.directory);
      const segment: Segment = {
        path: file,
        number,
        base,
        fileKey,
        last: base,
        end: HEADER_BYTES,
        marks: [],
      };
      return new SegmentWriter(segment, opened, initial.length, place.preallocateBytes);
    } catch (error) {
      await opened.close().catch(() => {});
      await place.disk.unlink(file).catch(() => {});
      throw error;
    }
  }

  /** Writes one frame behind the last committed one. It counts only once {@link SegmentWriter.commit} was called. */
  async write(contents: Uint8Array): Promise<void> {
    const length = contents.length + FRAME_OVERHEAD;
    const { end } = this.segment;
    const padding = end + length > this.#allocated ? this.#preallocateBytes : 0;
    if (this.#frame.length < length + padding) this.#frame = Buffer.allocUnsafe((length + padding) * 2);
    sealFrame(this.segment.fileKey, this.#counter, contents, this.#frame);
    if (padding > 0) this.#frame.fill(0, length, length + padding);
    await this.#file.write(this.#frame.subarray(0, length + padding), end);
    if (padding > 0) this.#allocated = end + length + padding;
  }

  datasync(): Promise<void> {
    return this.#file.datasync();
  }

  /** The frame just written, of `length` bytes of contents, is durable: it ends with `last`. */
  commit(length: number, last: Position): void {
    const { segment } = this;
    noteFrame(segment, segment.last, { offset: segment.end, counter: this.#counter });
    segment.end += length + FRAME_OVERHEAD;
    segment.last = last;
    this.#counter += 1;
  }

  /** Takes back, durably, whatever part of the last frame was written. The segment must not be written again. */
  async takeBack(): Promise<void> {
    await this.#file.truncate(this.segment.end);
    await this.#file.sync();
  }

  /** Gives preallocated space back and closes the file. Needs no sync: zeroes behind the end mean nothing. */
  async close(): Promise<void> {
    try {
      await this.#file.truncate(this.segment.end);
    } finally {
      await this.#file.close();
    }
  }

  /** Closes the file and touches nothing in it. */
  abandon(): Promise<void> {
    return this.#file.close();
  }
}
