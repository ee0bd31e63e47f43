/**
 * Snapshots on disk: written aside, synced, renamed into place, and sealed in frames like segments, with a last frame
 * that counts the ones before it. A snapshot without that frame is none.
 */

import * as path from 'node:path';
import { type Epoch, LogError, type Position } from '../log/event-log.ts';
import type { Random } from '../runtime/random.ts';
import { type Disk, type DiskFile, errorCode } from './disk.ts';
import { createHeader, HEADER_BYTES, openHeader, parseHeader, type StoredHeader } from './file-header.ts';
import { FRAME_OVERHEAD, sealFrame } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { KeyProvider } from './keys.ts';

/** Larger chunks of a state machine are cut, so that sealing one blocks the event loop for less than 1 ms. */
const MAX_CHUNK_BYTES = 1024 * 1024;

/** Synced this often while writing, so that the last sync, which appends must queue behind, stays short. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;

const TEMPORARY = '.tmp';
const CHUNK = 1;
const TRAILER = 2;
const TRAILER_BYTES = 17;

/** A snapshot that is on disk. */
export interface StoredSnapshot {
  readonly path: string;
  readonly position: Position;
  readonly header: StoredHeader;
}

/** Where snapshots are kept. */
export interface SnapshotPlace {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: KeyProvider;
  readonly random: Random;
}

/** Writes the snapshot at `position`. Durable with its name once this resolves; nothing is left of it if it rejects. */
export async function writeSnapshot(
  place: SnapshotPlace,
  about: { readonly position: Position; readonly epoch: Epoch; readonly discards: boolean },
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<StoredSnapshot> {
  const { disk, directory } = place;
  const target = path.join(directory, `${String(about.position).padStart(16, '0')}.snapshot`);
  const temporary = `${target}${TEMPORARY}`;
  const { position, epoch, discards } = about;
  const header = { kind: 'snapshot', number: 0, base: position, epoch, discards } as const;
  const { bytes, fileKey } = await createHeader(header, place.keys, place.random);
  const file = await disk.open(temporary, 'create');
  let open = true;
  try {
    await writeFrames(file, bytes, fileKey, chunks, signal);
    await file.sync();
    await file.close();
    open = false;
    await disk.rename(temporary, target);
  } catch (error) {
    if (open) await file.close().catch(() => {});
    await disk.unlink(temporary).catch(() => {});
    throw error;
  }
  await disk.syncDirectory(directory);
  const stored = parseHeader('snapshot', bytes, target);
  if (stored === undefined) throw new LogError('io', `the header of ${target} was damaged in memory`);
  return { path: target, position, header: stored };
}

async function writeFrames(
  file: DiskFile,
  header: Uint8Array,
  fileKey: Uint8Array,
  chunks: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await file.write(header, 0);
  let offset = HEADER_BYTES;
  let synced = 0;
  let counter = 0;
  let total = 0;
  let frame = Buffer.alloc(0);
  const put = async (contents: Uint8Array) => {
    signal.throwIfAborted();
    if (frame.length < contents.length + FRAME_OVERHEAD) {
      frame = Buffer.allocUnsafe(contents.length + FRAME_OVERHEAD);
    }
    counter += 1;
    const length = sealFrame(fileKey, counter, contents, frame);
    await file.write(frame.subarray(0, length), offset);
    offset += length;
    if (offset - synced < SYNC_EVERY_BYTES) return;
    synced = offset;
    await file.datasync();
  };
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length; at += MAX_CHUNK_BYTES) {
      const part = chunk.subarray(at, at + MAX_CHUNK_BYTES);
      const contents = Buffer.allocUnsafe(part.length + 1);
      contents[0] = CHUNK;
      contents.set(part, 1);
      total += part.length;
      await put(contents);
    }
  }
  const trailer = Buffer.alloc(TRAILER_BYTES);
  trailer[0] = TRAILER;
  trailer.writeDoubleLE(counter, 1);
  trailer.writeDoubleLE(total, 9);
  await put(trailer);
}

/**
 * Streams what a snapshot holds, checking it on the way.
 *
 * @throws LogError `corrupt` as soon as anything is not as it was written, at the latest behind the last chunk.
 */
export async function* readSnapshot(
  disk: Disk,
  keys: KeyProvider,
  snapshot: StoredSnapshot,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fileKey = await openHeader(snapshot.header, keys, snapshot.path);
  const file = await disk.open(snapshot.path, 'read');
  try {
    const reader = new FrameReader(file, fileKey);
    let chunks = 0;
    let total = 0;
    for (;;) {
      const read = await reader.next();
      const { offset } = read.at;
      if (read.kind !== 'frame') {
        throw new LogError(
          'corrupt',
          `snapshot ${snapshot.path} is damaged or ends too early at offset ${offset}`,
        );
      }
      const { contents } = read;
      if (contents[0] === CHUNK) {
        chunks += 1;
        total += contents.length - 1;
        yield contents.subarray(1);
        continue;
      }
      const complete =
        contents.length === TRAILER_BYTES &&
        contents[0] === TRAILER &&
        contents.readDoubleLE(1) === chunks &&
        contents.readDoubleLE(9) === total &&
        (await reader.next()).kind === 'end';
      if (complete) return;
      throw new LogError(
        'corrupt',
        `snapshot ${snapshot.path} does not hold what its last frame says, at offset ${offset}`,
      );
    }
  } finally {
    await file.close();
  }
}

/**
 * Lists the snapshots in a directory, oldest first, and removes what was left half-written.
 *
 * @returns also those whose header is damaged: they count as corrupt, not as absent.
 */
export async function listSnapshots(
  disk: Disk,
  directory: string,
): Promise<{ readonly intact: StoredSnapshot[]; readonly damaged: readonly string[] }> {
  const intact: StoredSnapshot[] = [];
  const damaged: string[] = [];
  for (const name of (await disk.list(directory)).sort()) {
    const file = path.join(directory, name);
    if (name.endsWith(TEMPORARY)) await disk.unlink(file);
    if (!/^\d{16}\.snapshot$/.test(name)) continue;
    const header = await readHeader(disk, file);
    if (header && header.base === Number.parseInt(name, 10)) {
      intact.push({ path: file, position: header.base, header });
    } else damaged.push(file);
  }
  return { intact, damaged };
}

async function readHeader(disk: Disk, file: string): Promise<StoredHeader | undefined> {
  const opened = await disk.open(file, 'read');
  try {
    const bytes = new Uint8Array(HEADER_BYTES);
    const count = await opened.read(bytes, 0);
    return parseHeader('snapshot', bytes.subarray(0, count), file);
  } finally {
    await opened.close();
  }
}

/** Removes a file that may be gone already. */
export async function removeFile(disk: Disk, file: string): Promise<void> {
  try {
    await disk.unlink(file);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}
