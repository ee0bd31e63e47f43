/** Changes of the membership and the hand-over of leadership, from the wish to its one answer. */

import type { MemberChange, Transition } from '../core/membership.ts';
import { isJoint, membersOf } from '../core/membership.ts';
import type { TransferFailure } from '../core/ready.ts';
import type { ChangeRefusal } from '../core/reconfiguration.ts';
import type { TransferRefusal } from '../core/transfer.ts';
import type { LogIndex, MemberId } from '../core/types.ts';
import { brokenTimeout } from './arguments.ts';
import type { Driver } from './driver.ts';
import type { RaftNodeSettings } from './options.ts';

/** How a change of the membership ended. */
export type ChangeOutcome =
  /** In force, committed, and applied here; a joint configuration was left. */
  | { readonly kind: 'committed'; readonly index: LogIndex }
  /** It was not begun. */
  | {
      readonly kind: 'rejected';
      readonly reason: ChangeRefusal | 'not-caught-up' | 'closed';
      readonly message: string;
      /** Who leads, if known: ask there. */
      readonly leader?: MemberId;
    }
  /** It was begun, and leadership was lost before it was known to be committed. */
  | {
      readonly kind: 'unknown';
      readonly reason: 'leadership-lost' | 'timeout' | 'closed';
      readonly message: string;
    };

/** How a hand-over ended. */
export type TransferOutcome =
  | { readonly kind: 'transferred'; readonly leader: MemberId }
  | {
      readonly kind: 'refused';
      readonly reason: TransferRefusal | TransferFailure['reason'] | 'lost-to-another' | 'closed';
      readonly leader?: MemberId;
    };

const CATCH_UP_MS = 60_000;

/** See `RaftNode.changeMembers`. */
export async function changeMembers(
  driver: Driver | undefined,
  changes: readonly MemberChange[],
  transition: Transition,
): Promise<ChangeOutcome> {
  if (driver === undefined || driver.isStopped) {
    return { kind: 'rejected', reason: 'closed', message: 'the node is not running' };
  }
  const result = driver.core.changeConfiguration(changes, transition);
  if (!result.ok) {
    const { reason, message } = result;
    const { leader } = driver.leadership;
    return { kind: 'rejected', reason, message, ...(leader === undefined ? {} : { leader }) };
  }
  const { index, term } = result;
  const ended = driver.waitInTerm(index, term);
  driver.input();
  const outcome = await ended;
  if (outcome.kind === 'committed') return leftJoint(driver, index, transition);
  if (outcome.kind === 'superseded') {
    return {
      kind: 'rejected',
      reason: 'not-leader',
      message: 'another leader has put something else in its place',
    };
  }
  const { reason } = outcome;
  return { kind: 'unknown', reason, message: 'the change was begun, and may still be committed' };
}

/** See `RaftNode.addMember`. */
export async function addMember(
  driver: Driver | undefined,
  { clock, promotionLag }: RaftNodeSettings,
  member: MemberId,
  options: { readonly address?: string; readonly as?: 'voter' | 'learner'; readonly timeoutMs?: number },
): Promise<ChangeOutcome> {
  const { address, as = 'voter', timeoutMs = CATCH_UP_MS } = options;
  const broken =
    as === 'voter' || as === 'learner' ? brokenTimeout(timeoutMs) : `as must be voter or learner, not ${as}`;
  if (broken !== undefined) return { kind: 'rejected', reason: 'invalid', message: broken };
  const learner = { kind: 'add-learner', member, ...(address === undefined ? {} : { address }) } as const;
  const isLearner = driver?.configuration.learners.includes(member) ?? false;
  if (!isLearner || as === 'learner') {
    const added = await changeMembers(driver, [learner], 'automatic');
    if (added.kind !== 'committed' || as === 'learner') return added;
  }
  if (driver === undefined) return { kind: 'rejected', reason: 'closed', message: 'the node is not running' };
  const deadline = clock.monotonic() + timeoutMs;
  const caughtUp = await new Promise<boolean>((resolve) => {
    const stopWatching = driver.onStop.add(() => resolve(false));
    const stop = driver.onTick.add(() => {
      const { progress, lastIndex, role } = driver.core.status;
      const match = progress.get(member)?.match ?? 0;
      const isThere = match > 0 && lastIndex - match <= promotionLag;
      if (!isThere && role === 'leader' && clock.monotonic() < deadline) return;
      stop();
      stopWatching();
      resolve(isThere);
    });
  });
  if (caughtUp) return changeMembers(driver, [{ kind: 'add-voter', member }], 'automatic');
  const message = `member ${member} has not caught up in time, it stays a learner`;
  return { kind: 'rejected', reason: 'not-caught-up', message };
}

/** See `RaftNode.transferLeadership`. */
export function transferLeadership(
  driver: Driver | undefined,
  wanted: MemberId | undefined,
): Promise<TransferOutcome> {
  if (driver === undefined || driver.isStopped) return Promise.resolve({ kind: 'refused', reason: 'closed' });
  const { core } = driver;
  const target = wanted ?? bestSuccessor(driver);
  if (target === undefined) return Promise.resolve({ kind: 'refused', reason: 'not-a-voter' });
  return new Promise((resolve) => {
    const stops: (() => void)[] = [];
    const end = (outcome: TransferOutcome) => {
      for (const stop of stops) stop();
      resolve(outcome);
    };
    const begun = core.transferLeadership(target);
    if (!begun.ok) {
      const { leader } = driver.leadership;
      return end({ kind: 'refused', reason: begun.reason, ...(leader === undefined ? {} : { leader }) });
    }
    if (target === core.id) return end({ kind: 'transferred', leader: target });
    stops.push(
      driver.onLeadership.add(({ leader }) => {
        if (leader === undefined || leader === core.id) return;
        if (leader === target) end({ kind: 'transferred', leader });
        else end({ kind: 'refused', reason: 'lost-to-another', leader });
      }),
      driver.onTransferFailure.add(({ reason }) => end({ kind: 'refused', reason })),
      driver.onStop.add(() => end({ kind: 'refused', reason: 'closed' })),
    );
    driver.input();
  });
}

function bestSuccessor({ core }: Driver): MemberId | undefined {
  const { progress, configuration } = core.status;
  const voters = membersOf(configuration).filter((id) => configuration.voters.includes(id) && id !== core.id);
  const matchOf = (id: MemberId) => progress.get(id)?.match ?? 0;
  return voters.sort((a, b) => matchOf(b) - matchOf(a))[0];
}

/** A joint configuration is left by the leader of then; that shows in the entries that are applied. */
async function leftJoint(driver: Driver, index: LogIndex, transition: Transition): Promise<ChangeOutcome> {
  const status = () => driver.core.status;
  try {
    while (
      transition !== 'joint-until-left' &&
      (isJoint(status().configuration) || status().configurationIndex > driver.applied.index)
    ) {
      await driver.applied.wait(driver.applied.index + 1);
    }
  } catch {
    return {
      kind: 'unknown',
      reason: 'closed',
      message: 'the node was closed before the change was complete',
    };
  }
  return { kind: 'committed', index: Math.max(index, status().configurationIndex) };
}
