/**
 * Opening what is on disk: chooses the snapshot, replays the segments behind it, mends a torn tail, and refuses
 * anything worse by name. What it must never do is to go on over a hole.
 *
 * The rule for damage is that of protocol-aware recovery (Alagappan et al., FAST 2018) for one writer that has one
 * sync outstanding: a bad batch with nothing behind it may be a write that a crash cut short, which nobody was told
 * of; a bad batch with an intact one behind it had been synced, so it rotted.
 */

import * as path from 'node:path';
import { type Entry, type Epoch, LogError, type LogStateMachine, type Position } from '../log/event-log.ts';
import type { Logger } from '../runtime/logger.ts';
import { type Disk, type DiskFile, isDiskFull } from './disk.ts';
import { batchRange, decodeBatch } from './entry-batch.ts';
import { HEADER_BYTES, openHeader, parseHeader, type StoredHeader } from './file-header.ts';
import { type FrameMark, FrameReader, lengthWithoutZeroes } from './frame-reader.ts';
import type { KeyProvider } from './keys.ts';
import { noteFrame, type Segment, segmentName, segmentNumber } from './segment.ts';
import { listSnapshots, readSnapshot, type StoredSnapshot } from './snapshot-file.ts';

/** What recovery needs. */
export interface RecoveryContext {
  readonly disk: Disk;
  readonly segmentDirectory: string;
  readonly snapshotDirectory: string;
  readonly keys: KeyProvider;
  readonly machine: LogStateMachine;
  readonly logger: Logger;
  /** Told of each position, as the state comes to it. */
  readonly onApplied: (position: Position) => void;
}

/** What recovery found and did. */
export interface Recovered {
  readonly segments: Segment[];
  /** Position of the snapshot that was restored; 0 if none. */
  readonly snapshotPosition: Position;
  /** Nothing that the snapshot covers may stay on disk. */
  readonly discards: boolean;
  readonly last: Position;
  /** The last epoch that began. */
  readonly epoch: Epoch;
  /** The number of the last segment that was ever seen. */
  readonly lastNumber: number;
  readonly entriesReplayed: number;
  /** Size of the segments that were replayed. */
  readonly bytesReplayed: number;
  readonly tornBytes: number;
}

interface Stored {
  readonly path: string;
  readonly header: StoredHeader;
}

/** Restores and replays everything into the machine. See the head of this file. */
export async function recover(context: RecoveryContext): Promise<Recovered> {
  // A process that was killed may have left names that are not durable, and what follows rests on them.
  for (const directory of [context.segmentDirectory, context.snapshotDirectory]) {
    await context.disk.syncDirectory(directory);
  }
  const { stored, tornBytes: tornHeader } = await listSegments(context);
  const { intact, damaged } = await listSnapshots(context.disk, context.snapshotDirectory);
  const used = await restoreNewest(context, intact, damaged, stored[0]?.header.base);
  const snapshot = used?.position ?? 0;
  const replay = new Replay(context, snapshot);
  await replay.run(await dropLeftovers(context, stored, snapshot), tornHeader > 0);
  const headers = [...stored.map(({ header }) => header), ...intact.map(({ header }) => header)];
  return {
    segments: replay.segments,
    snapshotPosition: snapshot,
    discards: used?.header.discards ?? false,
    last: replay.last,
    epoch: headers.reduce((epoch, header) => Math.max(epoch, header.epoch), 0),
    lastNumber: headers.reduce((number, header) => Math.max(number, header.number), 0),
    entriesReplayed: replay.entries,
    bytesReplayed: replay.segments.reduce((sum, { last, end }) => (last > snapshot ? sum + end : sum), 0),
    tornBytes: replay.tornBytes + tornHeader,
  };
}

