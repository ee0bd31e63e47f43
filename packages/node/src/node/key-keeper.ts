/**
 * A manager's keys on its disk, under autolock. While it is on, the private key and the keys of the log are sealed under
 * the unlock key, which is in the replicated record. When it is turned on, what was on the disk in clear is replaced by
 * new keys; when the unlock key is rotated, each manager seals anew as it sees the change.
 */

import type { Random } from '@skep/core';
import type { Credentials } from '../security/credentials.ts';
import type { RaftKey, StateDirectory } from '../state-directory/state-directory.ts';
import type { ManagerStorage } from './manager-storage.ts';

/** What a key keeper works with. */
export interface KeyKeeperParts {
  readonly directory: StateDirectory;
  readonly credentials: Credentials;
  readonly random: Random;
  /** The key that what is on the disk is sealed under now. */
  readonly unlockKey: Uint8Array | undefined;
}

const KEY_BYTES = 32;

/** Keeps a node's keys. */
export class KeyKeeper {
  readonly #parts: KeyKeeperParts;
  #unlockKey: Uint8Array | undefined;
  #turn: Promise<void> = Promise.resolve();

  constructor(parts: KeyKeeperParts) {
    this.#parts = parts;
    this.#unlockKey = parts.unlockKey;
  }

  /** Seals what is written to the disk; undefined while autolock is off. */
  get unlockKey(): Uint8Array | undefined {
    return this.#unlockKey;
  }

  /** The keys of the log; a first one is made if there is none. @throws NodeError `LOCKED`, `UNLOCK_KEY_REFUSED` */
  async raftKeys(): Promise<readonly RaftKey[]> {
    const { directory } = this.#parts;
    const kept = await directory.readRaftKeys(this.#unlockKey);
    if (kept.length > 0) return kept;
    const keys = [this.#newKey()];
    await directory.writeRaftKeys(keys, this.#unlockKey);
    return keys;
  }

  /** Seals under another key, or under none. Nothing happens if it is the present one. */
  sealUnder(
    next: Uint8Array | undefined,
    parts: {
      readonly storage: ManagerStorage;
      /** Gets the node a certificate of a new private key. */
      readonly renewCertificate: () => Promise<void>;
      /** Takes a snapshot and drops what lies before. */
      readonly compact: () => Promise<unknown>;
    },
  ): Promise<void> {
    this.#turn = this.#turn
      .catch(() => {})
      .then(async () => {
        const before = this.#unlockKey;
        if (isSame(before, next)) return;
        this.#unlockKey = next;
        const { directory, credentials } = this.#parts;
        await directory.writeCredentials(credentials.texts, next);
        const keys = await directory.readRaftKeys(before);
        await directory.writeRaftKeys(keys, next);
        if (before !== undefined || next === undefined) return;
        // What lay on the disk in clear may have been read: from here on it opens nothing that is new.
        const fresh = this.#newKey();
        await directory.writeRaftKeys([...keys, fresh], next);
        await parts.storage.goOverTo(fresh);
        await parts.compact();
        const used = parts.storage.keysInUse;
        await directory.writeRaftKeys([...keys.filter(({ id }) => used.has(id)), fresh], next);
        await parts.renewCertificate();
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
    if (this.#unlockKey === undefined) return;
    this.#unlockKey = undefined;
    await this.#parts.directory.writeCredentials(this.#parts.credentials.texts);
  }

  #newKey(): RaftKey {
    const { random } = this.#parts;
    return { id: Buffer.from(random.bytes(6)).toString('hex'), key: random.bytes(KEY_BYTES) };
  }
}

function isSame(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return Buffer.from(one).equals(other);
}
