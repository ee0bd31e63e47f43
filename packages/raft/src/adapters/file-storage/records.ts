/**
 * Log records as bytes. Entries and hard states, which are many, are packed; what is rare is JSON. A frame holds any
 * number of records, and all of them or none are there after a crash.
 *
 * Each record, little endian: kind u8, length of the rest u32, rest. Entries: first index f64, count u32, then for each
 * entry kind u8, term f64, length u32, payload.
 */

import type { Configuration, Entry, HardState } from '../../core/types.ts';
import type { LogRecord } from './log-place.ts';
import { StoredCommand } from './stored-command.ts';

const KIND = { hardState: 1, entries: 2, truncated: 3, other: 4 } as const;
const ENTRY_KIND = { command: 1, configuration: 2, empty: 3 } as const;

const RECORD_HEAD_BYTES = 5;
const ENTRIES_HEAD_BYTES = 12;
const ENTRY_HEAD_BYTES = 13;
const HARD_STATE_BYTES = 18;
const NO_VOTE = 0xffff;
const NO_BYTES = Buffer.alloc(0);

/** A record with its parts laid out, ready to be copied into a frame. */
interface Laid {
  readonly kind: number;
  readonly length: number;
  readonly write: (into: Buffer, at: number) => void;
}

/** The bytes that records take, and a function that writes them. */
export interface LaidOut {
  readonly length: number;
  writeTo(into: Buffer): void;
}

/** Lays out records as the contents of one frame. */
export function layOut(records: readonly LogRecord[]): LaidOut {
  const laid = records.map(layOutRecord);
  return {
    length: laid.reduce((sum, { length }) => sum + RECORD_HEAD_BYTES + length, 0),
    writeTo(into) {
      let at = 0;
      for (const { kind, length, write } of laid) {
        into.writeUInt8(kind, at);
        into.writeUInt32LE(length, at + 1);
        write(into, at + RECORD_HEAD_BYTES);
        at += RECORD_HEAD_BYTES + length;
      }
    },
  };
}

/** About how many bytes records take, without laying them out. */
export function estimateBytes(records: readonly LogRecord[]): number {
  let bytes = 0;
  for (const record of records) {
    bytes += 64;
    if (record.kind !== 'entries') continue;
    for (const entry of record.entries) bytes += 16 + (entry.kind === 'command' ? entry.payload.length : 64);
  }
  return bytes;
}

function layOutRecord(record: LogRecord): Laid {
  switch (record.kind) {
    case 'hard-state':
      return layOutHardState(record.hardState);
    case 'truncated':
      return { kind: KIND.truncated, length: 8, write: (into, at) => into.writeDoubleLE(record.from, at) };
    case 'entries':
      return layOutEntries(record.first, record.entries);
    default:
      return bytesRecord(KIND.other, Buffer.from(JSON.stringify(record)));
  }
}

function layOutHardState({ term, vote, commit }: HardState): Laid {
  const voteBytes = vote === undefined ? NO_BYTES : Buffer.from(vote, 'utf8');
  if (voteBytes.length >= NO_VOTE) throw new RangeError(`a member id of ${voteBytes.length} bytes`);
  return {
    kind: KIND.hardState,
    length: HARD_STATE_BYTES + voteBytes.length,
    write(into, at) {
      into.writeDoubleLE(term, at);
      into.writeDoubleLE(commit, at + 8);
      into.writeUInt16LE(vote === undefined ? NO_VOTE : voteBytes.length, at + 16);
      into.set(voteBytes, at + HARD_STATE_BYTES);
    },
  };
}

function layOutEntries(first: number, entries: readonly Entry[]): Laid {
  const bodies = entries.map(bodyOf);
  let length = ENTRIES_HEAD_BYTES;
  for (const body of bodies) length += ENTRY_HEAD_BYTES + body.length;
  return {
    kind: KIND.entries,
    length,
    write(into, start) {
      into.writeDoubleLE(first, start);
      into.writeUInt32LE(entries.length, start + 8);
      let at = start + ENTRIES_HEAD_BYTES;
      for (const [number, entry] of entries.entries()) {
        const body = bodies[number] ?? NO_BYTES;
        into[at] = ENTRY_KIND[entry.kind];
        into.writeDoubleLE(entry.term, at + 1);
        into.writeUInt32LE(body.length, at + 9);
        into.set(body, at + ENTRY_HEAD_BYTES);
        at += ENTRY_HEAD_BYTES + body.length;
      }
    },
  };
}

