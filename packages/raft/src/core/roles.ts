/** How a member takes a part and leaves it. Only state changes here; what a part does is in its own module. */

import { InflightWindow } from './inflight.ts';
import type { Leadership, Member } from './member.ts';
import { membersOf } from './membership.ts';
import { Progress } from './progress.ts';
import { ReadQueue } from './read-queue.ts';
import type { ReadRefusal } from './ready.ts';
import type { MemberId, Term } from './types.ts';
import { entryBytes } from './types.ts';

/** Follows, `leader` if known. A higher term forgets the vote; leaving a leadership ends what hung on it. */
export function becomeFollower(member: Member, term: Term, leader?: MemberId): void {
  const { options } = member;
  endLeadership(member);
  if (term > member.term) {
    member.term = term;
    member.vote = undefined;
  }
  member.role = { kind: 'follower' };
  follow(member, leader);
  member.setElectionTimer(options.electionTicksMin, options.electionTicksMax);
  member.isRoleChanged = true;
}

/** Notes who leads. Reads that were sent to another leader will not be answered. */
export function follow(member: Member, leader: MemberId | undefined): void {
  if (member.leader !== leader) {
    member.isRoleChanged = true;
    refuseForwardedReads(member, 'leadership-lost');
  }
  member.leader = leader;
}

/** Asks whether a campaign could be won. Neither term nor vote change. */
export function becomePreCandidate(member: Member): void {
  const { options } = member;
  member.role = { kind: 'pre-candidate', votes: new Map([[member.id, true]]) };
  follow(member, undefined);
  member.setElectionTimer(options.campaignTicksMin, options.campaignTicksMax);
  member.isRoleChanged = true;
}

/** Campaigns in the next term. Its own vote counts only once it is on disk. */
export function becomeCandidate(member: Member, transfer: boolean): void {
  const { options } = member;
  member.term += 1;
  member.vote = member.id;
  member.role = { kind: 'candidate', votes: new Map(), transfer };
  follow(member, undefined);
  member.setElectionTimer(options.campaignTicksMin, options.campaignTicksMax);
  member.isRoleChanged = true;
}

/**
 * Leads. Begins the term with an empty entry: only an entry of its own term may be committed by counting, and with it
 * everything before (Raft paper, §5.4.2 and figure 8).
 */
export function becomeLeader(member: Member): void {
  const { log } = member;
  let uncommittedBytes = 0;
  for (let index = log.committed + 1; index <= log.lastIndex; index++) {
    const entry = log.entryAt(index);
    if (entry !== undefined) uncommittedBytes += entryBytes(entry);
  }
  const leadership: Leadership = {
    progress: new Map(),
    reads: new ReadQueue(),
    startIndex: log.lastIndex + 1,
    heartbeatElapsed: member.options.heartbeatTicks,
    uncommittedBytes,
    quorumIndex: 0,
    quorumMovedAt: member.clock,
    diskIndex: 0,
    diskMovedAt: member.clock,
    transfer: undefined,
    wasHandedOver: false,
    isResigning: false,
  };
  member.role = { kind: 'leader', leadership };
  follow(member, member.id);
  trackMembers(member, leadership);
  const beginning = { kind: 'empty', index: log.lastIndex + 1, term: member.term } as const;
  log.append(beginning);
  leadership.uncommittedBytes += entryBytes(beginning);
  member.isRoleChanged = true;
}

/** Follows the configuration in force: new members are probed, those that left are told of it for a while. */
export function trackMembers(member: Member, leadership: Leadership): void {
  const { options, log, clock } = member;
  const members = new Set(membersOf(log.configuration));
  members.delete(member.id);
  for (const [id, progress] of leadership.progress) {
    if (!members.has(id)) progress.departsAt ??= clock + options.departingTicks;
  }
  for (const id of members) {
    const known = leadership.progress.get(id);
    if (known === undefined) {
      const window = new InflightWindow(options.inflightMessagesMax, options.inflightBytesMax);
      leadership.progress.set(id, new Progress(log.lastIndex + 1, clock, window));
    } else known.departsAt = undefined;
  }
}

/** Reads that were sent elsewhere end here. */
export function refuseForwardedReads(member: Member, reason: ReadRefusal): void {
  for (const { read } of member.forwardedReads) member.readResults.push({ kind: 'refused', read, reason });
  member.forwardedReads = [];
}

function endLeadership(member: Member): void {
  const leadership = member.leadership;
  if (leadership === undefined) return;
  for (const origin of leadership.reads.drain()) {
    if (origin.kind === 'local') {
      member.readResults.push({ kind: 'refused', read: origin.read, reason: 'leadership-lost' });
    }
  }
}
