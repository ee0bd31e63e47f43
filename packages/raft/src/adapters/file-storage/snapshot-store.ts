/**
 * The snapshots of a storage: those being written, those complete and waiting to be made the newest, and the newest.
 * Which one is the newest is for the log to say; a file by itself never is.
 */

import * as path from 'node:path';
import type { SnapshotDescription } from '../../core/types.ts';
import type { ResumableSnapshotWriter } from '../../storage/storage.ts';
import type { Disk } from './disk.ts';
import { corrupt, FileStorageError, systemCode } from './errors.ts';
import type { DataKeys } from './keys.ts';
import type { SnapshotReference } from './log-place.ts';
import {
  openSnapshot,
  readChunks,
  readIntactChunks,
  SnapshotFileWriter,
  type SnapshotTitle,
} from './snapshot-file.ts';
import { FileSnapshotWriter } from './snapshot-writer.ts';
import { removeFile } from './wal.ts';

const PARTIAL = '.partial';
const COMPLETE = '.snapshot';

/** What the store is built of. */
export interface SnapshotStoreParts {
  readonly disk: Disk;
  readonly directory: string;
  readonly keys: DataKeys;
  readonly randomBytes: (length: number) => Uint8Array;
  /** Throws once nothing may be written any more. */
  readonly check: () => void;
  /** Makes an error the storage's own, and ends the storage if it has to. */
  readonly failed: (error: unknown, doing: string) => FileStorageError;
}

/** A file of a snapshot that was left half-received. */
interface Suspended {
  readonly path: string;
  readonly title: SnapshotTitle;
}

/** Keeps snapshots in a directory. */
export class SnapshotStore {
  readonly #parts: SnapshotStoreParts;
  readonly #complete = new Map<string, SnapshotReference>();
  /** The key-encryption key of each file. */
  readonly #keyIds = new Map<string, string>();
  #suspended: Suspended[] = [];
  #newest: SnapshotReference | undefined;

  constructor(parts: SnapshotStoreParts) {
    this.#parts = parts;
  }

  /** Ids of the key-encryption keys that files here were made under. */
  get keyIds(): Iterable<string> {
    return this.#keyIds.values();
  }

  /**
   * Checks the newest snapshot, as far as can be done without reading all of it, and removes what nobody needs.
   *
   * @throws FileStorageError `corrupt`, `wrong-key`, `key-unavailable`, `unsupported-version`.
   */
  async recover(newest: SnapshotReference | undefined): Promise<void> {
    const { disk, directory } = this.#parts;
    this.#newest = newest;
    const names = await disk.list(directory);
    if (newest?.file !== undefined) await this.#check(newest, newest.file, names);
    let isChanged = false;
    for (const name of names) {
      if (name === newest?.file || !(name.endsWith(PARTIAL) || name.endsWith(COMPLETE))) continue;
      const file = path.join(directory, name);
      const title = await this.#titleOf(file);
      const isWanted =
        title?.source !== undefined && title.description.index > (newest?.description.index ?? -1);
      if (isWanted) this.#suspended.push({ path: file, title });
      else {
        await this.#remove(file);
        isChanged = true;
      }
    }
    if (isChanged) await disk.syncDirectory(directory);
  }

  /** Begins to write a snapshot. */
  write(description: SnapshotDescription): ResumableSnapshotWriter {
    return this.#writer({ description });
  }

  /** Takes up the snapshot of that description from that source, or begins it. What others left is removed. */
  async resume(description: SnapshotDescription, source: string): Promise<ResumableSnapshotWriter> {
    const { disk, keys } = this.#parts;
    const title: SnapshotTitle = { description, source };
    const suspended = this.#suspended;
    this.#suspended = [];
    const found = suspended.find((each) => JSON.stringify(each.title) === JSON.stringify(title));
    const target = this.#fileName(description);
    let file: SnapshotFileWriter | undefined;
    try {
      if (found !== undefined) {
        // Copied, not continued: a counter that a torn end has used must not be used again under its key.
        const { fileKey } = await openSnapshot(disk, found.path, keys);
        file = await this.#create(target, title);
        for await (const chunk of readIntactChunks(disk, found.path, fileKey)) await file.write(chunk);
      }
      for (const each of suspended) await this.#remove(each.path);
    } catch (error) {
      await file?.close().catch(() => {});
      throw this.#parts.failed(error, 'a snapshot could not be taken up again');
    }
    return this.#writer(title, target, file);
  }

  /** The file of a snapshot that was completed. @throws FileStorageError `snapshot-missing`. */
  find(description: SnapshotDescription): SnapshotReference {
    const found = this.#complete.get(placeOf(description));
    if (found !== undefined) return { ...found, description };
    // A new cluster begins with a snapshot of nothing: it has members and no bytes.
    if (description.index === 0) return { description, fileBytes: 0 };
    throw missing(description, 'was never completed here');
  }

