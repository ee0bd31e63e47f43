/** How a member stands, for health pages, tests and the eyes of an operator. */

import type { Member } from './member.ts';
import type { ProgressState } from './progress.ts';
import { hasLease } from './reads.ts';
import type { Configuration, LogIndex, MemberId, RoleName, Term } from './types.ts';

/** What a leader knows of one other member. */
export interface ProgressStatus {
  readonly state: ProgressState;
  readonly match: LogIndex;
  readonly next: LogIndex;
  readonly inflightMessages: number;
  readonly inflightBytes: number;
  readonly isPaused: boolean;
}

/** One member, at one moment. */
export interface RaftStatus {
  readonly id: MemberId;
  readonly role: RoleName;
  readonly term: Term;
  readonly vote: MemberId | undefined;
  readonly leader: MemberId | undefined;
  readonly firstIndex: LogIndex;
  readonly lastIndex: LogIndex;
  readonly lastTerm: Term;
  /** The log is on this member's disk up to here. */
  readonly durableIndex: LogIndex;
  readonly committed: LogIndex;
  readonly applied: LogIndex;
  readonly snapshotIndex: LogIndex;
  readonly configuration: Configuration;
  readonly configurationIndex: LogIndex;
  readonly hasLease: boolean;
  readonly transferTarget: MemberId | undefined;
  readonly pendingReads: number;
  readonly uncommittedBytes: number;
  readonly fault: string | undefined;
  /** Of the other members, at the leader; empty elsewhere. */
  readonly progress: ReadonlyMap<MemberId, ProgressStatus>;
}

/** Reads the state; changes nothing. */
export function statusOf(member: Member): RaftStatus {
  const { id, role, term, vote, leader, log, persistence, leadership, fault } = member;
  const progress = new Map<MemberId, ProgressStatus>();
  for (const [peer, { state, match, next, window, isPaused }] of leadership?.progress ?? []) {
    const { count: inflightMessages, bytes: inflightBytes } = window;
    progress.set(peer, { state, match, next, inflightMessages, inflightBytes, isPaused });
  }
  return {
    id,
    role: role.kind,
    term,
    vote,
    leader,
    firstIndex: log.firstIndex,
    lastIndex: log.lastIndex,
    lastTerm: log.lastTerm,
    durableIndex: persistence.durableIndex,
    committed: log.committed,
    applied: log.applied,
    snapshotIndex: log.snapshot?.index ?? 0,
    configuration: log.configuration,
    configurationIndex: log.configurationIndex,
    hasLease: leadership !== undefined && hasLease(member, leadership),
    transferTarget: leadership?.transfer?.target,
    pendingReads: (leadership?.reads.size ?? 0) + member.forwardedReads.length + member.confirmedReads.length,
    uncommittedBytes: leadership?.uncommittedBytes ?? 0,
    fault,
    progress,
  };
}
