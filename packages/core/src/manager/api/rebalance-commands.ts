/** What users ask of rebalancing, decided. */

import { InvalidSpecError, PreconditionError } from '../../errors.ts';
import type { ClusterEvent } from '../../events/event.ts';
import type { TaskId } from '../../model/ids.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { DecideContext } from '../control-loop.ts';
import type { Decided } from '../leader-store.ts';
import { settingsOf } from '../orchestrator/rebalance/rebalancer.ts';

/** Most tasks that one rebalance moves. */
export const REBALANCE_MOVES_MAX = 1_000;

/** Begins to move these tasks, in this order. @throws PreconditionError when a rebalance is going on; InvalidSpecError */
export function startRebalance(
  head: ClusterState,
  tasks: readonly TaskId[],
  context: DecideContext,
  movesAtOnce = settingsOf(head).movesAtOnce,
): Decided<undefined> {
  const { cluster } = head;
  if (!cluster) throw new PreconditionError('the cluster is not formed yet');
  if (cluster.rebalance) throw new PreconditionError('a rebalance is going on: stop it first');
  if (tasks.length > REBALANCE_MOVES_MAX) {
    const rule = `must be at most ${REBALANCE_MOVES_MAX}`;
    throw new InvalidSpecError([{ field: 'plan.moves', rule }]);
  }
  if (!Number.isSafeInteger(movesAtOnce) || movesAtOnce < 1) {
    throw new InvalidSpecError([{ field: 'movesAtOnce', rule: 'must be a whole number, 1 or more' }]);
  }
  const answer = { id: cluster.id, what: 'cluster' } as const;
  if (tasks.length === 0)
    return { events: [], result: undefined, answer: { ...answer, action: 'unchanged' } };
  const rebalance = { since: context.at, automatic: false, movesAtOnce, tasks: [...tasks], kept: 0 };
  return {
    events: [{ type: 'cluster.rebalancing', rebalance }],
    result: undefined,
    answer: { ...answer, action: 'updated' },
  };
}

/** Moves no further task; those on the move stay where they are. Nothing happens when none is going on. */
export function stopRebalance(head: ClusterState): Decided<undefined> {
  const { cluster } = head;
  if (!cluster) throw new PreconditionError('the cluster is not formed yet');
  const answer = { id: cluster.id, what: 'cluster' } as const;
  const { rebalance } = cluster;
  if (!rebalance) return { events: [], result: undefined, answer: { ...answer, action: 'unchanged' } };
  const isLive = (id: TaskId) => isMeantToRun(head.task(id)?.desiredState ?? 'remove');
  const live = rebalance.tasks.filter(isLive);
  const moving = live.filter((id) => head.task(id)?.evicted !== undefined);
  const kept = rebalance.kept + live.length;
  const events: ClusterEvent[] = moving.length > 0 ? [{ type: 'task.kept', ids: moving }] : [];
  return {
    events: [
      ...events,
      { type: 'cluster.rebalanced', moved: rebalance.tasks.length - live.length, kept, stopped: true },
    ],
    result: undefined,
    answer: { ...answer, action: 'updated' },
  };
}
