/** The newest entries, in memory, so that live readers need no disk. Positions in the file log are dense. */

import type { Entry, Position } from '../log/event-log.ts';

/** Keeps the newest entries up to a number of payload bytes. */
export class RecentEntries {
  readonly #maxBytes: number;
  #entries: Entry[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.payload.length;
    if (this.#bytes > this.#maxBytes) this.#shrink();
  }

  clear(): void {
    this.#entries = [];
    this.#bytes = 0;
  }

  /** All entries behind `position`, or undefined when some of them are kept no more. */
  after(position: Position): readonly Entry[] | undefined {
    const first = this.#entries[0]?.position;
    if (first === undefined || position < first - 1) return undefined;
    return this.#entries.slice(position - first + 1);
  }

  #shrink(): void {
    // To half, so that dropping costs a constant for each entry.
    let dropped = 0;
    for (const { payload } of this.#entries) {
      if (this.#bytes <= this.#maxBytes / 2) break;
      this.#bytes -= payload.length;
      dropped += 1;
    }
    this.#entries = this.#entries.slice(dropped);
  }
}
