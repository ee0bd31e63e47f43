/**
 * Proposals of this member from their call to their one answer. Each is handed to whoever leads, again when that
 * changes or when nothing was heard for a while, under an identity by which it is applied at most once. It is answered
 * when this member itself applies it, so that its proposer reads its own write here.
 */

import type { ProposalRefusal } from '../core/leader.ts';
import type { LogIndex } from '../core/types.ts';
import type { ProposalIdentity } from './command-envelope.ts';
import { wrapIdentified } from './command-envelope.ts';
import type { RaftMetrics } from './ports.ts';
import type { Admission } from './proposal-sessions.ts';

/** Names a proposal across calls, members and restarts: proposing under it again is safe. Plain data, to be kept. */
export interface ProposalId {
  readonly session: string;
  readonly number: number;
  /** How far the log was when the id was made: an id that is too old is refused rather than applied twice. */
  readonly base: LogIndex;
}

/** How a proposal ended. */
export type ProposalOutcome =
  /** Committed, and applied here. `repeated` if an earlier attempt under the same id did it. */
  | { readonly kind: 'committed'; readonly index: LogIndex; readonly repeated: boolean }
  /** Certainly not in the log, and never will be. */
  | {
      readonly kind: 'rejected';
      readonly reason: 'no-leader' | 'busy' | 'too-large' | 'closed';
      readonly message: string;
    }
  /** It may be in the log, or still come. Proposing again under the same id is safe. */
  | {
      readonly kind: 'unknown';
      readonly reason: 'timeout' | 'expired' | 'closed';
      readonly message: string;
    };

/** What became of one attempt at once: it is in this member's own log, or on its way, or neither. */
export type Attempt = 'appended' | 'sent' | 'no-leader' | ProposalRefusal;

/** What the proposals ask of their node. */
export interface ProposalsParts {
  readonly session: string;
  /** The number of the first attempt; drawn at random, so that no two lives use the same. */
  readonly firstAttempt: number;
  readonly max: number;
  /** Hands a command to whoever leads. */
  readonly submit: (attempt: number, command: Uint8Array, identity: ProposalIdentity) => Attempt;
  readonly now: () => number;
  readonly applied: () => LogIndex;
  readonly metrics: RaftMetrics;
}

interface Pending {
  readonly identity: ProposalIdentity;
  readonly command: Uint8Array;
  readonly deadline: number;
  /** Who waits for it: more than one where it was proposed again under its id meanwhile. */
  readonly answer: ((outcome: ProposalOutcome) => void)[];
  /** It was appended here while this member led, and may or may not come to be committed. */
  isAppended: boolean;
  /** Attempts on their way that nobody has refused: by any of them it may get into the log. */
  uncertain: readonly number[];
  /** Nothing is on its way: hand it over at the next occasion. */
  isIdle: boolean;
  attemptedAt: number;
}

/** Silence after which a proposal is handed over once more: the message may be lost. */
const RETRY_MS = 1000;

/** The pending proposals of one node. */
export class Proposals {
  readonly #parts: ProposalsParts;
  readonly #pending = new Map<string, Map<number, Pending>>();
  readonly #attempts = new Map<number, Pending>();
  #attempt: number;
  #number = 0;
  #size = 0;

  constructor(parts: ProposalsParts) {
    this.#parts = parts;
    this.#attempt = parts.firstAttempt;
  }

  get size(): number {
    return this.#size;
  }

