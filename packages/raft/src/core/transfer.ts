/** Handing leadership over on purpose (thesis, §3.10): stop, let the target catch up, tell it to campaign at once. */

import type { Leadership, Member } from './member.ts';
import type { TransferFailure } from './ready.ts';
import type { MemberId } from './types.ts';

/** Why a transfer was not begun. */
export type TransferRefusal = 'not-leader' | 'transferring' | 'not-a-voter';

/** Whether it was begun. How it ended shows in a change of role, or in a transfer failure. */
export type TransferResult = { readonly ok: true } | { readonly ok: false; readonly reason: TransferRefusal };

/** Begins to hand over to `target`. From here on proposals are refused, until it succeeds or is given up. */
export function startTransfer(member: Member, target: MemberId): TransferResult {
  const { leadership, log, clock, options } = member;
  if (leadership === undefined || leadership.isResigning) return { ok: false, reason: 'not-leader' };
  if (leadership.transfer !== undefined) return { ok: false, reason: 'transferring' };
  if (target === member.id) return { ok: true };
  const progress = leadership.progress.get(target);
  if (progress === undefined || !log.configuration.voters.includes(target)) {
    return { ok: false, reason: 'not-a-voter' };
  }
  leadership.transfer = { target, deadline: clock + options.transferTicks };
  progress.isPaused = false;
  driveTransfer(member, leadership, target);
  return { ok: true };
}

/** The target was heard of: if it holds everything, tell it. Said again as often as it is heard, should it be lost. */
export function driveTransfer(member: Member, leadership: Leadership, heard: MemberId): void {
  const { transfer } = leadership;
  if (transfer?.target !== heard) return;
  if (leadership.progress.get(heard)?.match !== member.log.lastIndex) return;
  // However late that message arrives, it sets voters free from their loyalty: no lease in this term from now on.
  leadership.wasHandedOver = true;
  member.send({ type: 'timeout-now', from: member.id, to: heard, term: member.term });
}

/** Gives up on a target that took too long or left. */
export function expireTransfer(member: Member, leadership: Leadership): void {
  const { transfer } = leadership;
  if (transfer === undefined) return;
  if (!member.log.configuration.voters.includes(transfer.target)) {
    abandonTransfer(member, leadership, 'target-removed');
  } else if (member.clock >= transfer.deadline) abandonTransfer(member, leadership, 'timed-out');
}

/** Takes proposals again. */
export function abandonTransfer(
  member: Member,
  leadership: Leadership,
  reason: TransferFailure['reason'],
): void {
  if (leadership.transfer === undefined) return;
  member.transferFailure = { target: leadership.transfer.target, reason };
  leadership.transfer = undefined;
}
