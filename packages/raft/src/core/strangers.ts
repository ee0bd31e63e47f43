/**
 * Who has no business with this member.
 *
 * An answer can only come from someone who was asked, a hand-over from the leader, and service is for members: from
 * anyone else even the term is not looked at, or it could depose a leader (etcd's raft refuses the same, as
 * ErrStepPeerNotFound).
 *
 * A leader or a candidate may be of a configuration that has not got here yet (Raft paper, §6), so one that is in none
 * known here is heard while this member hears no leader, and refused while it does: a leader that is heard has a quorum
 * of its own or goes within an election time-out, and whoever was elected past it is heard right then. The loyalty of
 * voters (thesis, §4.2.3), for whoever claims to lead as well. One that a committed configuration has removed can't be
 * of any that is still to come, as ids are not given twice, and is never heard.
 */

import type { Member } from './member.ts';
import { membersOf } from './membership.ts';
import type { Message } from './message.ts';
import type { MemberId } from './types.ts';

/** Whether a message comes from someone whose messages of that kind are not taken. */
export function isFromStranger(member: Member, { type, from }: Message): boolean {
  switch (type) {
    case 'append-request':
    case 'heartbeat':
    case 'install-snapshot':
    case 'vote-request':
    case 'pre-vote-request':
      return from !== member.leader && !isKnown(member, from) && !mayBeYetToCome(member, from);
    case 'timeout-now':
    case 'read-response':
    case 'read-refused':
      return from !== member.leader && !isKnown(member, from);
    default:
      return !isKnown(member, from);
  }
}

/** A member, or one that is being told of its removal. */
function isKnown(member: Member, id: MemberId): boolean {
  return member.leadership?.progress.has(id) === true || membersOf(member.log.configuration).includes(id);
}

/** Whether someone that the configuration in force does not name may be a member all the same. */
function mayBeYetToCome({ log, leader, isLoyal }: Member, id: MemberId): boolean {
  const committed = log.configurationAt(log.committed);
  // One that is left out by a configuration that is not committed may be the only one that can win.
  if (membersOf(committed).includes(id)) return true;
  if (committed.removed.includes(id)) return false;
  return leader === undefined || !isLoyal;
}