  /**
   * The log says that this one is the newest.
   *
   * @returns the files whose place it takes, for {@link SnapshotStore.removeFiles}.
   */
  adopt(reference: SnapshotReference): readonly string[] {
    const obsolete: string[] = [];
    if (this.#newest?.file !== undefined && this.#newest.file !== reference.file) {
      obsolete.push(this.#newest.file);
    }
    this.#newest = reference;
    // What was left half-way and is older now will never be taken up.
    const isStale = ({ title }: Suspended) => title.description.index <= reference.description.index;
    obsolete.push(...this.#suspended.filter(isStale).map((each) => path.basename(each.path)));
    this.#suspended = this.#suspended.filter((each) => !isStale(each));
    for (const [place, { description, file }] of this.#complete) {
      if (description.index > reference.description.index) continue;
      this.#complete.delete(place);
      if (file !== undefined && file !== reference.file) obsolete.push(file);
    }
    return obsolete;
  }

  /** Removes files of the directory, durably. */
  async removeFiles(names: readonly string[]): Promise<void> {
    const { directory, disk } = this.#parts;
    for (const name of names) await this.#remove(path.join(directory, name));
    if (names.length > 0) await disk.syncDirectory(directory);
  }

  /**
   * Forgets a completed snapshot that came too late to be the newest.
   *
   * @returns its file, for {@link SnapshotStore.removeFiles}.
   */
  drop(description: SnapshotDescription): readonly string[] {
    const file = this.#complete.get(placeOf(description))?.file;
    this.#complete.delete(placeOf(description));
    return file === undefined ? [] : [file];
  }

  /** Streams the newest snapshot. @throws FileStorageError `snapshot-missing`, `corrupt` and others. */
  async *read(description: SnapshotDescription, from: number): AsyncGenerator<Uint8Array, void, undefined> {
    const { disk, keys, directory } = this.#parts;
    const newest = this.#newest;
    if (newest === undefined || placeOf(newest.description) !== placeOf(description)) {
      throw missing(description, 'is not the newest');
    }
    if (newest.file === undefined) return;
    const file = path.join(directory, newest.file);
    try {
      const { fileKey } = await openSnapshot(disk, file, keys);
      yield* readChunks(disk, file, fileKey, from);
    } catch (error) {
      if (systemCode(error) === 'ENOENT') throw missing(description, 'was replaced by a newer one');
      if (error instanceof FileStorageError) throw error;
      throw new FileStorageError('failed', `${file} can't be read`, { cause: error });
    }
  }

  async #check(newest: SnapshotReference, name: string, names: readonly string[]): Promise<void> {
    const { disk, directory, keys } = this.#parts;
    const file = path.join(directory, name);
    if (!names.includes(name)) throw corrupt(file, 0, 'the log refers to it, and it is not there');
    const opened = await openSnapshot(disk, file, keys);
    if (opened.fileBytes !== newest.fileBytes) {
      const at = Math.min(opened.fileBytes, newest.fileBytes);
      throw corrupt(file, at, `it has ${opened.fileBytes} bytes and had ${newest.fileBytes}`);
    }
    if (placeOf(opened.title.description) !== placeOf(newest.description)) {
      throw corrupt(file, 0, 'it is another snapshot than the log says');
    }
    this.#keyIds.set(file, opened.keyId);
  }

  async #titleOf(file: string): Promise<SnapshotTitle | undefined> {
    try {
      const { title, keyId } = await openSnapshot(this.#parts.disk, file, this.#parts.keys);
      this.#keyIds.set(file, keyId);
      return title;
    } catch (error) {
      // Half a snapshot that can't be read was never acknowledged: it is only in the way.
      if (error instanceof FileStorageError && error.code !== 'key-unavailable') return undefined;
      throw error;
    }
  }

  #writer(title: SnapshotTitle, target = this.#fileName(title.description), file?: SnapshotFileWriter) {
    const { disk, directory, check, failed } = this.#parts;
    const partial = path.join(directory, target + PARTIAL);
    const { description } = title;
    return new FileSnapshotWriter(
      {
        check,
        create: () => this.#create(target, title),
        complete: async (fileBytes) => {
          const name = target + COMPLETE;
          const complete = path.join(directory, name);
          await disk.rename(partial, complete);
          await disk.syncDirectory(directory);
          const keyId = this.#keyIds.get(partial);
          this.#keyIds.delete(partial);
          if (keyId !== undefined) this.#keyIds.set(complete, keyId);
          // Of two that say the same the first stays: the log may be about to refer to it.
          if (this.#complete.has(placeOf(description))) await this.#remove(complete);
          else this.#complete.set(placeOf(description), { description, file: name, fileBytes });
        },
        discard: () => this.#remove(partial),
        suspend: async () => {
          if (this.#keyIds.has(partial)) this.#suspended.push({ path: partial, title });
        },
        failed: (error) => failed(error, `the snapshot at ${description.index} could not be written`),
      },
      file,
    );
  }

  async #create(target: string, title: SnapshotTitle): Promise<SnapshotFileWriter> {
    const { disk, directory, keys } = this.#parts;
    const partial = path.join(directory, target + PARTIAL);
    const writer = await SnapshotFileWriter.create(disk, partial, keys, title);
    this.#keyIds.set(partial, writer.keyId);
    return writer;
  }

  async #remove(file: string): Promise<void> {
    await removeFile(this.#parts.disk, file);
    this.#keyIds.delete(file);
  }

  #fileName({ index, term }: SnapshotDescription): string {
    const unique = Buffer.from(this.#parts.randomBytes(6)).toString('hex');
    return `${String(index).padStart(16, '0')}-${String(term).padStart(16, '0')}-${unique}`;
  }
}

function placeOf({ index, term }: SnapshotDescription): string {
  return `${index}/${term}`;
}

function missing({ index, term }: SnapshotDescription, why: string): FileStorageError {
  return new FileStorageError('snapshot-missing', `the snapshot at ${index} of term ${term} ${why}`);
}