async function listSegments(context: RecoveryContext): Promise<{ stored: Stored[]; tornBytes: number }> {
  const { disk, segmentDirectory } = context;
  const numbers = (await disk.list(segmentDirectory))
    .map(segmentNumber)
    .filter((number) => number !== undefined);
  numbers.sort((a, b) => a - b);
  const stored: Stored[] = [];
  let tornBytes = 0;
  for (const [index, number] of numbers.entries()) {
    const file = path.join(segmentDirectory, segmentName(number));
    const header = await withFile(disk, file, 'read', async (opened) => {
      const bytes = new Uint8Array(HEADER_BYTES);
      const count = await opened.read(bytes, 0);
      const parsed = parseHeader('segment', bytes.subarray(0, count), file);
      if (parsed?.number === number) return parsed;
      // A crash while the file was made: its header is synced before the first batch is written.
      const isLast = index === numbers.length - 1;
      const size = await opened.size();
      const rest = new Uint8Array(Math.max(0, size - HEADER_BYTES));
      await opened.read(rest, HEADER_BYTES);
      if (parsed !== undefined || !isLast || lengthWithoutZeroes(rest) > 0) {
        throw new LogError('corrupt', `segment ${file} has a damaged header at offset 0`);
      }
      tornBytes = Math.max(1, lengthWithoutZeroes(bytes.subarray(0, count)));
      return undefined;
    });
    if (header) stored.push({ path: file, header });
    else await disk.unlink(file);
  }
  if (tornBytes > 0) {
    await disk.syncDirectory(segmentDirectory);
    context.logger.warn({ bytes: tornBytes }, 'removed a segment that a crash left without a header');
  }
  return { stored, tornBytes };
}

/** Restores from the newest snapshot that is intact, as long as the segments behind it are there. */
async function restoreNewest(
  context: RecoveryContext,
  intact: readonly StoredSnapshot[],
  damaged: readonly string[],
  oldestBase: Position | undefined,
): Promise<StoredSnapshot | undefined> {
  const { disk, keys, machine, logger, onApplied } = context;
  let failure: LogError | undefined;
  for (const file of damaged)
    failure = new LogError('corrupt', `snapshot ${file} has a damaged header at offset 0`);
  for (const snapshot of [...intact].reverse()) {
    if (oldestBase !== undefined && oldestBase > snapshot.position) break;
    try {
      await machine.restore(snapshot.position, readSnapshot(disk, keys, snapshot));
      if (failure) logger.warn({ err: failure }, 'fell back on an older snapshot');
      onApplied(snapshot.position);
      return snapshot;
    } catch (error) {
      if (!(error instanceof LogError) || error.code !== 'corrupt') throw error;
      failure ??= error;
    }
  }
  const complete =
    oldestBase === 0 || (oldestBase === undefined && failure === undefined && intact.length === 0);
  if (!complete && failure) throw failure;
  if (failure) logger.warn({ err: failure }, 'no snapshot can be read: replaying from the first entry');
  return undefined;
}

/**
 * A crash amid the removal of covered segments can leave any of them. Those before a gap in the numbers are of no use
 * to anybody.
 */
async function dropLeftovers(
  { disk, segmentDirectory }: RecoveryContext,
  stored: readonly Stored[],
  snapshot: Position,
): Promise<readonly Stored[]> {
  const needed = stored.findLastIndex(({ header }) => header.base <= snapshot);
  let first = Math.max(0, needed);
  while (first > 0 && stored[first - 1]?.header.number === (stored[first]?.header.number ?? 0) - 1)
    first -= 1;
  for (const { path: file } of stored.slice(0, first)) await disk.unlink(file);
  if (first > 0) await disk.syncDirectory(segmentDirectory);
  return stored.slice(first);
}

class Replay {
  readonly segments: Segment[] = [];
  last: Position;
  entries = 0;
  tornBytes = 0;
  readonly #context: RecoveryContext;
  readonly #snapshot: Position;

  constructor(context: RecoveryContext, snapshot: Position) {
    this.#context = context;
    this.#snapshot = snapshot;
    this.last = snapshot;
  }

