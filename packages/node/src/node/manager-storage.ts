/**
 * A manager's part of Raft on its disk: the file storage, with what a running node can't be asked for. It remembers
 * which snapshot is the newest, so that a backup can read it, and holds the keys that the log's keys are wrapped under.
 */

import type {
  MemberId,
  PersistBatch,
  RaftStorage,
  RecoveredState,
  SnapshotDescription,
  SnapshotWriter,
} from '@skep/raft';
import { configurationOf, forceNewClusterOn } from '@skep/raft';
import { FileStorage, KeyRing } from '@skep/raft/file-storage';
import { NodeError } from '../errors.ts';
import type { RaftKey } from '../state-directory/state-directory.ts';

/** What a manager's storage is made of. */
export interface ManagerStorageParts {
  readonly directory: string;
  /** Key-encryption keys, the present one last. Not empty. */
  readonly keys: readonly RaftKey[];
}

/** The storage of a running manager. */
export class ManagerStorage implements RaftStorage {
  readonly #inner: FileStorage;
  readonly #ring: KeyRing;
  #newest: SnapshotDescription | undefined;

  constructor(parts: ManagerStorageParts) {
    const { storage, ring } = fileStorage(parts);
    this.#inner = storage;
    this.#ring = ring;
  }

  async open(): Promise<RecoveredState> {
    const recovered = await this.#inner.open();
    this.#newest = recovered.stored.snapshot;
    return recovered;
  }

  async persist(batch: PersistBatch): Promise<void> {
    await this.#inner.persist(batch);
    this.#newest = batch.snapshot ?? this.#newest;
  }

  writeSnapshot(snapshot: SnapshotDescription): SnapshotWriter {
    return this.#inner.writeSnapshot(snapshot);
  }

  readSnapshot(snapshot: SnapshotDescription): AsyncIterable<Uint8Array> {
    return this.#inner.readSnapshot(snapshot);
  }

  async compact(snapshot: SnapshotDescription, keepFrom: number): Promise<void> {
    await this.#inner.compact(snapshot, keepFrom);
    this.#newest = snapshot;
  }

  close(): Promise<void> {
    return this.#inner.close();
  }

  /** The newest snapshot with its bytes. @throws NodeError `BUSY` if there is none. */
  newestSnapshot(): { readonly snapshot: SnapshotDescription; readonly chunks: AsyncIterable<Uint8Array> } {
    const snapshot = this.#newest;
    if (snapshot === undefined || snapshot.index === 0)
      throw new NodeError('BUSY', 'there is no snapshot yet');
    return { snapshot, chunks: this.#inner.readSnapshot(snapshot) };
  }

  /** From here on everything new is sealed under this key. */
  async goOverTo(key: RaftKey): Promise<void> {
    this.#ring.add(key);
    await this.#inner.rotateKey();
  }

  /** Keys that files are still sealed under. @throws NodeError `CLOSED` */
  get keysInUse(): ReadonlySet<string> {
    const { status } = this.#inner;
    if (status === undefined) throw new NodeError('CLOSED', 'the storage is not open');
    return new Set(status.keyIds);
  }
}

/** Makes a stopped manager the only member of its cluster. See `forceNewClusterOn` of `@skep/raft`. */
export async function makeOnlyMember(parts: ManagerStorageParts, member: MemberId): Promise<void> {
  await forceNewClusterOn(fileStorage(parts).storage, member);
}

/** A snapshot as a backup has it. */
export interface KeptSnapshot {
  readonly index: number;
  readonly term: number;
  readonly chunks: AsyncIterable<Uint8Array>;
}

/** Fills an empty storage from a backup, with one member. */
export async function fillStorage(
  parts: ManagerStorageParts,
  member: { readonly id: MemberId; readonly address: string },
  { index, term, chunks }: KeptSnapshot,
): Promise<void> {
  const { storage } = fileStorage(parts);
  const configuration = configurationOf([member.id], [], { [member.id]: member.address });
  const snapshot: SnapshotDescription = { index, term, configuration };
  try {
    await storage.open();
    const writer = storage.writeSnapshot(snapshot);
    for await (const chunk of chunks) await writer.write(chunk);
    await writer.complete();
    const hardState = { term, commit: index };
    await storage.persist({ sequence: 1, hardState, snapshot, entries: [], messages: [] });
  } finally {
    await storage.close();
  }
}

function fileStorage({ directory, keys }: ManagerStorageParts): { storage: FileStorage; ring: KeyRing } {
  const [first, ...others] = keys;
  if (first === undefined) throw new NodeError('STATE_UNREADABLE', 'there is no key for the log');
  const ring = new KeyRing(first);
  for (const key of others) ring.add(key);
  return { storage: new FileStorage({ directory, keys: ring }), ring };
}
