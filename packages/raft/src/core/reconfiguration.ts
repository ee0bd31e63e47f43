/**
 * Changes of the configuration while the cluster runs. One at a time, never before the term's first entry is
 * committed (Ongaro's note on raft-dev, July 2015), in force from the moment they are appended.
 */

import type { Leadership, Member } from './member.ts';
import type { MemberChange, MembershipPlan, Transition } from './membership.ts';
import { isJoint, planChange, planLeave } from './membership.ts';
import { trackMembers } from './roles.ts';
import type { LogIndex, Term } from './types.ts';
import { entryBytes } from './types.ts';

/** Why a change was not begun. Nothing was appended. */
export type ChangeRefusal =
  | 'not-leader'
  | 'transferring'
  /** An earlier change is not committed, or the joint configuration has not been left. */
  | 'change-pending'
  /** The leader has not committed anything in its term yet. Ask again shortly. */
  | 'not-ready'
  /** The wish itself breaks a rule; `message` says which. */
  | 'invalid';

/** What became of the wish. */
export type ChangeResult =
  | { readonly ok: true; readonly index: LogIndex; readonly term: Term }
  | { readonly ok: false; readonly reason: ChangeRefusal; readonly message: string };

/** Begins a change. */
export function changeConfiguration(
  member: Member,
  changes: readonly MemberChange[],
  transition: Transition,
): ChangeResult {
  return refusalOf(member) ?? adopt(member, planChange(member.log.configuration, changes, transition));
}

/** Leaves a joint configuration that doesn't leave by itself. */
export function leaveJointConfiguration(member: Member): ChangeResult {
  return refusalOf(member) ?? adopt(member, planLeave(member.log.configuration));
}

/**
 * The commit index may have moved. A joint configuration that is committed is left, by whoever leads then. A leader
 * that a committed configuration leaves out goes.
 */
export function afterCommit(member: Member, leadership: Leadership): void {
  const { log } = member;
  if (log.configurationIndex > log.committed || log.committed < leadership.startIndex) return;
  const { configuration } = log;
  if (isJoint(configuration)) {
    if (configuration.leaveAutomatically && leadership.transfer === undefined) {
      adopt(member, planLeave(configuration));
    }
  } else if (!configuration.voters.includes(member.id)) leadership.isResigning = true;
}

function refusalOf(member: Member): ChangeResult | undefined {
  const { leadership, log } = member;
  const refuse = (reason: ChangeRefusal, message: string): ChangeResult => ({ ok: false, reason, message });
  if (leadership === undefined || leadership.isResigning) {
    return refuse('not-leader', 'Only a leader changes the configuration.');
  }
  if (leadership.transfer !== undefined) return refuse('transferring', 'Leadership is being handed over.');
  if (log.committed < leadership.startIndex) {
    return refuse('not-ready', 'Nothing is committed in this term yet.');
  }
  if (log.configurationIndex > log.committed) {
    return refuse('change-pending', `The change at ${log.configurationIndex} is not committed yet.`);
  }
  return undefined;
}

function adopt(member: Member, plan: MembershipPlan): ChangeResult {
  const { leadership, log } = member;
  if (leadership === undefined) return { ok: false, reason: 'not-leader', message: 'Not a leader.' };
  if (!plan.ok) {
    const reason = isJoint(log.configuration) ? 'change-pending' : 'invalid';
    return { ok: false, reason, message: plan.message };
  }
  const entry = {
    kind: 'configuration' as const,
    index: log.lastIndex + 1,
    term: member.term,
    configuration: plan.configuration,
  };
  leadership.uncommittedBytes += entryBytes(entry);
  log.append(entry);
  trackMembers(member, leadership);
  return { ok: true, index: entry.index, term: entry.term };
}
