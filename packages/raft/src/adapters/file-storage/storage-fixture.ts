/** For tests: a simulated disk with storages on it, small ones, so that every rule about sizes comes into play. */

import { crc32 } from 'node:zlib';
import type { PersistBatch } from '../../core/ready.ts';
import type { Configuration, Entry, HardState, Random, SnapshotDescription } from '../../core/types.ts';
import type { RecoveredState } from '../../storage/storage.ts';
import { FileStorage } from './file-storage.ts';
import { KeyRing } from './keys.ts';
import { NonceAudit } from './nonce-audit.ts';
import type { FileStorageOptions } from './options.ts';
import { SimulatedDisk } from './simulated-disk.ts';

/** A source of numbers in [0, 1) that repeats itself for a seed (Steele and Vigna's SplitMix, in 32 bits). */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  return {
    next() {
      state = (state + 0x9e3779b9) >>> 0;
      let mixed = state;
      mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
      mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
      return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
    },
  };
}

/** A whole number from 0 to `limit` - 1. */
export function below(random: Random, limit: number): number {
  return Math.floor(random.next() * limit);
}

/** A configuration of these voters. */
export function configurationOf(...voters: string[]): Configuration {
  return {
    voters,
    outgoing: [],
    learners: [],
    learnersNext: [],
    leaveAutomatically: false,
    addresses: {},
    removed: [],
  };
}

/** A command entry with a payload of text. */
export function command(index: number, term: number, text = `${term}:${index}`): Entry {
  return { kind: 'command', index, term, payload: new TextEncoder().encode(text) };
}

/** Commands of one term, from `first` to `last`. */
export function commands(first: number, last: number, term = 1): Entry[] {
  return Array.from({ length: last - first + 1 }, (_, at) => command(first + at, term));
}

/** A batch without messages. */
export function batchOf(
  sequence: number,
  { hardState, snapshot, entries = [] }: Partial<Omit<PersistBatch, 'sequence' | 'messages'>>,
): PersistBatch {
  return {
    sequence,
    entries,
    messages: [],
    ...(hardState === undefined ? {} : { hardState }),
    ...(snapshot === undefined ? {} : { snapshot }),
  };
}

/** A hard state. */
export function hardState(term: number, commit = 0, vote?: string): HardState {
  return { term, commit, ...(vote === undefined ? {} : { vote }) };
}

/** What a snapshot stands for. */
export function description(index: number, term = 1): SnapshotDescription {
  return { index, term, configuration: configurationOf('a', 'b', 'c') };
}

/** Writes and completes a snapshot. */
export async function writeSnapshot(
  storage: FileStorage,
  snapshot: SnapshotDescription,
  ...chunks: Uint8Array[]
): Promise<void> {
  const writer = storage.writeSnapshot(snapshot);
  for (const chunk of chunks) await writer.write(chunk);
  await writer.complete();
}

/** All bytes of a stream. */
export async function bytesOf(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return new Uint8Array(Buffer.concat(chunks));
}

/** An entry as plain data, which can be compared with another. */
export function plainEntry(entry: Entry): Entry {
  if (entry.kind !== 'command') return entry;
  const { kind, index, term, payload } = entry;
  return { kind, index, term, payload };
}

/** A storage that gives what it finds as plain data. */
class PlainStorage extends FileStorage {
  override async open(): Promise<RecoveredState> {
    const recovered = await super.open();
    const { stored } = recovered;
    return { ...recovered, stored: { ...stored, entries: stored.entries.map(plainEntry) } };
  }
}

/** A simulated disk, keys, and an eye on every nonce. */
export class StorageFixture {
  readonly directory = '/member';
  readonly random: Random;
  readonly keys: KeyRing;
  readonly audit = new NonceAudit();
  disk: SimulatedDisk;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.disk = new SimulatedDisk(this.random);
    this.keys = new KeyRing({ id: 'first', key: this.bytes(32) }, (length) => this.bytes(length));
  }

  bytes(length: number): Uint8Array {
    return Uint8Array.from({ length }, () => below(this.random, 256));
  }

  /** A storage that is not open yet. */
  storage(options: Partial<FileStorageOptions> = {}): FileStorage {
    return new PlainStorage({
      directory: this.directory,
      keys: this.keys,
      disk: this.audit.watch(this.disk),
      segmentBytes: 4096,
      preallocateBytes: 700,
      randomBytes: (length) => this.bytes(length),
      yieldTurn: () => Promise.resolve(),
      ...options,
    });
  }

  /** A storage that is open. */
  async opened(options: Partial<FileStorageOptions> = {}): Promise<FileStorage> {
    const storage = this.storage(options);
    await storage.open();
    return storage;
  }

  /** Makes a file one of a newer version, by its header. */
  makeNewer(path: string): void {
    const newer = Buffer.from(this.disk.contents(path));
    newer.writeUInt16LE(newer.readUInt16LE(8) + 1, 8);
    newer.writeUInt32LE(crc32(newer.subarray(0, 1020)), 1020);
    this.disk.replace(path, newer);
  }

  /** Paths of the log's segments, oldest first. */
  get segments(): string[] {
    return this.disk.paths().filter((path) => path.endsWith('.wal'));
  }

  /** Paths of complete snapshots. */
  get snapshots(): string[] {
    return this.disk.paths().filter((path) => path.endsWith('.snapshot'));
  }
}
