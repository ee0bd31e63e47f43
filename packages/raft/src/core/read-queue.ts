/**
 * Reads that wait at a leader. Each takes the commit index of the moment it arrived; one round of heartbeats then
 * proves that this was still the leader after all of them had arrived (Ongaro's thesis, §6.4). Rounds are numbered by
 * the leader, so that a late or doubled answer confirms nothing that came after it.
 */

import type { ReadAttempt } from './message.ts';
import type { ReadToken } from './ready.ts';
import type { LogIndex, MemberId } from './types.ts';

/** Who asked. */
export type ReadOrigin =
  | { readonly kind: 'local'; readonly read: ReadToken }
  | { readonly kind: 'remote'; readonly member: MemberId; readonly attempt: ReadAttempt };

/** A read with the index it must see. */
export interface IndexedRead {
  readonly origin: ReadOrigin;
  readonly index: LogIndex;
}

/** Reads in the order in which they move: before the term's first commit, then collecting, then in a round. */
export class ReadQueue {
  #waiting: ReadOrigin[] = [];
  #collecting: IndexedRead[] = [];
  #rounds: { readonly round: number; readonly reads: readonly IndexedRead[] }[] = [];
  #round = 0;
  #size = 0;

  /** How many reads wait, in any place. */
  get size(): number {
    return this.#size;
  }

  /** The newest round that was begun. */
  get round(): number {
    return this.#round;
  }

  /** What waits where: before the first commit, for the next round, and in each round with the indices to see. */
  get portrait(): string {
    const indices = (reads: readonly IndexedRead[]) => reads.map(({ index }) => index).join();
    const rounds = this.#rounds.map(({ round, reads }) => `${round}=${indices(reads)}`);
    return [this.#waiting.length, indices(this.#collecting), this.#round, ...rounds].join(' ');
  }

  /** The leader has committed nothing in its term yet, so its commit index may be behind: wait for that. */
  wait(origin: ReadOrigin): void {
    this.#waiting.push(origin);
    this.#size++;
  }

  /** Joins the next round. */
  collect(origin: ReadOrigin, index: LogIndex): void {
    this.#collecting.push({ origin, index });
    this.#size++;
  }

  /** The term's first entry is committed: those that waited join the next round. */
  release(index: LogIndex): void {
    for (const origin of this.#waiting) this.#collecting.push({ origin, index });
    this.#waiting = [];
  }

  /** Closes the round that was collecting. Returns whether there is one to ask about. */
  begin(): boolean {
    if (this.#collecting.length === 0) return false;
    this.#round++;
    this.#rounds.push({ round: this.#round, reads: this.#collecting });
    this.#collecting = [];
    return true;
  }

  /** Takes out the reads of all rounds up to `round`. */
  confirmed(round: number): IndexedRead[] {
    const done: IndexedRead[] = [];
    let closed = 0;
    for (const { round: at, reads } of this.#rounds) {
      if (at > round) break;
      done.push(...reads);
      closed++;
    }
    if (closed > 0) this.#rounds = this.#rounds.slice(closed);
    this.#size -= done.length;
    return done;
  }

  /** Takes out everything: the leadership is over. */
  drain(): ReadOrigin[] {
    const origins = [
      ...this.#rounds.flatMap(({ reads }) => reads.map((read) => read.origin)),
      ...this.#collecting.map((read) => read.origin),
      ...this.#waiting,
    ];
    this.#rounds = [];
    this.#collecting = [];
    this.#waiting = [];
    this.#size = 0;
    return origins;
  }
}
