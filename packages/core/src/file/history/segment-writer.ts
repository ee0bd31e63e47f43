/**
 * Writes one segment of history, from front to back. Blocks become readable as soon as they are written, and durable
 * with the next sync; the index makes the segment whole and gives it its name.
 */

import * as path from 'node:path';
import { type HistoryBlock, joinSpans, spanOf } from '../../history/history-store.ts';
import type { Random } from '../../runtime/random.ts';
import type { Disk, DiskFile } from '../disk.ts';
import { createHeader, HEADER_BYTES } from '../file-header.ts';
import { sealFrame } from '../frame.ts';
import { FIRST_FRAME } from '../frame-reader.ts';
import type { KeyProvider } from '../keys.ts';
import { removeFile } from '../snapshot-file.ts';
import {
  encodeBlock,
  encodeIndex,
  finishedName,
  frameLength,
  type IndexedBlock,
  openName,
} from './events-layout.ts';

/** Where segments are made. */
export interface HistoryPlace {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: KeyProvider;
  readonly random: Random;
}

/** A segment in the making. One call at a time. */
export class HistorySegmentWriter {
  path: string;
  readonly fileKey: Uint8Array;
  readonly blocks: IndexedBlock[] = [];
  readonly #place: HistoryPlace;
  readonly #file: DiskFile;
  #offset = HEADER_BYTES;
  #counter = FIRST_FRAME.counter;
  #isNamed = false;

  private constructor(place: HistoryPlace, file: DiskFile, where: string, fileKey: Uint8Array) {
    this.#place = place;
    this.#file = file;
    this.path = where;
    this.fileKey = fileKey;
  }

  /** Begins the segment whose first record has this index. On failure nothing is left of it. */
  static async create(
    place: HistoryPlace,
    first: number,
    name = openName(first),
  ): Promise<HistorySegmentWriter> {
    const { disk, directory, keys, random } = place;
    const header = { kind: 'segment', number: first, base: first - 1, epoch: 0, discards: false } as const;
    const { bytes, fileKey } = await createHeader(header, keys, random);
    const where = path.join(directory, name);
    // A failed write may have left one that holds nothing.
    await removeFile(disk, where);
    const file = await disk.open(where, 'create');
    try {
      await file.write(bytes, 0);
    } catch (error) {
      await file.close().catch(() => {});
      await disk.unlink(where).catch(() => {});
      throw error;
    }
    return new HistorySegmentWriter(place, file, where, fileKey);
  }

  /** Bytes written. */
  get bytes(): number {
    return this.#offset;
  }

  /** Writes a block. When it rejects, the writer is of no more use but for what it wrote before. */
  async append({ records, keys }: HistoryBlock): Promise<void> {
    const place = await this.#write(encodeBlock(records, keys));
    this.blocks.push({ ...spanOf(records), place, keys });
  }

  /** Makes what was written durable, with the file's name. */
  async sync(): Promise<void> {
    await this.#file.datasync();
    if (this.#isNamed) return;
    await this.#place.disk.syncDirectory(this.#place.directory);
    this.#isNamed = true;
  }

  /** Writes the index, and gives the segment its name, durably. Resolves to the path. */
  async finish(): Promise<string> {
    const { disk, directory } = this.#place;
    const index = await this.#write(encodeIndex(this.blocks));
    await this.#file.sync();
    await this.#file.close();
    const finished = path.join(directory, finishedName({ ...joinSpans(this.blocks), index }));
    await disk.rename(this.path, finished);
    this.path = finished;
    await disk.syncDirectory(directory);
    return finished;
  }

  /** Lets go of the file as it is. */
  abandon(): Promise<void> {
    return this.#file.close();
  }

  async #write(contents: Buffer) {
    const length = frameLength(contents);
    const place = { offset: this.#offset, counter: this.#counter, length };
    const frame = Buffer.allocUnsafe(length);
    sealFrame(this.fileKey, this.#counter, contents, frame);
    await this.#file.write(frame, this.#offset);
    this.#offset += length;
    this.#counter += 1;
    return place;
  }
}
