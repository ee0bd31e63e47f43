/**
 * What members say to each other. Plain data, so that any codec can carry it. Messages may be lost, doubled, delayed
 * and overtaken; the core takes them as they come.
 */

import type { Entry, LogIndex, MemberId, SnapshotDescription, Term } from './types.ts';

interface Envelope {
  readonly from: MemberId;
  readonly to: MemberId;
  /** The sender's term. In a pre-vote request, and in a pre-vote that is granted, the term that is asked for. */
  readonly term: Term;
}

/** Would you vote for me in `term`? Asked before any term is raised. */
export interface PreVoteRequest extends Envelope {
  readonly type: 'pre-vote-request';
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
}

/** The answer. A refusal carries the term of the member that refuses, so that a candidate left behind catches up. */
export interface PreVoteResponse extends Envelope {
  readonly type: 'pre-vote-response';
  readonly granted: boolean;
}

/** Vote for me in `term`. */
export interface VoteRequest extends Envelope {
  readonly type: 'vote-request';
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The present leader asked for this campaign: a voter need not protect it. */
  readonly transfer: boolean;
}

/** A vote that is granted is on disk before this is sent. */
export interface VoteResponse extends Envelope {
  readonly type: 'vote-response';
  readonly granted: boolean;
}

/** Entries for a follower's log, with the place that they attach to. */
export interface AppendRequest extends Envelope {
  readonly type: 'append-request';
  readonly prevIndex: LogIndex;
  readonly prevTerm: Term;
  readonly entries: readonly Entry[];
  /** The leader's commit index; a follower takes only what this message has verified. */
  readonly commit: LogIndex;
}

/** The follower holds everything up to `index` on disk, as the leader has it. */
export interface AppendAccepted extends Envelope {
  readonly type: 'append-accepted';
  readonly index: LogIndex;
}

/** The follower has no entry of `prevTerm` at `index`. */
export interface AppendRejected extends Envelope {
  readonly type: 'append-rejected';
  /** The `prevIndex` that did not match. */
  readonly index: LogIndex;
  /** The last place at which the two logs may still agree, as far as the follower can tell. */
  readonly hintIndex: LogIndex;
  readonly hintTerm: Term;
}

/** I still lead. */
export interface Heartbeat extends Envelope {
  readonly type: 'heartbeat';
  /** Never beyond what the follower is known to hold. */
  readonly commit: LogIndex;
  /** The newest round of reads: an answer confirms it and all before. Grows within a term. */
  readonly round: number;
  /** The leader's tick count when it sent this; the answer repeats it, and the lease counts from it. */
  readonly sent: number;
}

/** You do, as far as I know. */
export interface HeartbeatResponse extends Envelope {
  readonly type: 'heartbeat-response';
  readonly round: number;
  readonly sent: number;
}

/**
 * The follower is so far behind that it needs a snapshot. The driver ships the bytes along; a receiver steps this into
 * its core once it holds all of them.
 */
export interface InstallSnapshot extends Envelope {
  readonly type: 'install-snapshot';
  readonly snapshot: SnapshotDescription;
}

/** The leader hands over: campaign now. */
export interface TimeoutNow extends Envelope {
  readonly type: 'timeout-now';
}

/** The chosen member can't lead. */
export interface TransferRefused extends Envelope {
  readonly type: 'transfer-refused';
}

/** Names one attempt at a read, never used twice: a delayed answer can't confirm a later attempt. */
export interface ReadAttempt {
  /** Drawn anew whenever a member starts. */
  readonly incarnation: number;
  readonly number: number;
}

/** A follower asks for the index that a linearizable read needs. */
export interface ReadRequest extends Envelope {
  readonly type: 'read-request';
  readonly attempt: ReadAttempt;
  readonly lease: boolean;
}

/** The leader led when the request had arrived, and had committed `index`. */
export interface ReadResponse extends Envelope {
  readonly type: 'read-response';
  readonly attempt: ReadAttempt;
  readonly index: LogIndex;
}

/** The leader can't take the read. */
export interface ReadRefused extends Envelope {
  readonly type: 'read-refused';
  readonly attempt: ReadAttempt;
}

/** Any message between members. */
export type Message =
  | PreVoteRequest
  | PreVoteResponse
  | VoteRequest
  | VoteResponse
  | AppendRequest
  | AppendAccepted
  | AppendRejected
  | Heartbeat
  | HeartbeatResponse
  | InstallSnapshot
  | TimeoutNow
  | TransferRefused
  | ReadRequest
  | ReadResponse
  | ReadRefused;

/** What a message is. */
export type MessageType = Message['type'];
