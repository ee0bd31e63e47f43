/**
 * How a segment of history lies on disk: the header and frames of the log's own files, each frame one block of records
 * with the keys of what they touch, and a last frame, the index, with the place and the keys of every block. What the
 * segment spans and where its index is, stands in the file's name, so that opening a history reads no segment.
 *
 * A segment that is being written has the name `<first>.open` and no index yet.
 */

import type { Needle } from '../../history/contains-text.ts';
import type { HistoryRecord, Span } from '../../history/history-store.ts';
import { BATCH_HEADER_BYTES, decodeBatch, ENTRY_OVERHEAD, encodeBatch } from '../entry-batch.ts';
import { FRAME_OVERHEAD } from '../frame.ts';
import type { FrameMark } from '../frame-reader.ts';

const BLOCK = 1;
const INDEX = 2;
/** Kind and count of keys. */
const BLOCK_HEADER_BYTES = 5;
/** Kind and length of the table. */
const INDEX_HEADER_BYTES = 5;
const KEY_BYTES = 4;

/** Where a frame is. */
export interface FramePlace extends FrameMark {
  /** Length of the whole frame, in bytes. */
  readonly length: number;
}

/** A block as the index of its segment knows it. */
export interface IndexedBlock extends Span {
  readonly place: FramePlace;
  readonly keys: Uint32Array;
}

/** What the name of a finished segment tells. */
export interface SegmentName extends Span {
  readonly index: FramePlace;
}

/** A block as the contents of a frame. */
export function encodeBlock(records: readonly HistoryRecord[], keys: Uint32Array): Buffer {
  const payloads = records.reduce((sum, { payload }) => sum + payload.length + ENTRY_OVERHEAD, 0);
  const start = BLOCK_HEADER_BYTES + keys.length * KEY_BYTES;
  const contents = Buffer.allocUnsafe(start + BATCH_HEADER_BYTES + payloads);
  contents[0] = BLOCK;
  contents.writeUInt32LE(keys.length, 1);
  writeKeys(keys, contents, BLOCK_HEADER_BYTES);
  // History has no epochs and no chains; the place of a record is its index.
  const appends = records.map(({ at, payload }) => ({ append: { at, payload, epoch: 0, sequence: 0 } }));
  encodeBatch(appends, records[0]?.index ?? 0, contents.subarray(start));
  return contents;
}

/**
 * The block in a frame; undefined when it is another kind of frame.
 *
 * @param needles - leave out the records that hold none of these. Default: all are given.
 */
export function decodeBlock(
  contents: Buffer,
  needles?: readonly Needle[],
): { readonly records: HistoryRecord[]; readonly keys: Uint32Array } | undefined {
  if (contents[0] !== BLOCK) return undefined;
  const count = contents.readUInt32LE(1);
  const records: HistoryRecord[] = [];
  const batch = contents.subarray(BLOCK_HEADER_BYTES + count * KEY_BYTES);
  decodeBatch(
    batch,
    ({ position, at, payload }) => void records.push({ index: position, at, payload }),
    needles && isHeldIn(batch, needles),
  );
  return { records, keys: readKeys(contents, BLOCK_HEADER_BYTES, count) };
}

/** Whether a stretch holds one of the texts. Stretches are asked for in order, so that the bytes are searched once. */
function isHeldIn(bytes: Buffer, needles: readonly Needle[]): (start: number, end: number) => boolean {
  const searches = needles.map((needle) => ({ needle: needle.bytes, next: 0 }));
  return (start, end) => {
    for (const search of searches) {
      if (search.next < start) {
        const found = bytes.indexOf(search.needle, start);
        search.next = found === -1 ? bytes.length : found;
      }
      if (search.next + search.needle.length <= end) return true;
    }
    return false;
  };
}

/** The index of a segment as the contents of a frame. */
export function encodeIndex(blocks: readonly IndexedBlock[]): Buffer {
  const rows = blocks.map(({ first, last, oldestAt, newestAt, place, keys }) => {
    return [first, last, oldestAt, newestAt, place.offset, place.counter, place.length, keys.length];
  });
  const table = Buffer.from(JSON.stringify(rows), 'utf8');
  const keyBytes = blocks.reduce((sum, { keys }) => sum + keys.length * KEY_BYTES, 0);
  const contents = Buffer.allocUnsafe(INDEX_HEADER_BYTES + table.length + keyBytes);
  contents[0] = INDEX;
  contents.writeUInt32LE(table.length, 1);
  contents.set(table, INDEX_HEADER_BYTES);
  let at = INDEX_HEADER_BYTES + table.length;
  for (const { keys } of blocks) at = writeKeys(keys, contents, at);
  return contents;
}

/** The index in a frame; undefined when it is another kind of frame. */
export function decodeIndex(contents: Buffer): IndexedBlock[] | undefined {
  if (contents[0] !== INDEX) return undefined;
  let at = INDEX_HEADER_BYTES + contents.readUInt32LE(1);
  const rows: number[][] = JSON.parse(contents.toString('utf8', INDEX_HEADER_BYTES, at));
  return rows.map((row) => {
    const [first = 0, last = 0, oldestAt = 0, newestAt = 0, offset = 0, counter = 0, length = 0, count = 0] =
      row;
    const keys = readKeys(contents, at, count);
    at += count * KEY_BYTES;
    return { first, last, oldestAt, newestAt, place: { offset, counter, length }, keys };
  });
}

/** The name of a segment that is being written. */
export function openName(first: number): string {
  return `${padded(first)}.open`;
}

/** The name of a finished segment. */
export function finishedName({ first, last, oldestAt, newestAt, index }: SegmentName): string {
  const times = [Math.floor(oldestAt), Math.ceil(newestAt)];
  return `${[padded(first), padded(last), ...times, index.offset, index.counter, index.length].join('-')}.events`;
}

/** What a file's name tells, when it is a finished segment. */
export function parseFinishedName(name: string): SegmentName | undefined {
  const match = /^(\d{16})-(\d{16})-(\d+)-(\d+)-(\d+)-(\d+)-(\d+)\.events$/.exec(name);
  if (!match) return undefined;
  const [first = 0, last = 0, oldestAt = 0, newestAt = 0, offset = 0, counter = 0, length = 0] = match
    .slice(1)
    .map(Number);
  return { first, last, oldestAt, newestAt, index: { offset, counter, length } };
}

/** Bytes of a frame that holds `contents`. */
export function frameLength(contents: Uint8Array): number {
  return contents.length + FRAME_OVERHEAD;
}

function padded(index: number): string {
  return String(index).padStart(16, '0');
}

function writeKeys(keys: Uint32Array, into: Buffer, from: number): number {
  let at = from;
  for (const key of keys) at = into.writeUInt32LE(key, at);
  return at;
}

function readKeys(from: Buffer, offset: number, count: number): Uint32Array {
  const keys = new Uint32Array(count);
  for (let index = 0; index < count; index++) keys[index] = from.readUInt32LE(offset + index * KEY_BYTES);
  return keys;
}
