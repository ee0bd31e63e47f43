/**
 * Which configuration was in force where. A configuration acts from the moment it is appended, so the history follows
 * the log: it grows with it, and is cut back when the log is.
 */

import { configurationOf } from './membership.ts';
import type { Configuration, Entry, LogIndex } from './types.ts';

/** A configuration and the entry that brought it. */
export interface PlacedConfiguration {
  readonly index: LogIndex;
  readonly configuration: Configuration;
}

const NOBODY = configurationOf([]);

/** Never empty: a member that was told nothing yet knows a configuration without voters. */
export class ConfigurationHistory {
  #placed: PlacedConfiguration[];

  constructor(index: LogIndex, configuration: Configuration = NOBODY) {
    this.#placed = [{ index, configuration }];
  }

  get latest(): PlacedConfiguration {
    return this.#placed[this.#placed.length - 1] ?? { index: 0, configuration: NOBODY };
  }

  /** The one in force at `index`, or the oldest that is still known. */
  at(index: LogIndex): PlacedConfiguration {
    for (let at = this.#placed.length - 1; at > 0; at--) {
      const placed = this.#placed[at];
      if (placed !== undefined && placed.index <= index) return placed;
    }
    return this.#placed[0] ?? { index: 0, configuration: NOBODY };
  }

  appended(entry: Entry): void {
    if (entry.kind === 'configuration') {
      this.#placed.push({ index: entry.index, configuration: entry.configuration });
    }
  }

  /** Entries from `index` on are gone, and their configurations with them. */
  truncated(index: LogIndex): void {
    this.#placed = this.#placed.filter((placed, at) => at === 0 || placed.index < index);
  }

  /** Entries up to `index` are gone; what was in force there must still be known. */
  compacted(index: LogIndex): void {
    const kept = this.at(index);
    this.#placed = this.#placed.slice(Math.max(0, this.#placed.indexOf(kept)));
  }

  reset(index: LogIndex, configuration: Configuration): void {
    this.#placed = [{ index, configuration }];
  }
}