  /** Proposes. @param id - under which it was proposed before, or may be again. */
  propose(payload: Uint8Array, timeoutMs: number, id?: ProposalId): Promise<ProposalOutcome> {
    const known = id === undefined ? undefined : this.#pending.get(id.session)?.get(id.number);
    if (known !== undefined) return new Promise((resolve) => known.answer.push(resolve));
    if (this.#size >= this.#parts.max) {
      const message = `${this.#size} proposals are waiting already`;
      return Promise.resolve(this.rejected('busy', message));
    }
    const identity = id === undefined ? this.#nextIdentity() : { ...id, settled: id.number };
    const command = wrapIdentified(identity, payload);
    return new Promise((resolve) => this.#begin(identity, command, timeoutMs, resolve));
  }

  /** A proposal that goes no further, counted. */
  rejected(reason: 'busy' | 'too-large', message: string): ProposalOutcome {
    this.#count('rejected', reason);
    return { kind: 'rejected', reason, message };
  }

  /** A command that was to be appended in one term and was refused, counted. */
  refusedInTerm<Reason extends string>(reason: Reason): Reason {
    this.#count('rejected', reason);
    return reason;
  }

  /** An entry with an identity was applied here. */
  applied(identity: ProposalIdentity, admission: Admission, index: LogIndex): void {
    const pending = this.#pending.get(identity.session)?.get(identity.number);
    if (pending === undefined) return;
    if (admission.kind === 'expired') {
      const message = 'the proposal is so old that nobody can tell whether it was applied';
      this.#end(pending, { kind: 'unknown', reason: 'expired', message });
    } else if (admission.kind === 'new') this.#end(pending, { kind: 'committed', index, repeated: false });
    else this.#end(pending, { kind: 'committed', index: admission.index, repeated: true });
  }

  /** The leader refused an attempt. */
  refused(attempt: number, reason: ProposalRefusal): void {
    const pending = this.#attempts.get(attempt);
    if (pending === undefined) return;
    this.#attempts.delete(attempt);
    pending.uncertain = pending.uncertain.filter((each) => each !== attempt);
    this.#refuse(pending, reason);
  }

  /** Another member leads, or this one has begun to: everything is handed over again, in order. */
  leaderChanged(): void {
    const now = this.#parts.now();
    for (const pending of this.#all()) this.#hand(pending, now);
  }

  /** Time has passed. */
  tick(): void {
    const now = this.#parts.now();
    for (const pending of this.#all()) {
      if (now >= pending.deadline) this.#expire(pending);
      else if (pending.isIdle || now - pending.attemptedAt >= RETRY_MS) this.#hand(pending, now);
    }
  }

  /** Ends all there are: the node is closing. */
  close(message: string): void {
    for (const pending of this.#all()) {
      const kind = isCertain(pending) ? 'rejected' : 'unknown';
      this.#end(pending, { kind, reason: 'closed', message });
    }
  }

  #begin(
    identity: ProposalIdentity,
    command: Uint8Array,
    timeoutMs: number,
    resolve: (outcome: ProposalOutcome) => void,
  ): void {
    const now = this.#parts.now();
    const pending: Pending = {
      identity,
      command,
      deadline: now + timeoutMs,
      answer: [resolve],
      isAppended: false,
      uncertain: [],
      isIdle: true,
      attemptedAt: now,
    };
    this.#add(pending);
    this.#hand(pending, now);
  }

  #nextIdentity(): ProposalIdentity {
    const { session, applied } = this.#parts;
    this.#number++;
    // Numbers are pending in the order in which they were given, so the first is the lowest.
    const [lowest] = this.#pending.get(session)?.keys() ?? [];
    return { session, number: this.#number, settled: lowest ?? this.#number, base: applied() };
  }

  #hand(pending: Pending, now: number): void {
    this.#attempt++;
    const attempt = this.#attempt;
    pending.attemptedAt = now;
    pending.isIdle = false;
    const result = this.#parts.submit(attempt, pending.command, pending.identity);
    if (result === 'appended') pending.isAppended = true;
    else if (result === 'sent') {
      pending.uncertain = [...pending.uncertain, attempt];
      this.#attempts.set(attempt, pending);
    } else if (result === 'no-leader') pending.isIdle = true;
    else this.#refuse(pending, result);
  }

  #refuse(pending: Pending, reason: ProposalRefusal): void {
    if (isCertain(pending) && (reason === 'busy' || reason === 'too-large')) {
      const message = reason === 'busy' ? 'the leader has too much in flight' : 'the command is too large';
      this.#end(pending, { kind: 'rejected', reason, message });
    } else pending.isIdle = true;
  }

  #expire(pending: Pending): void {
    if (isCertain(pending)) {
      const message = 'no leader was found in time; nothing was proposed';
      this.#end(pending, { kind: 'rejected', reason: 'no-leader', message });
    } else {
      const message = 'no answer in time; the command may still be committed';
      this.#end(pending, { kind: 'unknown', reason: 'timeout', message });
    }
  }

  #add(pending: Pending): void {
    const { session, number } = pending.identity;
    const numbers = this.#pending.get(session);
    if (numbers === undefined) this.#pending.set(session, new Map([[number, pending]]));
    else numbers.set(number, pending);
    this.#size++;
  }

  #end(pending: Pending, outcome: ProposalOutcome): void {
    const { session, number } = pending.identity;
    const numbers = this.#pending.get(session);
    if (!numbers?.delete(number)) return;
    // This member's own session is empty and full again all the time.
    if (numbers.size === 0 && session !== this.#parts.session) this.#pending.delete(session);
    for (const attempt of pending.uncertain) this.#attempts.delete(attempt);
    this.#size--;
    if (outcome.kind !== 'committed') this.#count(outcome.kind, outcome.reason);
    for (const resolve of pending.answer) resolve(outcome);
  }

  #count(outcome: 'rejected' | 'unknown', reason: string): void {
    this.#parts.metrics.count('raft_proposals_not_committed_total', 1, { outcome, reason });
  }

  #all(): Pending[] {
    return this.#size === 0 ? [] : [...this.#pending.values()].flatMap((numbers) => [...numbers.values()]);
  }
}

/** It is certainly not in any log, and by no attempt that is under way can it get there. */
function isCertain({ isAppended, uncertain }: Pending): boolean {
  return !isAppended && uncertain.length === 0;
}
