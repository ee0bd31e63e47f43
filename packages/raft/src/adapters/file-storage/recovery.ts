/**
 * Opening what is on disk: repeats the records of all segments in order, cuts off a torn end, and refuses anything worse
 * by name. What it must never do is go on over a hole.
 *
 * The rule is that of protocol-aware recovery (Alagappan et al., FAST 2018) for a log with one sync outstanding: a bad
 * frame with nothing behind it may be a write that a crash cut short, which nobody was told of; one with its mark or an
 * intact frame behind it, or with a later segment that counts it, had been synced, and has rotted since. In the same way
 * a segment that the one before it is marked to be continued in is missed, and so are all where there were some.
 *
 * What can't be told, by anyone, is a last frame that rots between a power cut, if that came before its mark reached the
 * disk by itself, and the next opening, which seals it under the first record of a new segment.
 */

import * as path from 'node:path';
import type { Entry, LogIndex } from '../../core/types.ts';
import { type Disk, withFile } from './disk.ts';
import { corrupt } from './errors.ts';
import { HEADER_BYTES, type OpenedHeader, openHeader } from './file-header.ts';
import { FrameReader } from './frame-reader.ts';
import type { DataKeys } from './keys.ts';
import { isSamePlace, type LogPlace, type LogRecord, NOTHING, type PreviousSegment } from './log-place.ts';
import { readRecords } from './records.ts';
import { type Segment, segmentName, segmentNumber, UNFINISHED } from './segment.ts';
import { noteRecord, type RecoveredWal, readStart, removeFile } from './wal.ts';

/** What is needed to recover. */
export interface RecoveryParts {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: DataKeys;
}

/** What was found. */
export interface Recovery extends RecoveredWal {
  readonly entries: Entry[];
  readonly tornBytes: number;
}

/** The last frame of a segment, by its place in the file. */
interface LastFrame {
  readonly offset: number;
  readonly end: number;
  readonly frames: number;
}

/** @throws FileStorageError `corrupt`, `wrong-key`, `key-unavailable`, `unsupported-version`. */
export async function recover(parts: RecoveryParts): Promise<Recovery> {
  // A process that was killed may have left names that are not durable, and what follows rests on them.
  await parts.disk.syncDirectory(parts.directory);
  const { numbers, leftovers } = await listSegments(parts);
  const replay = new Replay();
  let previous: PreviousSegment | undefined;
  let tornBytes = 0;
  let repair = async () => {};
  for (const [at, number] of numbers.entries()) {
    const isLast = at === numbers.length - 1;
    const read = await readSegment(parts, number, previous, replay);
    const { last, file, end } = read;
    const torn = end.kind === 'bad' ? end : undefined;
    if (torn !== undefined && (!isLast || torn.wasSynced)) {
      throw corrupt(file, torn.offset, 'what was synced there can no longer be read');
    }
    if (isLast && end.isContinued) {
      const next = path.join(parts.directory, segmentName(number + 1));
      throw corrupt(next, 0, 'the log goes on in it, and it is not there');
    }
    tornBytes = torn?.bytes ?? 0;
    repair = () => mend(parts.disk, file, last);
    previous = { number, frames: last.frames };
  }
  const newest = replay.segments.at(-1)?.path ?? parts.directory;
  const { entries, place } = replay.result(newest);
  await repair();
  for (const name of leftovers) await removeFile(parts.disk, path.join(parts.directory, name));
  if (leftovers.length > 0) await parts.disk.syncDirectory(parts.directory);
  return { segments: replay.segments, place, previous, entries, tornBytes };
}

/** The segments to read, and files that a crash left behind: unfinished ones, and those before a gap. */
async function listSegments({ disk, directory }: RecoveryParts) {
  const leftovers: string[] = [];
  const numbers: number[] = [];
  for (const name of await disk.list(directory)) {
    const number = segmentNumber(name);
    if (number !== undefined) numbers.push(number);
    else if (name.endsWith(UNFINISHED)) leftovers.push(name);
  }
  numbers.sort((one, other) => one - other);
  // Removals that were not synced may be undone in part. That no needed one is missing is checked by its base.
  let from = numbers.length;
  while (from > 0 && (from === numbers.length || numbers[from - 1] === (numbers[from] ?? 0) - 1)) from -= 1;
  for (const number of numbers.slice(0, from)) leftovers.push(segmentName(number));
  return { numbers: numbers.slice(from), leftovers };
}

/** What a frame says. One that is sealed in order and still says nothing is not passed over: it may be a promise. */
function recordsOf(contents: Buffer, file: string, offset: number): LogRecord[] {
  try {
    return readRecords(contents);
  } catch (error) {
    if (error instanceof RangeError) throw corrupt(file, offset, error.message);
    throw error;
  }
}

