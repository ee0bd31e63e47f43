/**
 * A manager's keys on its disk, under autolock. While it is on, the private key and the keys of the log are sealed under
 * the unlock key, which is in the replicated record. When it is turned on, what was on the disk in clear is replaced by
 * new keys; when the unlock key is rotated, each manager seals anew as it sees the change.
 *
 * It may end between any two writes: what is on the disk then opens with one of the two unlock keys, and says what is
 * left to do, so that the next start does it.
 */

import type { Random } from '@skep/core';
import type { RaftKey, StateDirectory, UnlockKeys } from '../state-directory/state-directory.ts';
import type { KeyRings } from './key-rings.ts';

/** What a key keeper does on the disk. */
export type KeyFiles = Pick<StateDirectory, 'readRaftKeys' | 'writeRaftKeys' | 'resealIdentity'>;

/** What a key keeper works with. */
export interface KeyKeeperParts {
  readonly directory: KeyFiles;
  readonly random: Random;
  /** The key that what is on the disk is sealed under now. */
  readonly unlockKey: Uint8Array | undefined;
}

/** What is sealed with the keys, and how their place is taken by others. */
export interface SealedParts {
  readonly rings: Pick<KeyRings, 'logKeysInUse' | 'keysInUse' | 'goOverTo'>;
  /** Gets the node a certificate of a new private key. */
  readonly renewCertificate: () => Promise<void>;
}

const KEY_BYTES = 32;

/** Keeps a node's keys. */
export class KeyKeeper {
  readonly #parts: KeyKeeperParts;
  #unlockKey: Uint8Array | undefined;
  /** One of them opens what is on the disk. */
  #openers: UnlockKeys;
  /** What is on the disk is sealed as it should be, as far as this process knows. */
  #isSealed: boolean;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: KeyKeeperParts) {
    this.#parts = parts;
    this.#unlockKey = parts.unlockKey;
    this.#openers = parts.unlockKey === undefined ? [] : [parts.unlockKey];
    this.#isSealed = parts.unlockKey === undefined;
  }

  /** Seals what is written to the disk; undefined while autolock is off. */
  get unlockKey(): Uint8Array | undefined {
    return this.#unlockKey;
  }

  /** The keys of the log; a first one is made if there is none. @throws NodeError `LOCKED`, `UNLOCK_KEY_REFUSED` */
  async raftKeys(): Promise<readonly RaftKey[]> {
    const { directory } = this.#parts;
    const kept = await directory.readRaftKeys(this.#openers);
    if (kept.length > 0) return kept;
    const keys = [this.#newKey()];
    await directory.writeRaftKeys(keys, this.#under());
    return keys;
  }

  /** Seals under another key, or under none, and sees through what was begun before. */
  sealUnder(next: Uint8Array | undefined, parts: SealedParts): Promise<void> {
    this.#turn = this.#turn
      .catch(() => {})
      .then(async () => {
        if (isSame(this.#unlockKey, next) && this.#isSealed) return;
        this.#unlockKey = next;
        this.#isSealed = false;
        await this.#reseal();
        if (next !== undefined) await this.#replaceReadable(parts);
        this.#isSealed = true;
      });
    return this.#turn;
  }

  /** Resolves once what was begun is done. @throws what failed. */
  settled(): Promise<void> {
    return this.#turn;
  }

  /** The node is a worker from here on: those are not locked. */
  async forget(): Promise<void> {
    await this.#turn.catch(() => {});
    await this.#parts.directory.resealIdentity(this.#openers, undefined);
    this.#unlockKey = undefined;
    this.#openers = [];
    this.#isSealed = true;
  }

  async #reseal(): Promise<void> {
    const { directory } = this.#parts;
    const next = this.#under();
    const before = this.#openers;
    this.#openers = [...next, ...before.filter((key) => !next.some((other) => isSame(key, other)))];
    const keys = await directory.readRaftKeys(this.#openers);
    // The identity opens with the key of before until it is written, so these must open with either until then.
    const isRotation = next.length > 0 && before.length > 0;
    await directory.writeRaftKeys(keys, isRotation ? this.#openers : next);
    await directory.resealIdentity(this.#openers, this.#unlockKey);
    if (isRotation) await directory.writeRaftKeys(keys, next);
    this.#openers = next;
  }

  /** What lay on the disk in clear may have been read: from here on it opens nothing that is new. */
  async #replaceReadable({ rings, renewCertificate }: SealedParts): Promise<void> {
    const { directory } = this.#parts;
    const keys = [...(await directory.readRaftKeys(this.#openers))];
    if (keys.at(-1)?.wasInClear !== false) {
      await renewCertificate();
      keys.push(this.#newKey());
      await directory.writeRaftKeys(keys, this.#under());
    }
    const present = keys.at(-1);
    const readable = keys.filter(({ wasInClear }) => wasInClear);
    if (present && readable.some(({ id }) => rings.logKeysInUse.has(id))) await rings.goOverTo(present);
    if (keys.length === 1) return;
    const used = await rings.keysInUse();
    const kept = keys.filter(({ id }) => id === present?.id || used.has(id));
    if (kept.length < keys.length) await directory.writeRaftKeys(kept, this.#under());
  }

  #under(): UnlockKeys {
    return this.#unlockKey === undefined ? [] : [this.#unlockKey];
  }

  #newKey(): RaftKey {
    const { random } = this.#parts;
    const wasInClear = this.#unlockKey === undefined;
    return { id: Buffer.from(random.bytes(6)).toString('hex'), key: random.bytes(KEY_BYTES), wasInClear };
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.from(one).equals(other);
}
