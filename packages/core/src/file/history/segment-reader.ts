/** Reads segments of history: a block or the index at a known place, or all of one that a crash left without an index. */

import type { Needle } from '../../history/contains-text.ts';
import { type HistorySegment, joinSpans, type StoredBlock } from '../../history/history-store.ts';
import { LogError } from '../../log/event-log.ts';
import type { Disk, DiskFile } from '../disk.ts';
import { HEADER_BYTES, openHeader, parseHeader, type StoredHeader } from '../file-header.ts';
import { openFrame, parseFrameHeader } from '../frame.ts';
import { FrameReader } from '../frame-reader.ts';
import type { KeyProvider } from '../keys.ts';
import { asLogError } from '../log-failure.ts';
import {
  decodeBlock,
  decodeIndex,
  type FramePlace,
  type IndexedBlock,
  type SegmentName,
} from './events-layout.ts';
import type { OpenFiles } from './open-files.ts';
import { type HistoryPlace, HistorySegmentWriter } from './segment-writer.ts';

/** Where finished and open segments are read. */
export interface ReadingPlace extends HistoryPlace {
  readonly files: OpenFiles;
}

/** A segment on disk. */
export interface FileSegment extends HistorySegment {
  readonly path: string;
  readonly bytes: number;
}

/** A finished segment. Its index is read when it is asked for, and held as long as somebody uses it. */
export function finishedSegment(
  place: ReadingPlace,
  where: string,
  { index, ...span }: SegmentName,
): FileSegment {
  let held: WeakRef<StoredBlock[]> | undefined;
  return {
    ...span,
    path: where,
    bytes: index.offset + index.length,
    async blocks() {
      const known = held?.deref();
      if (known) return known;
      const blocks = await readFile(place, where, async (file) => {
        const fileKey = await fileKeyOf(file, place.keys, where);
        const indexed = decodeIndex(await frameAt(file, fileKey, index, where));
        if (!indexed) throw damage(where, index.offset);
        return indexed.map((block) => storedBlock(place, () => where, fileKey, block));
      });
      held = new WeakRef(blocks);
      return blocks;
    },
  };
}

/** A segment that is being written, or was left so by a failed write, as far as it is written. */
export function openSegment(place: ReadingPlace, writer: HistorySegmentWriter): FileSegment {
  const stored: StoredBlock[] = [];
  return {
    ...joinSpans(writer.blocks),
    path: writer.path,
    bytes: writer.bytes,
    async blocks() {
      for (const block of writer.blocks.slice(stored.length)) {
        // Its name changes once it is finished.
        stored.push(storedBlock(place, () => writer.path, writer.fileKey, block));
      }
      return stored;
    },
  };
}

/** Finishes a segment that a crash left open: what is whole of it becomes a segment of its own. Removes the rest. */
export async function recoverSegment(
  place: HistoryPlace,
  where: string,
): Promise<{ readonly path: string; readonly isDamaged: boolean } | undefined> {
  const { disk } = place;
  let writer: HistorySegmentWriter | undefined;
  const { isDamaged } = await withFile(disk, where, async (file) => {
    const bytes = new Uint8Array(HEADER_BYTES);
    const count = await file.read(bytes, 0);
    const header = parseHeader('segment', bytes.subarray(0, count), where);
    // Nothing was synced behind a header that was not.
    if (!header) return { isDamaged: false };
    const reader = new FrameReader(file, await openHeader(header, place.keys, where));
    for (;;) {
      const read = await reader.next();
      if (read.kind !== 'frame') return { isDamaged: read.kind === 'bad' && read.intactBehind !== undefined };
      const block = decodeBlock(read.contents);
      // The index is written last; made again, it is the same.
      if (!block) return { isDamaged: false };
      // A frame number must not be used twice under one key, so the copy has a key of its own.
      writer ??= await HistorySegmentWriter.create(place, header.number, `${header.number}.tmp`);
      await writer.append(block);
    }
  });
  const finished = await writer?.finish();
  await disk.unlink(where);
  await disk.syncDirectory(place.directory);
  return finished === undefined ? undefined : { path: finished, isDamaged };
}

function storedBlock(
  reading: ReadingPlace,
  path: () => string,
  fileKey: Uint8Array,
  block: IndexedBlock,
): StoredBlock {
  const { place, ...rest } = block;
  const read = (needles?: readonly Needle[]) => {
    const where = path();
    return readFile(reading, where, async (file) => {
      const decoded = decodeBlock(await frameAt(file, fileKey, place, where), needles);
      if (!decoded) throw damage(where, place.offset);
      return decoded.records;
    });
  };
  return { ...rest, read: () => read(), holding: read };
}

async function frameAt(
  file: DiskFile,
  fileKey: Uint8Array,
  { offset, counter, length }: FramePlace,
  where: string,
): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  const count = await file.read(bytes, offset);
  const header = count === length ? parseFrameHeader(bytes, 0) : undefined;
  const contents = header?.counter === counter ? openFrame(fileKey, header, bytes, 0) : undefined;
  if (!contents) throw damage(where, offset);
  return contents;
}

/** The id of the key that a segment is sealed under. @throws LogError `io`, `corrupt` */
export function keyIdOf(place: ReadingPlace, where: string): Promise<string> {
  return readFile(place, where, async (file) => (await headerOf(file, where)).keyId);
}

async function fileKeyOf(file: DiskFile, keys: KeyProvider, where: string): Promise<Uint8Array> {
  return openHeader(await headerOf(file, where), keys, where);
}

async function headerOf(file: DiskFile, where: string): Promise<StoredHeader> {
  const bytes = new Uint8Array(HEADER_BYTES);
  const count = await file.read(bytes, 0);
  const header = parseHeader('segment', bytes.subarray(0, count), where);
  if (!header) throw damage(where, 0);
  return header;
}

async function readFile<T>(
  { files }: ReadingPlace,
  where: string,
  read: (file: DiskFile) => Promise<T>,
): Promise<T> {
  return files.use(where, read).catch((error: unknown) => {
    throw asLogError(error, `the history in ${where} could not be read`);
  });
}

async function withFile<T>(disk: Disk, where: string, use: (file: DiskFile) => Promise<T>): Promise<T> {
  try {
    const file = await disk.open(where, 'read');
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw asLogError(error, `the history in ${where} could not be read`);
  }
}

function damage(where: string, offset: number): LogError {
  return new LogError('corrupt', `the history in ${where} is damaged at offset ${offset}`);
}
