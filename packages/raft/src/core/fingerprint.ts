/** A member's whole state as text, so that a search can tell whether it has been there. */

import type { Leadership, Member } from './member.ts';
import type { Progress } from './progress.ts';

/**
 * Equal for two members of one id exactly if they do the same from here on. An entry is told by its index and term, which
 * name it in the whole cluster. Ticks are counted from now, and deadlines that are further away than `horizon` are equal.
 */
export function fingerprintOf(member: Member, horizon: number): string {
  const { log, role, options, clock } = member;
  const within = (deadline: number) => (deadline - clock > horizon ? 'far' : Math.max(0, deadline - clock));
  const terms: (number | undefined)[] = [];
  for (let index = log.firstIndex - 1; index <= log.lastIndex; index++) terms.push(log.termAt(index));
  const { configuration } = log;
  return [
    member.term,
    member.vote ?? '',
    role.kind,
    'votes' in role ? [...role.votes].sort().join(' ') : '',
    'transfer' in role ? role.transfer : '',
    member.leader ?? '',
    member.fault ?? '',
    member.electionTimeout - member.electionElapsed,
    within(member.leaderContact + options.electionTicksMin),
    `${log.firstIndex}:${terms.join()}`,
    log.committed,
    log.applied,
    log.snapshot?.index ?? '',
    `${log.configurationIndex} ${configuration.voters}/${configuration.outgoing}/${configuration.learners}`,
    member.persistence.portrait,
    member.applying,
    member.pendingRestore,
    `${member.incarnation} ${member.readAttempts}`,
    member.forwardedReads.map(({ read, deadline }) => `${read}@${within(deadline)}`).join(),
    member.confirmedReads.map(({ read, index }) => `${read}@${index}`).join(),
    member.leadership === undefined ? '' : leadershipText(member, member.leadership, within),
  ].join('|');
}

function leadershipText(
  member: Member,
  leadership: Leadership,
  within: (deadline: number) => number | string,
): string {
  const { options } = member;
  const { transfer } = leadership;
  const progressText = (progress: Progress) =>
    [
      progress.state,
      progress.match,
      progress.next,
      progress.isPaused,
      progress.isCheckDue,
      progress.snapshotIndex,
      progress.sentCommit,
      within(progress.lastContact + options.electionTicksMin),
      progress.ackedRound,
      within(progress.ackedSent + options.leaseTicks),
      progress.departsAt === undefined ? '' : within(progress.departsAt),
      progress.window.ends.join('+'),
    ].join();
  return [
    ...[...leadership.progress].sort().map(([id, progress]) => `${id}=${progressText(progress)}`),
    leadership.reads.portrait,
    leadership.startIndex,
    leadership.heartbeatElapsed,
    leadership.quorumIndex,
    within(leadership.quorumMovedAt + options.commitStallTicks),
    leadership.diskIndex,
    within(leadership.diskMovedAt + options.commitStallTicks),
    transfer === undefined ? '' : `${transfer.target} ${within(transfer.deadline)}`,
    leadership.wasHandedOver,
    leadership.isResigning,
  ].join(';');
}
