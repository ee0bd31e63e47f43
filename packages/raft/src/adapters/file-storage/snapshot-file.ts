/**
 * One snapshot as a file: a header, a frame that says what the snapshot is, chunks, and a last frame that counts them.
 * A file without that last frame is no snapshot, but its chunks up to the damage can be used to go on.
 */

import type { SnapshotDescription } from '../../core/types.ts';
import { type Disk, type DiskFile, withFile } from './disk.ts';
import { corrupt } from './errors.ts';
import { HEADER_BYTES, makeHeader, type OpenedHeader, openHeader } from './file-header.ts';
import { FRAME_KIND, FRAME_OVERHEAD, sealFrame } from './frame.ts';
import { FrameReader } from './frame-reader.ts';
import type { DataKeys } from './keys.ts';
import { readStart } from './wal.ts';

/** Larger chunks are cut, so that sealing one does not hold up the event loop. */
const CHUNK_BYTES_MAX = 1024 * 1024;

/** Synced this often while it is written, so that the log's own syncs never queue behind a long one. */
const SYNC_EVERY_BYTES = 8 * 1024 * 1024;

const TRAILER_BYTES = 16;

/** The first frame of a snapshot. */
export interface SnapshotTitle {
  readonly description: SnapshotDescription;
  /** Names the stream that the bytes come from, if they are received. */
  readonly source?: string;
}

/** Writes a snapshot's file from front to back. The caller sees to its name. */
export class SnapshotFileWriter {
  /** The key-encryption key that it is made under. */
  readonly keyId: string;
  readonly #file: DiskFile;
  readonly #key: Uint8Array;
  #frames = 0;
  #chunks = 0;
  #bytes = 0;
  #end: number;
  #synced = 0;
  #frame = Buffer.alloc(0);

  private constructor(file: DiskFile, { keyId, fileKey }: OpenedHeader) {
    this.keyId = keyId;
    this.#file = file;
    this.#key = fileKey;
    this.#end = HEADER_BYTES;
  }

  static async create(
    disk: Disk,
    path: string,
    keys: DataKeys,
    title: SnapshotTitle,
  ): Promise<SnapshotFileWriter> {
    const header = await makeHeader({ kind: 'snapshot', number: 0 }, keys);
    const file = await disk.open(path, 'create');
    const writer = new SnapshotFileWriter(file, header);
    try {
      await file.write(header.bytes, 0);
      await writer.#put(FRAME_KIND.description, Buffer.from(JSON.stringify(title)));
    } catch (error) {
      await file.close().catch(() => {});
      throw error;
    }
    return writer;
  }

  /** Bytes of the snapshot so far. */
  get bytes(): number {
    return this.#bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let at = 0; at < chunk.length; at += CHUNK_BYTES_MAX) {
      const part = chunk.subarray(at, at + CHUNK_BYTES_MAX);
      await this.#put(FRAME_KIND.chunk, part);
      this.#chunks += 1;
      this.#bytes += part.length;
    }
    if (this.#end - this.#synced < SYNC_EVERY_BYTES) return;
    this.#synced = this.#end;
    await this.#file.datasync();
  }

  /** Ends the file; it is durable, under the name that it has, once this resolves to its size. */
  async finish(): Promise<number> {
    const trailer = Buffer.alloc(TRAILER_BYTES);
    trailer.writeDoubleLE(this.#chunks, 0);
    trailer.writeDoubleLE(this.#bytes, 8);
    await this.#put(FRAME_KIND.trailer, trailer);
    await this.#file.sync();
    return this.#end;
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #put(kind: number, contents: Uint8Array): Promise<void> {
    const needed = contents.length + FRAME_OVERHEAD;
    if (this.#frame.length < needed) this.#frame = Buffer.allocUnsafe(needed);
    this.#frames += 1;
    const length = sealFrame(this.#key, { counter: this.#frames, kind }, contents, this.#frame);
    await this.#file.write(this.#frame.subarray(0, length), this.#end);
    this.#end += length;
  }
}

/** A snapshot's file whose first frame was read. */
export interface OpenedSnapshot {
  readonly title: SnapshotTitle;
  readonly keyId: string;
  readonly fileKey: Uint8Array;
  readonly fileBytes: number;
}

/** @throws FileStorageError `corrupt`, `wrong-key`, `key-unavailable`, `unsupported-version`. */
export async function openSnapshot(disk: Disk, path: string, keys: DataKeys): Promise<OpenedSnapshot> {
  const stored = await readStart(disk, path, HEADER_BYTES);
  const header = await openHeader({ kind: 'snapshot', number: 0 }, stored, keys, path);
  return withFile(disk, path, 'read', async (file) => {
    const read = await new FrameReader(file, header.fileKey).next();
    if (read.kind !== 'frame' || read.frameKind !== FRAME_KIND.description || read.contents === undefined) {
      throw corrupt(path, HEADER_BYTES, 'what it says of itself can no longer be read');
    }
    const title = JSON.parse(read.contents.toString('utf8')) as SnapshotTitle;
    return { title, keyId: header.keyId, fileKey: header.fileKey, fileBytes: await file.size() };
  });
}

/**
 * Streams the bytes of a complete snapshot, checking them on the way.
 *
 * @param from - how many bytes to leave out at the front. Whole chunks of them are not read, and not checked.
 * @throws FileStorageError `corrupt` as soon as anything is not as it was written, at the latest behind the last chunk.
 */
export async function* readChunks(
  disk: Disk,
  path: string,
  fileKey: Uint8Array,
  from = 0,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await disk.open(path, 'read');
  try {
    const reader = new FrameReader(file, fileKey);
    const isBefore = (kind: number, length: number) => kind === FRAME_KIND.chunk && bytes + length <= from;
    let chunks = 0;
    let bytes = 0;
    for (;;) {
      const read = await reader.next(isBefore);
      if (read.kind !== 'frame')
        throw corrupt(path, read.offset, 'it ends too early, or can no longer be read');
      const { contents, frameKind, offset } = read;
      if (frameKind === FRAME_KIND.chunk) {
        const skipped = Math.max(0, from - bytes);
        chunks += 1;
        bytes += read.length;
        if (contents !== undefined) yield contents.subarray(skipped);
      } else if (frameKind === FRAME_KIND.trailer && contents !== undefined) {
        const isWhole = contents.readDoubleLE(0) === chunks && contents.readDoubleLE(8) === bytes;
        if (isWhole && (await reader.next()).kind === 'end') return;
        throw corrupt(path, offset, 'it does not hold what its last frame counts');
      }
    }
  } finally {
    await file.close();
  }
}

/** Streams the chunks of a file that may end anywhere, up to the first that can't be read. */
export async function* readIntactChunks(
  disk: Disk,
  path: string,
  fileKey: Uint8Array,
): AsyncGenerator<Uint8Array, void, undefined> {
  const file = await disk.open(path, 'read');
  try {
    const reader = new FrameReader(file, fileKey);
    for (let read = await reader.next(); read.kind === 'frame'; read = await reader.next()) {
      if (read.frameKind === FRAME_KIND.chunk && read.contents !== undefined) yield read.contents;
    }
  } finally {
    await file.close();
  }
}
