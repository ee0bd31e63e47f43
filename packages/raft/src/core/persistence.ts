/**
 * What of this member's state is on its disk. Batches are handed out and become durable in order, several under way
 * at once. The core never counts itself for an entry or a vote before the disk has it.
 */

import { RaftError } from './errors.ts';
import type { ReplicatedLog } from './log.ts';
import type { Message } from './message.ts';
import type { PersistBatch } from './ready.ts';
import type { HardState, LogIndex, MemberId, SnapshotDescription, Term } from './types.ts';

interface BatchUnderWay {
  readonly sequence: number;
  readonly term: Term;
  readonly vote: MemberId | undefined;
  /** Durable up to here once the batch is; lowered when the log is cut meanwhile. */
  lastIndex: LogIndex;
}

/** Cursors between memory and disk. Invariant: durable ≤ handed out ≤ the log's last index. */
export class Persistence {
  #sequence = 0;
  #handedOut: LogIndex;
  #durable: LogIndex;
  #handedTerm: Term;
  #handedVote: MemberId | undefined;
  #durableTerm: Term;
  #durableVote: MemberId | undefined;
  #snapshot: SnapshotDescription | undefined;
  #underWay: BatchUnderWay[] = [];

  constructor(hardState: HardState, lastIndex: LogIndex) {
    this.#handedOut = lastIndex;
    this.#durable = lastIndex;
    this.#handedTerm = hardState.term;
    this.#handedVote = hardState.vote;
    this.#durableTerm = hardState.term;
    this.#durableVote = hardState.vote;
  }

  /** The log as it is now is on disk up to here. */
  get durableIndex(): LogIndex {
    return this.#durable;
  }

  get durableTerm(): Term {
    return this.#durableTerm;
  }

  get durableVote(): MemberId | undefined {
    return this.#durableVote;
  }

  /** A snapshot from the leader waits to be made this member's own. */
  get hasSnapshot(): boolean {
    return this.#snapshot !== undefined;
  }

  /** Everything that was handed out is durable. */
  get isSettled(): boolean {
    return this.#underWay.length === 0;
  }

  /** Every cursor, and what each batch under way makes durable. */
  get portrait(): string {
    const { term, vote } = this.#underWay.at(-1) ?? { term: this.#durableTerm, vote: this.#durableVote };
    const batches = this.#underWay.map((batch) => `${batch.term}/${batch.vote ?? ''}/${batch.lastIndex}`);
    const durable = `${this.#durable} ${this.#durableTerm}/${this.#durableVote ?? ''}`;
    return [durable, this.#handedOut, `${term}/${vote ?? ''}`, this.#snapshot?.index ?? '-', ...batches].join(
      ' ',
    );
  }

  /**
   * The log was cut: what the disk holds, or is about to, from `index` on is not our log any more. A batch that
   * finishes later must not count for the entries that took the place of its own, though they have the same index.
   */
  truncated(index: LogIndex): void {
    this.#handedOut = Math.min(this.#handedOut, index - 1);
    this.#durable = Math.min(this.#durable, index - 1);
    for (const batch of this.#underWay) batch.lastIndex = Math.min(batch.lastIndex, index - 1);
  }

  /** The log was replaced. Only the entries below the old commit index are certain to be the same. */
  restored(snapshot: SnapshotDescription, committedBefore: LogIndex): void {
    this.truncated(committedBefore + 1);
    this.#handedOut = snapshot.index;
    this.#snapshot = snapshot;
  }

  /** The next batch, or undefined if there is nothing to write and nothing to wait for. */
  take(
    log: ReplicatedLog,
    term: Term,
    vote: MemberId | undefined,
    messages: readonly Message[],
  ): PersistBatch | undefined {
    const lastIndex = log.lastIndex;
    const hasPromise = term !== this.#handedTerm || vote !== this.#handedVote;
    const hasEntries = lastIndex > this.#handedOut;
    const snapshot = this.#snapshot;
    if (!hasPromise && !hasEntries && snapshot === undefined && messages.length === 0) return undefined;
    const entries = hasEntries
      ? log.slice(this.#handedOut + 1, lastIndex, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY)
      : [];
    // The commit hint rides along with writes that happen anyway.
    const hardState: HardState = { term, commit: log.committed, ...(vote === undefined ? {} : { vote }) };
    this.#handedOut = lastIndex;
    this.#handedTerm = term;
    this.#handedVote = vote;
    this.#snapshot = undefined;
    this.#sequence++;
    this.#underWay.push({ sequence: this.#sequence, term, vote, lastIndex });
    return {
      sequence: this.#sequence,
      ...(hasPromise || hasEntries || snapshot !== undefined ? { hardState } : {}),
      ...(snapshot === undefined ? {} : { snapshot }),
      entries,
      messages,
    };
  }

  /** The batch `sequence`, and all before it, are durable. @throws RaftError `invalid-report` if it isn't under way. */
  persisted(sequence: number): void {
    const at = this.#underWay.findIndex((batch) => batch.sequence === sequence);
    const newest = this.#underWay[at];
    if (newest === undefined) {
      throw new RaftError('invalid-report', `batch ${sequence} is not under way`);
    }
    for (const batch of this.#underWay.slice(0, at + 1)) {
      this.#durable = Math.max(this.#durable, batch.lastIndex);
    }
    this.#durableTerm = newest.term;
    this.#durableVote = newest.vote;
    this.#underWay = this.#underWay.slice(at + 1);
  }
}
