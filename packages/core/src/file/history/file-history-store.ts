/**
 * History on disk: segments of sealed records and checkpoints beside them, in a directory of their own. Files are
 * written once, from front to back, and removed as a whole. It is sealed like the log, with keys from the same
 * provider, and locked like it against a second process.
 */

import * as path from 'node:path';
import type {
  CheckpointContents,
  HistoryBlock,
  HistoryCheckpoint,
  HistorySegment,
  HistoryStore,
  StoredCheckpoint,
} from '../../history/history-store.ts';
import { LogError } from '../../log/event-log.ts';
import { type Logger, silentLogger } from '../../runtime/logger.ts';
import type { Random } from '../../runtime/random.ts';
import { systemRandom } from '../../runtime/system-random.ts';
import type { Disk, DiskLock } from '../disk.ts';
import { fileKeyProvider, type KeyProvider } from '../keys.ts';
import { asLogError } from '../log-failure.ts';
import { nodeDisk } from '../node-disk.ts';
import {
  listSnapshots,
  readSnapshot,
  removeFile,
  type StoredSnapshot,
  writeSnapshot,
} from '../snapshot-file.ts';
import { parseFinishedName } from './events-layout.ts';
import { OpenFiles } from './open-files.ts';
import { readOwner, removeOwner, writeOwner } from './owner-file.ts';
import {
  type FileSegment,
  finishedSegment,
  keyIdOf,
  openSegment,
  type ReadingPlace,
  recoverSegment,
} from './segment-reader.ts';
import { type HistoryPlace, HistorySegmentWriter } from './segment-writer.ts';

const MAX_BYTES = 1024 * 1024 * 1024;
const SEGMENT_DIRECTORY = 'events';
const CHECKPOINT_DIRECTORY = 'checkpoints';
/** What was found to be of another past. Only the last one is kept. */
const ASIDE_DIRECTORY = 'replaced';

/** Options of {@link FileHistoryStore}. */
export interface FileHistoryStoreOptions {
  /** The directory to keep history in. Made if absent, open to its owner alone. One process at a time. */
  readonly dir: string;
  /** Where keys come from. Default: a random key in the file `key` in `dir`, readable by its owner alone. */
  readonly keyProvider?: KeyProvider;
  /** Source of salts. Must be fit for cryptography outside tests. Default: the system's. */
  readonly random?: Random;
  /** Told of what was mended. Default: silent. */
  readonly logger?: Logger;
  /** Default: the machine's. */
  readonly disk?: Disk;
}

interface FileCheckpoint extends StoredCheckpoint {
  readonly path: string;
  readonly bytes: number;
  readonly keyId: string;
}

/** A {@link HistoryStore} in a directory. */
export class FileHistoryStore implements HistoryStore {
  readonly defaultMaxBytes = MAX_BYTES;
  readonly #dir: string;
  readonly #segmentPlace: ReadingPlace;
  readonly #checkpointPlace: HistoryPlace;
  readonly #logger: Logger;
  readonly #closing = new AbortController();
  /** Segments that are not written any more. */
  #segments: FileSegment[] = [];
  #checkpoints: FileCheckpoint[] = [];
  #owner: string | undefined;
  #writer: HistorySegmentWriter | undefined;
  /** The key provider has another key since the writer began. */
  #isKeyReplaced = false;
  #lock: DiskLock | undefined;

  constructor({ dir, keyProvider, random = systemRandom, logger, disk = nodeDisk }: FileHistoryStoreOptions) {
    const keys = keyProvider ?? fileKeyProvider(path.join(dir, 'key'));
    this.#dir = dir;
    const files = new OpenFiles(disk);
    this.#segmentPlace = { disk, directory: path.join(dir, SEGMENT_DIRECTORY), keys, random, files };
    this.#checkpointPlace = { disk, directory: path.join(dir, CHECKPOINT_DIRECTORY), keys, random };
    this.#logger = logger ?? silentLogger;
  }

  get owner(): string | undefined {
    return this.#owner;
  }

