/** How a leader feeds the others: one question at a time until the logs agree, then a stream inside a window. */

import type { Leadership, Member } from './member.ts';
import type { AppendAccepted, AppendRejected, HeartbeatResponse } from './message.ts';
import type { Progress } from './progress.ts';
import type { MemberId } from './types.ts';
import { entryBytes } from './types.ts';

/** Sends each member what it may have now. Called once per `takeReady`, so that proposals travel together. */
export function replicate(member: Member, leadership: Leadership): void {
  for (const [id, progress] of leadership.progress) feed(member, id, progress);
}

/** Sends everyone a heartbeat, with the newest round of reads. */
export function broadcastHeartbeat(member: Member, leadership: Leadership): void {
  leadership.heartbeatElapsed = 0;
  for (const [to, progress] of leadership.progress) {
    member.send({
      type: 'heartbeat',
      from: member.id,
      to,
      term: member.term,
      commit: Math.min(progress.match, member.log.committed),
      round: leadership.reads.round,
      sent: member.clock,
    });
  }
}

/** A follower holds more. */
export function entriesAccepted(progress: Progress, message: AppendAccepted, firstIndex: number): void {
  const isNews = progress.accepted(message.index);
  if (progress.state === 'probe' && (isNews || message.index === progress.match)) progress.becomeReplicate();
  // Whichever way it got there, it can go on from entries that are still here.
  else if (progress.state === 'snapshot' && progress.match + 1 >= firstIndex) progress.becomeReplicate();
}

/** A follower's log differs, or ends too early: go back, whole terms at a time. */
export function entriesRejected(member: Member, progress: Progress, message: AppendRejected): void {
  if (message.index <= progress.match || progress.state === 'snapshot') return;
  if (progress.state === 'replicate') progress.becomeProbe();
  else if (progress.next - 1 !== message.index) return;
  const agreement = member.log.agreementBefore(message.hintIndex, message.hintTerm);
  progress.next = Math.max(progress.match + 1, Math.min(message.index, agreement.index + 1));
  progress.isPaused = false;
}

/** A follower is alive: ask again, and if something should have arrived by now, whether it has. */
export function heartbeatAnswered(member: Member, progress: Progress, message: HeartbeatResponse): void {
  progress.ackedRound = Math.max(progress.ackedRound, message.round);
  progress.ackedSent = Math.max(progress.ackedSent, message.sent);
  progress.isPaused = false;
  if (progress.state === 'replicate' && progress.match < member.log.lastIndex) progress.isCheckDue = true;
}

/** Messages to a follower are known to be lost: stop streaming. */
export function becameUnreachable(progress: Progress): void {
  if (progress.state === 'replicate') progress.becomeProbe();
}

function feed(member: Member, to: MemberId, progress: Progress): void {
  const { log } = member;
  if (progress.state === 'probe') {
    if (progress.isPaused || !sendEntries(member, to, progress)) return;
    progress.isPaused = true;
    return;
  }
  while (progress.state === 'replicate' && !progress.window.isFull && progress.next <= log.lastIndex) {
    const first = progress.next;
    if (!sendEntries(member, to, progress)) return;
    if (progress.next === first) return;
  }
  if (progress.state !== 'replicate') return;
  const commit = Math.min(log.committed, progress.next - 1);
  if (progress.isCheckDue || progress.sentCommit < commit) sendEmpty(member, to, progress);
  progress.isCheckDue = false;
}

/** Sends the next entries, or the snapshot that must come first. Returns whether entries were sent. */
function sendEntries(member: Member, to: MemberId, progress: Progress): boolean {
  const { log, options } = member;
  const prevIndex = progress.next - 1;
  const prevTerm = log.termAt(prevIndex);
  if (prevTerm === undefined) {
    sendSnapshot(member, to, progress);
    return false;
  }
  const entries = log.slice(progress.next, log.lastIndex, options.appendBytesMax, options.appendEntriesMax);
  if (progress.state === 'replicate' && entries.length > 0) {
    const bytes = entries.reduce((sum, entry) => sum + entryBytes(entry), 0);
    progress.next += entries.length;
    progress.window.add(progress.next - 1, bytes);
  }
  progress.sentCommit = Math.min(log.committed, prevIndex + entries.length);
  progress.isCheckDue = false;
  member.send({
    type: 'append-request',
    from: member.id,
    to,
    term: member.term,
    prevIndex,
    prevTerm,
    entries,
    commit: log.committed,
  });
  return true;
}

/** Tells the commit index, and learns whether everything sent so far has arrived. Takes no room in the window. */
function sendEmpty(member: Member, to: MemberId, progress: Progress): void {
  const prevIndex = progress.next - 1;
  const prevTerm = member.log.termAt(prevIndex);
  if (prevTerm === undefined) {
    sendSnapshot(member, to, progress);
    return;
  }
  progress.sentCommit = Math.min(member.log.committed, prevIndex);
  member.send({
    type: 'append-request',
    from: member.id,
    to,
    term: member.term,
    prevIndex,
    prevTerm,
    entries: [],
    commit: member.log.committed,
  });
}

function sendSnapshot(member: Member, to: MemberId, progress: Progress): void {
  const { log, options, clock } = member;
  const snapshot = log.snapshot;
  // No use in streaming it at a member that does not answer.
  if (snapshot === undefined || clock - progress.lastContact > options.electionTicksMin) return;
  progress.becomeSnapshot(snapshot.index);
  member.send({ type: 'install-snapshot', from: member.id, to, term: member.term, snapshot });
}
