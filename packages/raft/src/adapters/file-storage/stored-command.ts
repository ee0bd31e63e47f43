/**
 * A command as a frame of the log holds it. A restart reads a million of these, and most are looked at once or never:
 * a view of each payload that lives as long as its entry would cost more than all else of the entry.
 */

import type { CommandEntry, LogIndex, Term } from '../../core/types.ts';

/** An entry whose payload is cut out of its frame when it is asked for. */
export class StoredCommand implements CommandEntry {
  readonly kind = 'command';
  readonly index: LogIndex;
  readonly term: Term;
  readonly #frame: Uint8Array;
  readonly #start: number;
  readonly #end: number;

  /** The payload is `frame` from `start` up to `end`; the frame must not be used for anything else. */
  constructor(index: LogIndex, term: Term, frame: Uint8Array, start: number, end: number) {
    this.index = index;
    this.term = term;
    this.#frame = frame;
    this.#start = start;
    this.#end = end;
  }

  /** A view, made anew at each call. */
  get payload(): Uint8Array {
    return this.#frame.subarray(this.#start, this.#end);
  }
}