  get bytes(): number {
    const files = [...this.#segments, ...this.#checkpoints];
    return files.reduce((sum, { bytes }) => sum + bytes, this.#writer?.bytes ?? 0);
  }

  get segments(): readonly HistorySegment[] {
    const writer = this.#writer;
    if (!writer || writer.blocks.length === 0) return this.#segments;
    return [...this.#segments, openSegment(this.#segmentPlace, writer)];
  }

  get checkpoints(): readonly StoredCheckpoint[] {
    return this.#checkpoints;
  }

  async open(): Promise<void> {
    const { disk, directory } = this.#segmentPlace;
    try {
      for (const each of [this.#dir, directory, this.#checkpointPlace.directory])
        await disk.makeDirectory(each);
      await disk.syncDirectory(this.#dir);
      this.#lock = await disk.lock(path.join(this.#dir, 'lock'));
      if (!this.#lock) {
        const message = `the history in ${this.#dir} is open already, in this process or another`;
        throw new LogError('locked', message);
      }
      // A process that was killed may have left names that are not durable, and what follows rests on them.
      for (const each of [directory, this.#checkpointPlace.directory]) await disk.syncDirectory(each);
      this.#owner = await readOwner(disk, this.#dir);
      await this.#findSegments();
      await this.#findCheckpoints();
    } catch (error) {
      await this.#lock?.release();
      this.#lock = undefined;
      throw asLogError(error, 'the history could not be opened');
    }
  }

  async append(block: HistoryBlock): Promise<void> {
    const first = block.records[0]?.index ?? 0;
    const follows = this.#writer?.blocks.at(-1)?.last === first - 1;
    if (!follows || this.#isKeyReplaced) await this.endSegment();
    this.#isKeyReplaced = false;
    this.#writer ??= await HistorySegmentWriter.create(this.#segmentPlace, first);
    try {
      await this.#writer.append(block);
    } catch (error) {
      // Part of a frame may be on the disk, and its number must not be used for another.
      await this.#setAside();
      throw error;
    }
  }

  async endSegment(): Promise<void> {
    const writer = this.#writer;
    if (!writer) return;
    try {
      const where = await writer.finish();
      const name = parseFinishedName(path.basename(where));
      this.#writer = undefined;
      if (name) this.#segments.push(finishedSegment(this.#segmentPlace, where, name));
    } catch (error) {
      await this.#setAside();
      throw error;
    }
  }

  async saveCheckpoint({ index, at, chunks }: HistoryCheckpoint): Promise<number> {
    // History has no epochs; the header's place for one holds the time.
    const about = { position: index, epoch: at, discards: false };
    const stored = await writeSnapshot(this.#checkpointPlace, about, chunks(), this.#closing.signal);
    const checkpoint = await this.#checkpoint(stored);
    this.#checkpoints = [...this.#checkpoints.filter((other) => other.index !== index), checkpoint].sort(
      (a, b) => a.index - b.index,
    );
    return checkpoint.bytes;
  }

  async forgetBefore(index: number): Promise<void> {
    const { disk, directory } = this.#segmentPlace;
    const checkpoints = this.#checkpoints.filter((checkpoint) => checkpoint.index < index);
    const segments = this.#segments.filter(({ last }) => last <= index);
    // Out of the lists first, so that nobody who comes now is sent to a file that is gone.
    this.#checkpoints = this.#checkpoints.filter((checkpoint) => checkpoint.index >= index);
    this.#segments = this.#segments.filter(({ last }) => last > index);
    for (const { path: where } of [...segments, ...checkpoints]) {
      await this.#segmentPlace.files.drop(where);
      await removeFile(disk, where);
    }
    await disk.syncDirectory(directory);
    await disk.syncDirectory(this.#checkpointPlace.directory);
  }

  async claim(owner: string): Promise<void> {
    await writeOwner(this.#segmentPlace.disk, this.#dir, owner);
    this.#owner = owner;
  }

  async beginAnew(): Promise<void> {
    const { disk, directory, files } = this.#segmentPlace;
    const writer = this.#writer;
    this.#writer = undefined;
    this.#segments = [];
    this.#checkpoints = [];
    this.#owner = undefined;
    await writer?.abandon().catch(() => {});
    await files.close();
    const aside = path.join(this.#dir, ASIDE_DIRECTORY);
    await disk.makeDirectory(aside);
    for (const name of await disk.list(aside)) await removeFile(disk, path.join(aside, name));
    for (const from of [directory, this.#checkpointPlace.directory]) {
      for (const name of await disk.list(from))
        await disk.rename(path.join(from, name), path.join(aside, name));
      await disk.syncDirectory(from);
    }
    await removeOwner(disk, this.#dir);
    await disk.syncDirectory(aside);
    await disk.syncDirectory(this.#dir);
  }

  async sync(): Promise<void> {
    await this.#writer?.sync();
  }

  /** From the next block on, all is sealed under the key that the provider gives then. */
  replaceKey(): void {
    this.#isKeyReplaced = true;
  }

  /** The ids of the keys that it takes to read what is kept. @throws LogError `io`, `corrupt` */
  async keysInUse(): Promise<ReadonlySet<string>> {
    const paths = this.#segments.map(({ path: where }) => where);
    if (this.#writer) paths.push(this.#writer.path);
    const used = new Set(this.#checkpoints.map(({ keyId }) => keyId));
    for (const where of paths) used.add(await keyIdOf(this.#segmentPlace, where));
    return used;
  }

  async close(): Promise<void> {
    this.#closing.abort(new LogError('closed', 'the history is closed'));
    const writer = this.#writer;
    this.#writer = undefined;
    await writer?.abandon();
    await this.#segmentPlace.files.close();
    await this.#lock?.release();
    this.#lock = undefined;
  }

  /** Writes no more to the present file. What is in it can be read, and it is finished at the next opening. */
  async #setAside(): Promise<void> {
    const writer = this.#writer;
    this.#writer = undefined;
    if (!writer) return;
    await writer.abandon().catch(() => {});
    if (writer.blocks.length > 0) this.#segments.push(openSegment(this.#segmentPlace, writer));
    else await removeFile(this.#segmentPlace.disk, writer.path).catch(() => {});
  }

  async #findSegments(): Promise<void> {
    const { disk, directory } = this.#segmentPlace;
    const names = new Set(await disk.list(directory));
    for (const name of names) if (name.endsWith('.tmp')) await disk.unlink(path.join(directory, name));
    for (const name of [...names].sort()) {
      if (!name.endsWith('.open')) continue;
      const recovered = await recoverSegment(this.#segmentPlace, path.join(directory, name));
      if (!recovered) continue;
      names.add(path.basename(recovered.path));
      if (!recovered.isDamaged) continue;
      this.#logger.warn({ file: recovered.path }, 'a part of the history was damaged, and is lost');
    }
    for (const name of [...names].sort()) {
      const parsed = parseFinishedName(name);
      if (parsed)
        this.#segments.push(finishedSegment(this.#segmentPlace, path.join(directory, name), parsed));
    }
  }

  async #findCheckpoints(): Promise<void> {
    const { disk, directory } = this.#checkpointPlace;
    const { intact, damaged } = await listSnapshots(disk, directory);
    for (const file of damaged) {
      this.#logger.warn({ file }, 'a checkpoint of the history is damaged, and was removed');
      await removeFile(disk, file);
    }
    this.#checkpoints = await Promise.all(intact.map((stored) => this.#checkpoint(stored)));
  }

  async #checkpoint(stored: StoredSnapshot): Promise<FileCheckpoint> {
    const { disk, keys } = this.#checkpointPlace;
    const file = await disk.open(stored.path, 'read');
    const bytes = await file.size().finally(() => file.close());
    const load = async (): Promise<CheckpointContents> => {
      return { kind: 'chunks', chunks: readSnapshot(disk, keys, stored) };
    };
    const { position, path: where, header } = stored;
    return { index: position, at: header.epoch, path: where, bytes, keyId: header.keyId, load };
  }
}
