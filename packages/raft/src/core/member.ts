/**
 * The whole mutable state of one member, and the few moves that every role shares: taking a part, and putting messages
 * into the right outbox. The modules of the roles act on it; nothing else holds state.
 */

import { ReplicatedLog } from './log.ts';
import type { Message, ReadAttempt } from './message.ts';
import type { RaftOptions } from './options.ts';
import { Persistence } from './persistence.ts';
import type { Progress } from './progress.ts';
import type { ReadQueue } from './read-queue.ts';
import type { ReadResult, ReadToken, TransferFailure } from './ready.ts';
import type { LogIndex, MemberId, Random, StoredState, Term } from './types.ts';

/** What only a leader has. Gone with the leadership. */
export interface Leadership {
  /** Every other member that is being sent the log. */
  readonly progress: Map<MemberId, Progress>;
  readonly reads: ReadQueue;
  /** Index of the empty entry that the term began with. */
  readonly startIndex: LogIndex;
  heartbeatElapsed: number;
  /** Bytes of entries appended and not yet committed. */
  uncommittedBytes: number;
  /** What a quorum held when that last grew, and the tick count of that, or of when there was nothing to wait for. */
  quorumIndex: LogIndex;
  quorumMovedAt: number;
  /** The same for this member's own disk. */
  diskIndex: LogIndex;
  diskMovedAt: number;
  transfer: { readonly target: MemberId; readonly deadline: number } | undefined;
  /** A member was told to campaign in spite of us, so no lease can be trusted any more in this term. */
  wasHandedOver: boolean;
  /** This leader is no longer part of the cluster and goes once it has told so. */
  isResigning: boolean;
}

/** A member's part, with what belongs to it alone. */
export type Role =
  | { readonly kind: 'follower' }
  | { readonly kind: 'pre-candidate'; readonly votes: Map<MemberId, boolean> }
  | { readonly kind: 'candidate'; readonly votes: Map<MemberId, boolean>; readonly transfer: boolean }
  | { readonly kind: 'leader'; readonly leadership: Leadership };

/** A read of this member that a leader elsewhere is asked about. */
export interface ForwardedRead {
  readonly read: ReadToken;
  readonly attempt: ReadAttempt;
  readonly deadline: number;
}

/** A read that is confirmed and waits for the state machine. */
export interface ConfirmedRead {
  readonly read: ReadToken;
  readonly index: LogIndex;
}

/** One member's state. */
export class Member {
  readonly id: MemberId;
  readonly options: RaftOptions;
  readonly log: ReplicatedLog;
  readonly persistence: Persistence;
  readonly #random: Random;

  term: Term;
  vote: MemberId | undefined;
  role: Role = { kind: 'follower' };
  leader: MemberId | undefined;
  fault: 'log-regressed' | undefined;

  /** Ticks since the start. Never goes back. */
  clock = 0;
  /** Ticks since the election timer was set. */
  electionElapsed = 0;
  electionTimeout: number;
  /** Tick count when a leader of this term was last heard. */
  leaderContact: number;

  /** Drawn at the start, so that no read attempt of an earlier life can be taken for one of this. */
  readonly incarnation: number;
  readAttempts = 0;
  forwardedReads: ForwardedRead[] = [];
  confirmedReads: ConfirmedRead[] = [];

  messages: Message[] = [];
  messagesAfterPersist: Message[] = [];
  readResults: ReadResult[] = [];
  transferFailure: TransferFailure | undefined;
  isRoleChanged = true;
  isFaultNew = false;
  /** A snapshot from the leader that the state machine has not been given yet. */
  pendingRestore = false;
  /** What was handed to the state machine. */
  applying: LogIndex;

  constructor(id: MemberId, options: RaftOptions, random: Random, stored: StoredState) {
    this.id = id;
    this.options = options;
    this.#random = random;
    this.log = new ReplicatedLog(stored);
    this.persistence = new Persistence(stored.hardState, this.log.lastIndex);
    this.term = stored.hardState.term;
    this.vote = stored.hardState.vote;
    this.applying = this.log.applied;
    this.incarnation = Math.floor(random.next() * 2 ** 48);
    this.electionTimeout = this.draw(options.electionTicksMin, options.electionTicksMax);
    // A member that comes back may have promised a leader its loyalty just before it went: it keeps to that for as
    // long as the promise could last. One that never took part has promised nothing.
    this.leaderContact = this.term > 0 ? 0 : Number.NEGATIVE_INFINITY;
  }

  get leadership(): Leadership | undefined {
    return this.role.kind === 'leader' ? this.role.leadership : undefined;
  }

  /** A whole number of ticks between the two, both included. */
  draw(least: number, most: number): number {
    return least + Math.floor(this.#random.next() * (most - least + 1));
  }

  /** A leader was heard so recently that no other may be helped into its place (thesis, §4.2.3 and §6.4.1). */
  get isLoyal(): boolean {
    return this.role.kind === 'leader' || this.clock - this.leaderContact < this.options.electionTicksMin;
  }

  /**
   * May this member campaign? A voter of the configuration in force may. So may one that this configuration leaves out
   * while it is not committed: it may hold the longest log, and then nobody else can win and finish the change.
   */
  get isPromotable(): boolean {
    if (this.fault !== undefined || this.pendingRestore) return false;
    const { configuration, configurationIndex, committed } = this.log;
    if (configuration.voters.includes(this.id) || configuration.outgoing.includes(this.id)) return true;
    if (configurationIndex <= committed || configuration.voters.length === 0) return false;
    const before = this.log.configurationAt(configurationIndex - 1);
    return before.voters.includes(this.id) || before.outgoing.includes(this.id);
  }

  /** Sends without waiting for the disk, unless the term itself is not durable yet. */
  send(message: Message): void {
    if (this.persistence.durableTerm < this.term) this.messagesAfterPersist.push(message);
    else this.messages.push(message);
  }

  /** Sends once everything that this message promises is on disk. */
  sendWhenDurable(message: Message): void {
    this.messagesAfterPersist.push(message);
  }

  setElectionTimer(least: number, most: number): void {
    this.electionElapsed = 0;
    this.electionTimeout = this.draw(least, most);
  }
}
