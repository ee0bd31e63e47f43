/** Elections: who asks for votes, who gets one (Raft paper, §5.2 and §5.4.1; thesis, §9.6 for the pre-vote). */

import type { Member } from './member.ts';
import type { PreVoteRequest, PreVoteResponse, TimeoutNow, VoteRequest, VoteResponse } from './message.ts';
import { quorumOutcome } from './quorum.ts';
import { becomeCandidate, becomeFollower, becomeLeader, becomePreCandidate } from './roles.ts';
import type { MemberId } from './types.ts';

/** The election timer has run out: ask first. */
export function startPreVote(member: Member): void {
  becomePreCandidate(member);
  if (settlePreVote(member)) return;
  for (const to of electorate(member)) {
    member.send({
      type: 'pre-vote-request',
      from: member.id,
      to,
      term: member.term + 1,
      lastIndex: member.log.lastIndex,
      lastTerm: member.log.lastTerm,
    });
  }
}

/** Campaigns in earnest. The requests wait for the disk: they speak of a term, a vote and a log that must not be lost. */
export function startCampaign(member: Member, transfer: boolean): void {
  becomeCandidate(member, transfer);
  for (const to of electorate(member)) {
    member.sendWhenDurable({
      type: 'vote-request',
      from: member.id,
      to,
      term: member.term,
      lastIndex: member.log.lastIndex,
      lastTerm: member.log.lastTerm,
      transfer,
    });
  }
}

/** Answers without changing anything: no term, no vote, no timer. */
export function answerPreVote(member: Member, request: PreVoteRequest): void {
  const granted =
    member.fault === undefined &&
    !member.isLoyal &&
    request.term > member.term &&
    member.log.isUpToDate({ index: request.lastIndex, term: request.lastTerm });
  member.send({
    type: 'pre-vote-response',
    from: member.id,
    to: request.from,
    term: granted ? request.term : member.term,
    granted,
  });
}

/** Votes, at most once in a term, whatever it believes of its own membership: it may have missed its promotion. */
export function answerVote(member: Member, request: VoteRequest): void {
  const isFree = member.vote === undefined && member.leader === undefined;
  const granted =
    member.fault === undefined &&
    (isFree || member.vote === request.from) &&
    member.log.isUpToDate({ index: request.lastIndex, term: request.lastTerm });
  if (granted) {
    if (member.role.kind === 'pre-candidate') becomeFollower(member, member.term);
    member.vote = request.from;
    member.setElectionTimer(member.options.electionTicksMin, member.options.electionTicksMax);
  }
  const response = {
    type: 'vote-response',
    from: member.id,
    to: request.from,
    term: member.term,
    granted,
  } as const;
  if (granted) member.sendWhenDurable(response);
  else member.send(response);
}

/** Someone answered the question before the campaign. */
export function countPreVote(member: Member, response: PreVoteResponse): void {
  if (member.role.kind !== 'pre-candidate') return;
  if (response.granted && response.term !== member.term + 1) return;
  member.role.votes.set(response.from, response.granted);
  settlePreVote(member);
}

/** Someone answered the campaign. */
export function countVote(member: Member, response: VoteResponse): void {
  if (member.role.kind !== 'candidate') return;
  member.role.votes.set(response.from, response.granted);
  settleVote(member);
}

/** This member's own vote has reached the disk, and counts from now on. */
export function countOwnVote(member: Member): void {
  const { role, persistence } = member;
  if (role.kind !== 'candidate' || role.votes.has(member.id)) return;
  if (persistence.durableTerm !== member.term || persistence.durableVote !== member.id) return;
  role.votes.set(member.id, true);
  settleVote(member);
}

/** The leader hands over: campaign at once, past everyone's loyalty, or say that it can't be. */
export function takeOver(member: Member, request: TimeoutNow): void {
  if (member.role.kind === 'leader') return;
  if (member.isPromotable) startCampaign(member, true);
  else member.send({ type: 'transfer-refused', from: member.id, to: request.from, term: member.term });
}

function electorate(member: Member): MemberId[] {
  const { voters, outgoing } = member.log.configuration;
  return [...new Set([...voters, ...outgoing])].filter((id) => id !== member.id);
}

/** Returns whether the question is decided. */
function settlePreVote(member: Member): boolean {
  if (member.role.kind !== 'pre-candidate') return true;
  const outcome = quorumOutcome(member.log.configuration, member.role.votes);
  if (outcome === 'won') startCampaign(member, false);
  else if (outcome === 'lost') giveUp(member);
  return outcome !== 'pending';
}

function settleVote(member: Member): void {
  if (member.role.kind !== 'candidate') return;
  const outcome = quorumOutcome(member.log.configuration, member.role.votes);
  if (outcome === 'won') becomeLeader(member);
  else if (outcome === 'lost') giveUp(member);
}

/** Lost: wait a little, at random, and ask again. */
function giveUp(member: Member): void {
  becomeFollower(member, member.term);
  member.setElectionTimer(member.options.campaignTicksMin, member.options.campaignTicksMax);
}
