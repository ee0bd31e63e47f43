/**
 * When a node takes a snapshot by itself: after so many entries or so many bytes of commands, and never while one that
 * it asked for is being taken. How one is taken is not known here.
 *
 * A snapshot is of the whole state, however little has changed. So that what it costs follows the change all the same,
 * many entries are reason for the next one only once they have about as many bytes as the last one had: then each byte
 * of the log pays for one byte of a snapshot, whatever the size of the state.
 */

import type { Entry } from '../core/types.ts';
import type { RaftNodeSettings } from './options.ts';

/** What the schedule sits between. */
export interface SnapshotScheduleParts {
  readonly settings: Pick<RaftNodeSettings, 'snapshotEntries' | 'snapshotBytes'>;
  readonly take: () => Promise<unknown>;
  /** Bytes of the newest snapshot that was taken here; 0 while none was. */
  readonly newestBytes: () => number;
  /** A snapshot could not be taken. The next one is tried when it is due. */
  readonly onFailure: (error: unknown) => void;
}

/** What a snapshot may have more than the entries since the last one: so small a one is soon written. */
const FREE_BYTES = 1024 * 1024;

/** Counts what was applied since the last snapshot of its own. */
export class SnapshotSchedule {
  readonly #parts: SnapshotScheduleParts;
  #entries = 0;
  #bytes = 0;
  #isTaking = false;

  constructor(parts: SnapshotScheduleParts) {
    this.#parts = parts;
  }

  applied(entry: Entry): void {
    this.#entries++;
    if (entry.kind === 'command') this.#bytes += entry.payload.length;
  }

  /** Takes a snapshot if one is due. */
  consider(): void {
    const { settings, take, newestBytes, onFailure } = this.#parts;
    const { snapshotEntries, snapshotBytes } = settings;
    const isWorthIt = () => this.#bytes + FREE_BYTES >= newestBytes();
    const isDue =
      (snapshotEntries > 0 && this.#entries >= snapshotEntries && isWorthIt()) ||
      (snapshotBytes > 0 && this.#bytes >= snapshotBytes);
    if (!isDue || this.#isTaking) return;
    this.#isTaking = true;
    this.#entries = 0;
    this.#bytes = 0;
    take().then(
      () => {
        this.#isTaking = false;
      },
      (error: unknown) => {
        this.#isTaking = false;
        onFailure(error);
      },
    );
  }
}
