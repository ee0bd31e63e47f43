/**
 * Who has no business with this member. A leader or a candidate may be of a configuration that has not got here yet, so
 * what it asks is taken whoever it is (Raft paper, §6). An answer can only come from someone who was asked, and service
 * is for members: from anyone else even its term is not looked at, or it could depose a leader (etcd's raft refuses the
 * same, as ErrStepPeerNotFound).
 */

import type { Member } from './member.ts';
import { membersOf } from './membership.ts';
import type { Message } from './message.ts';

/** Whether a message comes from someone whose messages of that kind are not taken. */
export function isFromStranger(member: Member, { type, from }: Message): boolean {
  switch (type) {
    case 'append-request':
    case 'heartbeat':
    case 'install-snapshot':
    case 'vote-request':
    case 'pre-vote-request':
    case 'timeout-now':
      return false;
    case 'read-response':
    case 'read-refused':
      return from !== member.leader && !isKnown(member, from);
    default:
      return !isKnown(member, from);
  }
}

/** A member, or one that is being told of its removal. */
function isKnown(member: Member, id: string): boolean {
  return member.leadership?.progress.has(id) === true || membersOf(member.log.configuration).includes(id);
}
