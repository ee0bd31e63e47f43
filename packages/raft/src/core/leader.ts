/** What a leader does of its own accord: commit, keep its quorum, give way when it can't serve. */

import type { Leadership, Member } from './member.ts';
import type { AppendAccepted, AppendRejected, HeartbeatResponse } from './message.ts';
import { quorumValue } from './quorum.ts';
import { settleReads } from './reads.ts';
import { afterCommit } from './reconfiguration.ts';
import { broadcastHeartbeat, entriesAccepted, entriesRejected, heartbeatAnswered } from './replication.ts';
import { becomeFollower } from './roles.ts';
import { driveTransfer, expireTransfer } from './transfer.ts';
import type { LogIndex, Term } from './types.ts';
import { entryBytes } from './types.ts';

/** Why a proposal was not taken. Nothing was appended. */
export type ProposalRefusal = 'not-leader' | 'transferring' | 'busy' | 'too-large' | 'faulted';

/** What became of a proposal. An accepted one may still be lost if the leadership is. */
export type ProposalResult =
  | { readonly ok: true; readonly first: LogIndex; readonly last: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly reason: ProposalRefusal };

/** Appends commands, all or none. */
export function proposeCommands(member: Member, payloads: readonly Uint8Array[]): ProposalResult {
  const { leadership, log, options } = member;
  if (member.fault !== undefined) return { ok: false, reason: 'faulted' };
  if (leadership === undefined || leadership.isResigning) return { ok: false, reason: 'not-leader' };
  if (leadership.transfer !== undefined) return { ok: false, reason: 'transferring' };
  if (payloads.some((payload) => payload.byteLength > options.proposalBytesMax)) {
    return { ok: false, reason: 'too-large' };
  }
  const first = log.lastIndex + 1;
  const entries = payloads.map((payload, at) => ({
    kind: 'command' as const,
    index: first + at,
    term: member.term,
    payload,
  }));
  const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
  // One proposal is always let through, so that a limit smaller than it can't block for ever.
  if (leadership.uncommittedBytes > 0 && leadership.uncommittedBytes + bytes > options.uncommittedBytesMax) {
    return { ok: false, reason: 'busy' };
  }
  leadership.uncommittedBytes += bytes;
  for (const entry of entries) log.append(entry);
  return { ok: true, first, last: log.lastIndex, term: member.term };
}

/**
 * Commits what a quorum has on disk, this member's own disk included or not. Only an entry of the present term is
 * counted; those before it are committed with it (Raft paper, §5.4.2).
 */
export function advanceCommit(member: Member, leadership: Leadership): void {
  const { log } = member;
  const index = quorumValue(log.configuration, (id) =>
    id === member.id ? member.persistence.durableIndex : (leadership.progress.get(id)?.match ?? 0),
  );
  if (index > leadership.quorumIndex) {
    leadership.quorumIndex = index;
    leadership.quorumMovedAt = member.clock;
  }
  if (index > log.committed && log.termAt(index) === member.term) {
    for (let at = log.committed + 1; at <= index; at++) {
      const entry = log.entryAt(at);
      if (entry !== undefined) leadership.uncommittedBytes -= entryBytes(entry);
    }
    log.commitTo(index);
    if (index >= leadership.startIndex) leadership.reads.release(log.committed);
  }
  afterCommit(member, leadership);
}

/** A tick of a leader's life. */
export function tickLeader(member: Member, leadership: Leadership): void {
  const { options, clock } = member;
  for (const [id, progress] of leadership.progress) {
    if (progress.departsAt !== undefined && clock >= progress.departsAt) leadership.progress.delete(id);
  }
  if (!hasQuorumContact(member, leadership) || isStalled(member, leadership)) {
    becomeFollower(member, member.term);
    return;
  }
  expireTransfer(member, leadership);
  afterCommit(member, leadership);
  leadership.heartbeatElapsed++;
  if (leadership.heartbeatElapsed >= options.heartbeatTicks) broadcastHeartbeat(member, leadership);
}

/** A follower has entries on disk. */
export function receiveAccepted(member: Member, leadership: Leadership, message: AppendAccepted): void {
  const progress = leadership.progress.get(message.from);
  if (progress === undefined || message.index > member.log.lastIndex) return;
  progress.lastContact = member.clock;
  entriesAccepted(progress, message, member.log.firstIndex);
  forgetDeparted(member, leadership, message);
  advanceCommit(member, leadership);
  driveTransfer(member, leadership, message.from);
}

/** A follower could not attach what it was sent. */
export function receiveRejected(member: Member, leadership: Leadership, message: AppendRejected): void {
  const progress = leadership.progress.get(message.from);
  if (progress === undefined) return;
  progress.lastContact = member.clock;
  entriesRejected(member, progress, message);
}

/** A follower is alive, still follows, and confirms reads. */
export function receiveHeartbeatResponse(
  member: Member,
  leadership: Leadership,
  message: HeartbeatResponse,
): void {
  const progress = leadership.progress.get(message.from);
  if (progress === undefined) return;
  progress.lastContact = member.clock;
  heartbeatAnswered(member, progress, message);
  settleReads(member, leadership);
  driveTransfer(member, leadership, message.from);
}

/** A leader that its voters can't answer must not go on: clients would wait, and bridge members stay loyal to it. */
function hasQuorumContact(member: Member, leadership: Leadership): boolean {
  const contact = quorumValue(member.log.configuration, (id) =>
    id === member.id ? member.clock : (leadership.progress.get(id)?.lastContact ?? Number.NEGATIVE_INFINITY),
  );
  return member.clock - contact < member.options.electionTicksMin;
}

/**
 * Heartbeats go out whatever the disks do, so a leader that gets nowhere has to notice by itself: when its own disk
 * stands still, since it could neither apply nor answer, or when a quorum's does. A quorum that waits for a snapshot
 * to arrive is not stuck, and one that is catching up is moving.
 */
function isStalled(member: Member, leadership: Leadership): boolean {
  const { log, clock, options, persistence } = member;
  const { durableIndex } = persistence;
  if (durableIndex === log.lastIndex || durableIndex > leadership.diskIndex) leadership.diskMovedAt = clock;
  leadership.diskIndex = durableIndex;
  const isInstalling = [...leadership.progress.values()].some(({ state }) => state === 'snapshot');
  if (log.committed === log.lastIndex || isInstalling) leadership.quorumMovedAt = clock;
  const movedAt = Math.min(leadership.diskMovedAt, leadership.quorumMovedAt);
  return clock - movedAt >= options.commitStallTicks;
}

/** A removed member that holds the entry of its removal, and was told that it is committed, needs no more. */
function forgetDeparted(member: Member, leadership: Leadership, message: AppendAccepted): void {
  const progress = leadership.progress.get(message.from);
  if (progress?.departsAt === undefined) return;
  const { configurationIndex } = member.log;
  if (progress.match >= configurationIndex && progress.sentCommit >= configurationIndex) {
    leadership.progress.delete(message.from);
  }
}
