/** All that is sealed under a manager's keys: its log, and its history. */

import type { RaftKey } from '../state-directory/state-directory.ts';
import type { ManagerHistory } from './manager-history.ts';
import type { ManagerStorage } from './manager-storage.ts';

/** What the rings are of. */
export interface KeyRingsParts {
  readonly storage: ManagerStorage;
  /** Undefined where none is kept. */
  readonly history: ManagerHistory | undefined;
  /** Takes a snapshot of the log and drops what lies before. */
  readonly compact: () => Promise<unknown>;
}

/** The keys of a running manager, as its files use them. */
export class KeyRings {
  readonly #parts: KeyRingsParts;

  constructor(parts: KeyRingsParts) {
    this.#parts = parts;
  }

  /** Keys that files of the log are sealed under. @throws NodeError `CLOSED` */
  get logKeysInUse(): ReadonlySet<string> {
    return this.#parts.storage.keysInUse;
  }

  /** Keys that any file is sealed under. @throws NodeError `CLOSED`; LogError */
  async keysInUse(): Promise<ReadonlySet<string>> {
    return new Set([...this.logKeysInUse, ...((await this.#parts.history?.keysInUse()) ?? [])]);
  }

  /**
   * From here on everything new is sealed under this key. The log is written anew, so that no file of it needs another.
   * The history, which holds no secret values, keeps its files until they are forgotten.
   */
  async goOverTo(key: RaftKey): Promise<void> {
    const { storage, history, compact } = this.#parts;
    history?.goOverTo(key);
    await storage.goOverTo(key);
    await compact();
  }
}
