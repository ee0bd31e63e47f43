/** Where a message goes: terms are settled first, then the role decides (Raft paper, §5.1). */

import { answerPreVote, answerVote, countPreVote, countVote, takeOver } from './campaign.ts';
import { heardLeader, receiveEntries, receiveHeartbeat, receiveSnapshot } from './follower.ts';
import { receiveAccepted, receiveHeartbeatResponse, receiveRejected } from './leader.ts';
import type { Leadership, Member } from './member.ts';
import type { Message } from './message.ts';
import { receiveReadAnswer, receiveReadRequest } from './reads.ts';
import { becomeFollower } from './roles.ts';
import { abandonTransfer } from './transfer.ts';

/** Takes one message. */
export function receive(member: Member, message: Message): void {
  if (message.type === 'pre-vote-request') {
    answerPreVote(member, message);
    return;
  }
  // However high its term, a campaign that the leader did not ask for waits until the leader has been silent.
  if (message.type === 'vote-request' && !message.transfer && member.isLoyal) return;
  if (message.term > member.term) {
    if (message.type === 'pre-vote-response' && message.granted) countPreVote(member, message);
    else adoptTerm(member, message);
  } else if (message.term < member.term) {
    answerThePast(member, message);
    return;
  }
  if (message.term === member.term) receiveInTerm(member, message);
}

function adoptTerm(member: Member, message: Message): void {
  becomeFollower(member, message.term);
  if (message.type === 'pre-vote-response') {
    // The campaign failed for want of this term alone; the next one need not wait long.
    member.setElectionTimer(member.options.campaignTicksMin, member.options.campaignTicksMax);
  }
}

/** Tells a member of the past which term it is, so that it neither leads nor campaigns in vain. */
function answerThePast(member: Member, message: Message): void {
  const envelope = { from: member.id, to: message.from, term: member.term };
  switch (message.type) {
    case 'append-request':
    case 'heartbeat':
    case 'install-snapshot':
      member.send({ type: 'append-rejected', ...envelope, index: 0, hintIndex: 0, hintTerm: 0 });
      return;
    case 'vote-request':
      member.send({ type: 'vote-response', ...envelope, granted: false });
      return;
    default:
      return;
  }
}

function receiveInTerm(member: Member, message: Message): void {
  switch (message.type) {
    case 'append-request':
      heardLeader(member, message);
      receiveEntries(member, message);
      return;
    case 'heartbeat':
      heardLeader(member, message);
      receiveHeartbeat(member, message);
      return;
    case 'install-snapshot':
      heardLeader(member, message);
      receiveSnapshot(member, message);
      return;
    case 'vote-request':
      answerVote(member, message);
      return;
    case 'pre-vote-response':
      countPreVote(member, message);
      return;
    case 'vote-response':
      countVote(member, message);
      return;
    case 'timeout-now':
      takeOver(member, message);
      return;
    case 'read-request':
      receiveReadRequest(member, message);
      return;
    case 'read-response':
    case 'read-refused':
      receiveReadAnswer(member, message);
      return;
    default:
      if (member.leadership !== undefined) receiveAsLeader(member, member.leadership, message);
  }
}

function receiveAsLeader(member: Member, leadership: Leadership, message: Message): void {
  switch (message.type) {
    case 'append-accepted':
      receiveAccepted(member, leadership, message);
      return;
    case 'append-rejected':
      receiveRejected(member, leadership, message);
      return;
    case 'heartbeat-response':
      receiveHeartbeatResponse(member, leadership, message);
      return;
    case 'transfer-refused':
      if (leadership.transfer?.target === message.from) abandonTransfer(member, leadership, 'refused');
      return;
    default:
      return;
  }
}