function bodyOf(entry: Entry): Uint8Array {
  if (entry.kind === 'command') return entry.payload;
  return entry.kind === 'empty' ? NO_BYTES : Buffer.from(JSON.stringify(entry.configuration));
}

function bytesRecord(kind: number, bytes: Buffer): Laid {
  return { kind, length: bytes.length, write: (into, at) => into.set(bytes, at) };
}

/**
 * Reads the contents of a frame back. Payloads are views of `contents`, which must not be used for anything else.
 *
 * @throws RangeError if the contents are none that {@link layOut} wrote, which under an intact seal is a fault of the
 * program and not of the disk.
 */
export function readRecords(contents: Buffer): LogRecord[] {
  const records: LogRecord[] = [];
  let at = 0;
  while (at < contents.length) {
    const kind = contents.readUInt8(at);
    const length = contents.readUInt32LE(at + 1);
    const start = at + RECORD_HEAD_BYTES;
    at = start + length;
    if (at > contents.length) throw new RangeError('a record is longer than its frame');
    records.push(readRecord(kind, contents, start, at));
  }
  return records;
}

function readRecord(kind: number, contents: Buffer, start: number, end: number): LogRecord {
  switch (kind) {
    case KIND.hardState:
      return { kind: 'hard-state', hardState: readHardState(contents, start) };
    case KIND.truncated:
      return { kind: 'truncated', from: contents.readDoubleLE(start) };
    case KIND.entries:
      return readEntries(contents, start, end);
    case KIND.other:
      return readJson(contents, start, end) as LogRecord;
    default:
      throw new RangeError(`there is no record of kind ${kind}`);
  }
}

function readHardState(contents: Buffer, start: number): HardState {
  const term = contents.readDoubleLE(start);
  const commit = contents.readDoubleLE(start + 8);
  const length = contents.readUInt16LE(start + 16);
  if (length === NO_VOTE) return { term, commit };
  const from = start + HARD_STATE_BYTES;
  return { term, vote: contents.toString('utf8', from, from + length), commit };
}

function readJson(contents: Buffer, start: number, end: number): unknown {
  try {
    return JSON.parse(contents.toString('utf8', start, end));
  } catch {
    throw new RangeError('a record is not the JSON that it should be');
  }
}

function readEntries(contents: Buffer, start: number, end: number): LogRecord {
  const first = contents.readDoubleLE(start);
  const count = contents.readUInt32LE(start + 8);
  if (count * ENTRY_HEAD_BYTES > end - start) throw new RangeError(`${count} entries are more than fit`);
  const frame = new Uint8Array(contents.buffer, contents.byteOffset, contents.byteLength);
  const entries = new Array<Entry>(count);
  let at = start + ENTRIES_HEAD_BYTES;
  for (let number = 0; number < count; number++) {
    const index = first + number;
    const kind = contents[at];
    const term = contents.readDoubleLE(at + 1);
    const length = contents.readUInt32LE(at + 9);
    const body = at + ENTRY_HEAD_BYTES;
    at = body + length;
    if (at > end) throw new RangeError('an entry is longer than its record');
    if (kind === ENTRY_KIND.command) entries[number] = new StoredCommand(index, term, frame, body, at);
    else if (kind === ENTRY_KIND.empty) entries[number] = { kind: 'empty', index, term };
    else if (kind === ENTRY_KIND.configuration) {
      const configuration = readJson(contents, body, at) as Configuration;
      entries[number] = { kind: 'configuration', index, term, configuration };
    } else throw new RangeError(`there is no entry of kind ${kind}`);
  }
  return { kind: 'entries', first, entries };
}