  async run(stored: readonly Stored[], successorWasTorn: boolean): Promise<void> {
    const [first] = stored;
    if (first === undefined) {
      if (this.#snapshot === 0) return;
      const directory = this.#context.segmentDirectory;
      throw new LogError(
        'corrupt',
        `the segments behind position ${this.#snapshot} are missing from ${directory}`,
      );
    }
    let end = first.header.base;
    if (end > this.#snapshot) throw missing(this.#snapshot, end, first.path);
    for (const [index, item] of stored.entries()) {
      const { base } = item.header;
      if (base !== end) throw missing(end, base, item.path, this.segments.at(-1)?.path);
      const next = stored[index + 1];
      const { path: file, header } = item;
      const fileKey = await openHeader(header, this.#context.keys, file);
      const segment: Segment = {
        path: file,
        number: header.number,
        base,
        fileKey,
        last: base,
        end: 0,
        marks: [],
      };
      this.segments.push(segment);
      // What a snapshot covers is not read: it is kept for readers alone.
      if (next && next.header.base <= this.#snapshot) {
        segment.last = next.header.base;
        segment.end = await withFile(this.#context.disk, file, 'read', (opened) => opened.size());
      } else await this.#replay(segment, next === undefined && !successorWasTorn);
      end = segment.last;
    }
    if (end < this.#snapshot) throw missing(end, this.#snapshot, this.segments.at(-1)?.path ?? '');
    this.last = end;
  }

  async #replay(segment: Segment, mayBeTorn: boolean): Promise<void> {
    const { disk } = this.#context;
    await withFile(disk, segment.path, 'read', async (file) => {
      const reader = new FrameReader(file, segment.fileKey);
      let before: FrameMark | undefined;
      for (;;) {
        const read = await reader.next();
        segment.end = read.at.offset;
        if (read.kind === 'frame') {
          this.#apply(segment, read.contents, read.at);
          before = read.at;
          continue;
        }
        if (read.kind === 'bad' && (read.intactBehind !== undefined || !mayBeTorn)) {
          throw corrupt(segment, read.at, 'a batch that was synced can no longer be read');
        }
        if (read.kind === 'bad') {
          this.tornBytes = read.bytes;
          const fields = { file: segment.path, offset: read.at.offset, bytes: read.bytes };
          this.#context.logger.warn(
            fields,
            'cut off a batch that a crash left half-written; it was never acknowledged',
          );
        }
        if (mayBeTorn) await this.#mend(segment, before);
        return;
      }
    });
  }

  #apply(segment: Segment, contents: Buffer, at: FrameMark): void {
    const { position, count } = batchRange(contents);
    if (count === 0) return;
    if (position !== segment.last + 1)
      throw corrupt(segment, at, `expected position ${segment.last + 1}, found ${position}`);
    noteFrame(segment, segment.last, at);
    const snapshot = this.#snapshot;
    decodeBatch(contents, (entry) => {
      if (entry.position > snapshot) this.#applyEntry(entry);
    });
    segment.last = position + count - 1;
  }

  #applyEntry(entry: Entry): void {
    try {
      this.#context.machine.apply(entry);
    } catch (error) {
      throw new LogError('io', `the state machine refused position ${entry.position}`, { cause: error });
    }
    this.entries += 1;
    this.#context.onApplied(entry.position);
  }

  /**
   * Cuts what is behind the last batch, and writes that batch once more as it is. Its sync may never have come back,
   * or have failed and left it in the page cache alone, where it reads well and is gone with the next power cut.
   */
  async #mend(segment: Segment, last: FrameMark | undefined): Promise<void> {
    await withFile(this.#context.disk, segment.path, 'update', async (file) => {
      await file.truncate(segment.end);
      if (last) {
        const frame = new Uint8Array(segment.end - last.offset);
        const count = await file.read(frame, last.offset);
        if (count !== frame.length) throw corrupt(segment, last, 'the file became shorter while it was read');
        try {
          await file.write(frame, last.offset);
        } catch (error) {
          if (!isDiskFull(error)) throw error;
        }
      }
      await file.sync();
    });
  }
}

function corrupt(segment: Segment, at: FrameMark, what: string): LogError {
  return new LogError('corrupt', `segment ${segment.path} is damaged at offset ${at.offset}: ${what}`);
}

function missing(after: Position, upTo: Position, file: string, previous?: string): LogError {
  const what =
    upTo > after
      ? `entries ${after + 1} to ${upTo} are missing before segment ${file}`
      : `segment ${file} overlaps with what is before it`;
  const where = previous === undefined ? 'offset 0' : `offset 0; the one before is ${previous}`;
  return new LogError('corrupt', `${what}, ${where}`);
}

async function withFile<T>(
  disk: Disk,
  file: string,
  mode: 'read' | 'update',
  use: (opened: DiskFile) => Promise<T>,
): Promise<T> {
  const opened = await disk.open(file, mode);
  try {
    return await use(opened);
  } finally {
    await opened.close();
  }
}
