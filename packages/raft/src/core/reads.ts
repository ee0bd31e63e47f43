/**
 * Linearizable reads without a log entry (thesis, §6.4): at the leader through a round of heartbeats or under its
 * lease, elsewhere by asking the leader. A read is handed back once the local state machine is far enough.
 */

import type { Leadership, Member } from './member.ts';
import type { ReadRefused, ReadRequest, ReadResponse } from './message.ts';
import { quorumValue } from './quorum.ts';
import type { ReadOrigin } from './read-queue.ts';
import type { ReadRefusal, ReadToken } from './ready.ts';
import { broadcastHeartbeat } from './replication.ts';
import type { LogIndex } from './types.ts';

/** Asks for a read. The answer, whatever it is, comes with a later `takeReady`. */
export function requestRead(member: Member, read: ReadToken, lease: boolean): void {
  const { leadership, leader, options } = member;
  const refuse = (reason: ReadRefusal) => {
    member.readResults.push({ kind: 'refused', read, reason });
  };
  if (member.fault !== undefined) refuse('faulted');
  else if (leadership !== undefined) registerRead(member, leadership, { kind: 'local', read }, lease);
  else if (leader === undefined) refuse('no-leader');
  else if (member.forwardedReads.length >= options.pendingReadsMax) refuse('busy');
  else {
    member.readAttempts++;
    const attempt = { incarnation: member.incarnation, number: member.readAttempts };
    member.forwardedReads.push({ read, attempt, deadline: member.clock + options.electionTicksMin });
    member.send({ type: 'read-request', from: member.id, to: leader, term: member.term, attempt, lease });
  }
}

/** Another member asks. */
export function receiveReadRequest(member: Member, request: ReadRequest): void {
  const origin: ReadOrigin = { kind: 'remote', member: request.from, attempt: request.attempt };
  if (member.leadership === undefined) refuseRead(member, origin, 'refused-by-leader');
  else registerRead(member, member.leadership, origin, request.lease);
}

/** The leader has answered a read of ours. An attempt that was given up is no longer known, and stays so. */
export function receiveReadAnswer(member: Member, answer: ReadResponse | ReadRefused): void {
  const { incarnation, number } = answer.attempt;
  if (incarnation !== member.incarnation) return;
  const at = member.forwardedReads.findIndex((forwarded) => forwarded.attempt.number === number);
  const forwarded = member.forwardedReads[at];
  if (forwarded === undefined) return;
  member.forwardedReads.splice(at, 1);
  if (answer.type === 'read-response')
    member.confirmedReads.push({ read: forwarded.read, index: answer.index });
  else member.readResults.push({ kind: 'refused', read: forwarded.read, reason: 'refused-by-leader' });
}

/** Begins a round for the reads that have come in since the last one. */
export function beginReadRound(member: Member, leadership: Leadership): void {
  if (!leadership.reads.begin()) return;
  broadcastHeartbeat(member, leadership);
  settleReads(member, leadership);
}

/** Answers the reads of all rounds that a quorum has confirmed. */
export function settleReads(member: Member, leadership: Leadership): void {
  const { reads, progress } = leadership;
  if (reads.size === 0) return;
  const round = quorumValue(member.log.configuration, (id) =>
    id === member.id ? reads.round : (progress.get(id)?.ackedRound ?? 0),
  );
  for (const { origin, index } of reads.confirmed(round)) answerRead(member, origin, index);
}

/** Hands out reads whose index the state machine has reached, and gives up those that waited too long for a leader. */
export function takeReads(member: Member): void {
  const { log, clock } = member;
  const done = member.confirmedReads.filter(({ index }) => index <= log.applied);
  if (done.length > 0) {
    member.confirmedReads = member.confirmedReads.filter(({ index }) => index > log.applied);
    for (const { read, index } of done) member.readResults.push({ kind: 'ready', read, index });
  }
  const late = member.forwardedReads.filter(({ deadline }) => clock >= deadline);
  if (late.length > 0) {
    member.forwardedReads = member.forwardedReads.filter(({ deadline }) => clock < deadline);
    for (const { read } of late) member.readResults.push({ kind: 'refused', read, reason: 'timed-out' });
  }
}

/**
 * May the leader answer without asking? A quorum has promised, for as long after a heartbeat was sent as the lease
 * lasts, to help nobody into its place. A transfer takes that promise back.
 */
export function hasLease(member: Member, leadership: Leadership): boolean {
  const { clock, options } = member;
  if (options.leaseTicks === 0 || leadership.transfer !== undefined || leadership.wasHandedOver) return false;
  const since = quorumValue(member.log.configuration, (id) =>
    id === member.id ? clock : (leadership.progress.get(id)?.ackedSent ?? Number.NEGATIVE_INFINITY),
  );
  return clock < since + options.leaseTicks;
}

function registerRead(member: Member, leadership: Leadership, origin: ReadOrigin, lease: boolean): void {
  const { reads, startIndex } = leadership;
  const { committed } = member.log;
  if (leadership.isResigning) refuseRead(member, origin, 'leadership-lost');
  else if (reads.size >= member.options.pendingReadsMax) refuseRead(member, origin, 'busy');
  else if (committed < startIndex) reads.wait(origin);
  else if (lease && hasLease(member, leadership)) answerRead(member, origin, committed);
  else reads.collect(origin, committed);
}

function answerRead(member: Member, origin: ReadOrigin, index: LogIndex): void {
  if (origin.kind === 'local') member.confirmedReads.push({ read: origin.read, index });
  else {
    const { member: to, attempt } = origin;
    member.send({ type: 'read-response', from: member.id, to, term: member.term, attempt, index });
  }
}

function refuseRead(member: Member, origin: ReadOrigin, reason: ReadRefusal): void {
  if (origin.kind === 'local') member.readResults.push({ kind: 'refused', read: origin.read, reason });
  else {
    const { member: to, attempt } = origin;
    member.send({ type: 'read-refused', from: member.id, to, term: member.term, attempt });
  }
}
