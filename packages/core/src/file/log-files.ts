/**
 * The files of an open log as one thing: the segment that is written, those before it, and the snapshots. It sits
 * between the log, which knows of epochs and outcomes, and single files. It starts nothing by itself.
 */

import * as path from 'node:path';
import { type Entry, type Epoch, LogError, type Position } from '../log/event-log.ts';
import { type DiskFile, errorCode } from './disk.ts';
import { BATCH_HEADER_BYTES, batchRange, decodeBatch } from './entry-batch.ts';
import { FRAME_OVERHEAD } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { FileEventLogSettings } from './options.ts';
import type { Recovered } from './recovery.ts';
import { markBefore, type Segment, SegmentWriter } from './segment.ts';
import { removeFile, writeSnapshot } from './snapshot-file.ts';

/** Directories within the log's own. */
export const SEGMENT_DIRECTORY = 'segments';
export const SNAPSHOT_DIRECTORY = 'snapshots';

/** Segments and snapshots of an open log. */
export class LogFiles {
  readonly #settings: FileEventLogSettings;
  readonly #segments: Segment[];
  #writer: SegmentWriter | undefined;
  #lastNumber: number;
  #snapshot: Position;

  constructor(settings: FileEventLogSettings, recovered: Recovered) {
    this.#settings = settings;
    this.#segments = recovered.segments;
    this.#lastNumber = recovered.lastNumber;
    this.#snapshot = recovered.snapshotPosition;
  }

  /** The segment that takes appends; undefined while there is no room for one. */
  get writer(): SegmentWriter | undefined {
    return this.#writer;
  }

  /** The position that reading can start behind. */
  get oldest(): Position {
    return this.#segments[0]?.base ?? this.#snapshot;
  }

  get snapshot(): Position {
    return this.#snapshot;
  }

  get bytes(): number {
    return this.#segments.reduce((sum, segment) => sum + segment.end, 0);
  }

  get segmentCount(): number {
    return this.#segments.length;
  }

  /** Begins a new segment behind `base`. When it can't be made, the old one, if any, stays in use. */
  async rotate(base: Position, epoch: Epoch): Promise<SegmentWriter> {
    const { disk, dir, keyProvider, random, preallocateBytes } = this.#settings;
    const directory = path.join(dir, SEGMENT_DIRECTORY);
    const place = { disk, directory, keys: keyProvider, random, preallocateBytes };
    const writer = await SegmentWriter.create(place, { number: this.#lastNumber + 1, base, epoch });
    const old = this.#writer;
    this.#lastNumber += 1;
    this.#segments.push(writer.segment);
    this.#writer = writer;
    await old?.close().catch((error: unknown) => {
      this.#settings.logger.warn(
        { err: error, file: old.segment.path },
        'a full segment could not be closed',
      );
    });
    return writer;
  }

  /** Takes the last, failed write back. Afterwards there is no segment to write to until the next rotation. */
  async takeBack(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.takeBack();
    await writer?.abandon();
  }

  /** Ends the segment with an empty batch, which proves at the next opening that nothing behind is lost. */
  async close(sound: boolean): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (!writer) return;
    if (!sound || writer.segment.last === writer.segment.base) return writer.abandon();
    try {
      await writer.write(Buffer.alloc(BATCH_HEADER_BYTES));
      writer.commit(BATCH_HEADER_BYTES, writer.segment.last);
      await writer.datasync();
    } finally {
      await writer.close();
    }
  }

  /** Reads entries behind `after` up to `upTo`, all of which are committed. Ends early where files were removed. */
  async *read(after: Position, upTo: Position): AsyncGenerator<Entry, void, undefined> {
    for (const segment of this.#segments.filter(({ last }) => last > after)) {
      if (segment.base >= upTo) return;
      let file: DiskFile;
      try {
        file = await this.#settings.disk.open(segment.path, 'read');
      } catch (error) {
        if (errorCode(error) === 'ENOENT') return;
        throw new LogError('io', `segment ${segment.path} can't be opened`, { cause: error });
      }
      try {
        const reader = new FrameReader(file, segment.fileKey, markBefore(segment, after));
        let at = segment.base;
        while (at < Math.min(segment.last, upTo)) {
          const read = await reader.next();
          if (read.kind !== 'frame') {
            throw new LogError('corrupt', `segment ${segment.path} is damaged at offset ${read.at.offset}`);
          }
          const { position, count } = batchRange(read.contents);
          at = Math.max(at, position + count - 1);
          if (at <= after) continue;
          const batch: Entry[] = [];
          decodeBatch(read.contents, (entry) => {
            if (entry.position > after && entry.position <= upTo) batch.push(entry);
          });
          yield* batch;
        }
      } finally {
        await file.close();
      }
    }
  }

  /** Writes a snapshot, durable once this resolves. */
  async save(
    about: { readonly position: Position; readonly epoch: Epoch; readonly discards: boolean },
    chunks: AsyncIterable<Uint8Array>,
    signal: AbortSignal,
  ): Promise<void> {
    const { disk, dir, keyProvider, random } = this.#settings;
    const directory = path.join(dir, SNAPSHOT_DIRECTORY);
    await writeSnapshot({ disk, directory, keys: keyProvider, random }, about, chunks, signal);
    this.#snapshot = about.position;
  }

  /** Removes what the newest snapshot covers: older snapshots, and segments beyond `retainBytes`. */
  async forget(retainBytes: number): Promise<void> {
    const { disk, dir } = this.#settings;
    const snapshots = path.join(dir, SNAPSHOT_DIRECTORY);
    const newest = `${String(this.#snapshot).padStart(16, '0')}.snapshot`;
    for (const name of await disk.list(snapshots)) {
      if (name.endsWith('.snapshot') && name !== newest) await removeFile(disk, path.join(snapshots, name));
    }
    await disk.syncDirectory(snapshots);
    const covered = this.#segments.findLastIndex(({ base }) => base <= this.#snapshot);
    let first = covered;
    let kept = 0;
    for (; first > 0; first--) {
      kept += this.#segments[first - 1]?.end ?? 0;
      if (kept > retainBytes) break;
    }
    if (first <= 0) return;
    // Out of the list first: a reader that comes meanwhile is told of the gap.
    for (const segment of this.#segments.splice(0, first)) await removeFile(disk, segment.path);
    await disk.syncDirectory(path.join(dir, SEGMENT_DIRECTORY));
  }
}

/** Bytes that a batch with contents of `length` takes in a segment. */
export function frameBytes(length: number): number {
  return length + FRAME_OVERHEAD;
}
