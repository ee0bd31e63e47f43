/** What a leader knows of one other member: how far its log agrees, and how to send it the rest. */

import type { InflightWindow } from './inflight.ts';
import type { LogIndex } from './types.ts';

/** How a follower is fed. */
export type ProgressState =
  /** Where the logs agree is not known: one message at a time, and one more each heartbeat. */
  | 'probe'
  /** The logs agree: messages follow each other without waiting, as far as the window allows. */
  | 'replicate'
  /** Entries it needs are gone: it is receiving a snapshot, and nothing else until that is over. */
  | 'snapshot';

/** Invariant: match < next. */
export class Progress {
  state: ProgressState = 'probe';
  /** The follower holds everything up to here on disk, as we have it. Never falls within a term. */
  match: LogIndex = 0;
  /** The next entry to send. */
  next: LogIndex;
  /** While probing: the question was asked, wait for its answer or the next heartbeat. */
  isPaused = false;
  /** Ask once whether all that was sent has arrived. */
  isCheckDue = false;
  /** While receiving a snapshot: where that ends. */
  snapshotIndex: LogIndex = 0;
  /** The commit index that was sent last. */
  sentCommit: LogIndex = 0;
  /** Tick count when it was last heard of. */
  lastContact: number;
  /** The newest round of reads that it confirmed. */
  ackedRound = 0;
  /** The newest sending time of a heartbeat that it answered. */
  ackedSent = Number.NEGATIVE_INFINITY;
  /** Set for a member that is no longer part of the configuration: when to stop telling it. */
  departsAt: number | undefined;
  readonly window: InflightWindow;

  constructor(next: LogIndex, now: number, window: InflightWindow) {
    this.next = next;
    this.lastContact = now;
    this.window = window;
  }

  /** Goes back to asking. After a snapshot was delivered, from its end. */
  becomeProbe(): void {
    const from = this.state === 'snapshot' ? Math.max(this.match, this.snapshotIndex) : this.match;
    this.next = from + 1;
    this.#enter('probe');
  }

  becomeReplicate(): void {
    this.next = this.match + 1;
    this.#enter('replicate');
  }

  becomeSnapshot(index: LogIndex): void {
    this.#enter('snapshot');
    this.snapshotIndex = index;
  }

  /** It holds everything up to `index`. Returns whether that is news. */
  accepted(index: LogIndex): boolean {
    const isNews = index > this.match;
    if (isNews) this.match = index;
    this.next = Math.max(this.next, index + 1);
    this.window.acknowledged(index);
    return isNews;
  }

  #enter(state: ProgressState): void {
    this.state = state;
    this.isPaused = false;
    this.isCheckDue = false;
    this.snapshotIndex = 0;
    this.window.clear();
  }
}
