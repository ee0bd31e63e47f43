/** A manager's history on its disk, sealed like the log beside it: with keys that are derived from the log's. */

import { hkdfSync } from 'node:crypto';
import type { Logger, Random } from '@skep/core';
import { type DataKey, FileHistoryStore } from '@skep/core/file';
import type { RaftKey } from '../state-directory/state-directory.ts';

/** What a history is made of. */
export interface ManagerHistoryParts {
  readonly directory: string;
  /** The keys of the log, the present one last. Not empty. */
  readonly keys: readonly RaftKey[];
  readonly random: Random;
  readonly logger: Logger;
}

/** The history of a running manager. */
export class ManagerHistory {
  readonly store: FileHistoryStore;
  readonly #keys = new Map<string, DataKey>();
  #present: DataKey;

  constructor({ directory, keys, random, logger }: ManagerHistoryParts) {
    const derived = keys.map(historyKey);
    for (const key of derived) this.#keys.set(key.id, key);
    const present = derived.at(-1);
    if (present === undefined) throw new Error('a history without a key');
    this.#present = present;
    const keyProvider = {
      currentKey: async () => this.#present,
      keyById: async (id: string) => this.#keys.get(id)?.key,
    };
    this.store = new FileHistoryStore({ dir: directory, keyProvider, random, logger });
  }

  /** From here on everything new is sealed under this key. What is there already stays as it is until it is forgotten. */
  goOverTo(key: RaftKey): void {
    this.#present = historyKey(key);
    this.#keys.set(key.id, this.#present);
    this.store.replaceKey();
  }

  /** Keys of the log that files of the history are sealed under. */
  keysInUse(): Promise<ReadonlySet<string>> {
    return this.store.keysInUse();
  }
}

/** Not the log's key itself: the two seal in different ways. */
function historyKey({ id, key }: RaftKey): DataKey {
  const derived = hkdfSync('sha256', key, new Uint8Array(0), 'skep history, version 1', 32);
  return { id, key: new Uint8Array(derived) };
}
