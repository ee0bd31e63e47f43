/** What a follower does with what a leader sends (Raft paper, §5.3 and §7). */

import { RaftError } from './errors.ts';
import type { Member } from './member.ts';
import type { AppendRequest, Heartbeat, InstallSnapshot, Message } from './message.ts';
import { becomeFollower, follow } from './roles.ts';
import type { LogIndex } from './types.ts';

/** A leader of this term was heard: follow it. */
export function heardLeader(member: Member, message: Message): void {
  if (member.role.kind === 'leader') {
    throw new RaftError(
      'invariant-violated',
      `${message.from} and ${member.id} both lead term ${member.term}`,
    );
  }
  if (member.role.kind !== 'follower') becomeFollower(member, member.term, message.from);
  else follow(member, message.from);
  member.leaderContact = member.clock;
  if (member.electionTimeout < member.options.electionTicksMin) {
    // A short timer was left by a lost campaign; there is a leader now.
    member.setElectionTimer(member.options.electionTicksMin, member.options.electionTicksMax);
  }
  member.electionElapsed = 0;
}

/** Appends what fits, refuses what has nothing to attach to. */
export function receiveEntries(member: Member, request: AppendRequest): void {
  const { log } = member;
  if (request.prevIndex < log.committed) {
    // A late message, or one from before a snapshot: what is committed is the same everywhere.
    accept(member, request, log.committed);
    return;
  }
  if (log.termAt(request.prevIndex) !== request.prevTerm) {
    const hint = log.agreementBefore(Math.min(request.prevIndex, log.lastIndex), request.prevTerm);
    member.send({
      type: 'append-rejected',
      from: member.id,
      to: request.from,
      term: member.term,
      index: request.prevIndex,
      hintIndex: hint.index,
      hintTerm: hint.term,
    });
    return;
  }
  const cut = log.merge(request.entries);
  if (cut !== undefined) member.persistence.truncated(cut);
  const verified = request.prevIndex + request.entries.length;
  log.commitTo(Math.min(request.commit, verified));
  accept(member, request, verified);
}

/** Answers the leader and learns what is committed of what it is known to hold. */
export function receiveHeartbeat(member: Member, heartbeat: Heartbeat): void {
  if (heartbeat.commit > member.log.lastIndex) {
    // The leader commits here only what this member had acknowledged from its disk. The disk has forgotten it.
    member.fault = 'log-regressed';
    member.isFaultNew = true;
    becomeFollower(member, member.term);
    return;
  }
  member.log.commitTo(heartbeat.commit);
  member.send({
    type: 'heartbeat-response',
    from: member.id,
    to: heartbeat.from,
    term: member.term,
    round: heartbeat.round,
    sent: heartbeat.sent,
  });
}

/** Takes a snapshot whose bytes have all arrived, unless the log is as far already. */
export function receiveSnapshot(member: Member, message: InstallSnapshot): void {
  const { log } = member;
  const { snapshot } = message;
  if (snapshot.index <= log.committed) {
    accept(member, message, log.committed);
    return;
  }
  if (log.termAt(snapshot.index) === snapshot.term) {
    log.commitTo(snapshot.index);
    accept(member, message, snapshot.index);
    return;
  }
  member.persistence.restored(snapshot, log.committed);
  log.restore(snapshot);
  member.pendingRestore = true;
  accept(member, message, snapshot.index);
}

function accept(member: Member, message: Message, index: LogIndex): void {
  member.sendWhenDurable({
    type: 'append-accepted',
    from: member.id,
    to: message.from,
    term: member.term,
    index,
  });
}