/** Reads a segment into the replay, up to where its frames end. */
async function readSegment(
  { disk, directory, keys }: RecoveryParts,
  number: number,
  previous: PreviousSegment | undefined,
  replay: Replay,
) {
  const file = path.join(directory, segmentName(number));
  const stored = await readStart(disk, file, HEADER_BYTES);
  const header = await openHeader({ kind: 'segment', number }, stored, keys, file);
  return withFile(disk, file, 'read', async (opened) => {
    const reader = new FrameReader(opened, header.fileKey, { hasMarks: true, readsAhead: true });
    let last: LastFrame | undefined;
    try {
      for (;;) {
        const read = await reader.next();
        if (read.kind === 'frame') {
          const records = read.contents === undefined ? [] : recordsOf(read.contents, file, read.offset);
          if (last === undefined) replay.begin(file, header, records[0], previous);
          else for (const record of records) replay.take(record, file, read.offset);
          last = { offset: read.offset, end: read.end, frames: read.counter };
          replay.noteEnd(read.end);
          continue;
        }
        // A segment gets its name only once its first frame is synced.
        if (last === undefined) throw corrupt(file, read.offset, 'its first frame can no longer be read');
        return { file, last, end: read };
      }
    } finally {
      await reader.settled();
    }
  });
}

/**
 * Cuts what is behind the last frame, and writes that frame once more as it is. Its sync may never have come back, or
 * have failed and left it in the page cache alone, where it reads well and is gone with the next power cut.
 */
async function mend(disk: Disk, file: string, last: LastFrame): Promise<void> {
  await withFile(disk, file, 'update', async (opened) => {
    await opened.truncate(last.end);
    const frame = new Uint8Array(last.end - last.offset);
    const count = await opened.read(frame, last.offset);
    if (count < frame.length) throw corrupt(file, last.offset, 'the file became shorter while it was read');
    await opened.write(frame, last.offset);
    await opened.sync();
  });
}

/** What the records say, one after the other. */
class Replay {
  readonly segments: Segment[] = [];
  #place: LogPlace = NOTHING;
  /** In order and without a gap, from `#from` on. */
  #entries: Entry[] = [];
  #from: LogIndex = 1;

  begin(
    file: string,
    { number, keyId }: OpenedHeader,
    base: LogRecord | undefined,
    previous: PreviousSegment | undefined,
  ): void {
    if (base?.kind !== 'base')
      throw corrupt(file, HEADER_BYTES, 'its first record is none that begins a segment');
    if (previous === undefined) {
      this.#place = base.place;
      this.#from = base.place.next;
    } else {
      const counted = base.previous;
      if (counted?.number !== previous.number || counted.frames !== previous.frames) {
        const before = path.join(path.dirname(file), segmentName(previous.number));
        const what = `${previous.frames} frames can be read, and there were ${counted?.frames ?? 0}`;
        throw corrupt(before, this.segments.at(-1)?.end ?? 0, what);
      }
      if (!isSamePlace(base.place, this.#place)) {
        throw corrupt(file, HEADER_BYTES, 'it does not continue the segment before it');
      }
    }
    this.segments.push({ path: file, number, keyId, lastEntry: 0, end: HEADER_BYTES });
  }

  noteEnd(end: number): void {
    const segment = this.segments.at(-1);
    if (segment !== undefined) segment.end = end;
  }

  take(record: LogRecord, file: string, offset: number): void {
    const segment = this.segments.at(-1);
    if (segment !== undefined) noteRecord(this.segments, segment, record);
    switch (record.kind) {
      case 'hard-state':
        this.#place = { ...this.#place, hardState: record.hardState };
        return;
      case 'truncated':
        this.#cut(record.from);
        return;
      case 'entries':
        if (record.first !== this.#place.next) {
          throw corrupt(file, offset, `entry ${record.first} came where ${this.#place.next} was due`);
        }
        for (const entry of record.entries) this.#entries.push(entry);
        this.#place = { ...this.#place, next: record.first + record.entries.length };
        return;
      case 'installed': {
        const next = record.snapshot.description.index + 1;
        this.#place = { ...this.#place, snapshot: record.snapshot, first: next, next };
        this.#entries = [];
        this.#from = next;
        return;
      }
      case 'compacted':
        this.#place = { ...this.#place, snapshot: record.snapshot, first: record.first };
        return;
      case 'base':
        throw corrupt(file, offset, 'a segment begins within a segment');
      case 'end':
        return;
    }
  }

  /** @throws FileStorageError `corrupt` when entries are missing at the front. */
  result(newest: string): { entries: Entry[]; place: LogPlace } {
    const { first } = this.#place;
    if (this.#from > first) {
      throw corrupt(newest, HEADER_BYTES, `entries ${first} to ${this.#from - 1} are missing before it`);
    }
    const entries = this.#from === first ? this.#entries : this.#entries.slice(first - this.#from);
    return { entries, place: this.#place };
  }

  #cut(from: LogIndex): void {
    this.#place = { ...this.#place, next: from };
    if (from < this.#from) {
      // Entries below are in segments that were dropped since, so what took their place is not needed either.
      this.#entries = [];
      this.#from = from;
    } else this.#entries.length = from - this.#from;
  }
}
