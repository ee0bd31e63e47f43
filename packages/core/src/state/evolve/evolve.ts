/**
 * `evolve`: the next state from a state and a transaction. Pure and deterministic; the only meaning that events have.
 */

import type { ClusterEvent, Transaction } from '../../events/event.ts';
import type { ChangeSet } from '../change.ts';
import type { ClusterState } from '../cluster-state.ts';
import { StateDraft } from '../state-draft.ts';
import { evolveFiles } from './evolve-files.ts';
import { evolveNode } from './evolve-node.ts';
import { evolveService } from './evolve-service.ts';
import { evolveTask } from './evolve-task.ts';
import type { Stamp } from './stamp.ts';

/**
 * Applies a transaction.
 *
 * @throws InconsistentEventError if an event does not fit the state: the log and the state have drifted apart.
 */
export function evolve(
  state: ClusterState,
  transaction: Transaction,
): { readonly state: ClusterState; readonly changes: ChangeSet } {
  const draft = new StateDraft(state);
  evolveDraft(draft, transaction);
  const next = draft.seal(transaction.index, transaction.at);
  return {
    state: next,
    changes: {
      index: transaction.index,
      at: transaction.at,
      actor: transaction.actor,
      ...(transaction.cause === undefined ? {} : { cause: transaction.cause }),
      changes: draft.changes,
      ...(draft.volumes.length === 0 ? {} : { volumes: draft.volumes }),
      forgets: draft.forgets,
      confides: draft.confides,
    },
  };
}

/**
 * Applies a transaction to a state in the making. Several may be applied before it is sealed.
 *
 * @throws InconsistentEventError if an event does not fit. The draft is then good for nothing.
 */
export function evolveDraft(draft: StateDraft, transaction: Transaction): void {
  const stamp: Stamp = { index: transaction.index, at: transaction.at };
  for (const event of transaction.events) evolveEvent(draft, event, stamp);
  const { index, commandId, answer } = transaction;
  if (commandId !== undefined)
    draft.noteCommand(commandId, { index, ...(answer === undefined ? {} : { answer }) });
}

function evolveEvent(draft: StateDraft, event: ClusterEvent, stamp: Stamp): void {
  switch (event.type) {
    case 'task.created':
    case 'task.allocated':
    case 'task.unallocated':
    case 'task.assigned':
    case 'task.unplaced':
    case 'task.status':
    case 'task.desired':
    case 'task.dependencies-met':
    case 'task.released':
    case 'task.evicted':
    case 'task.kept':
    case 'task.preempted':
    case 'task.nominated':
    case 'task.unnominated':
    case 'task.removed':
      evolveTask(draft, event, stamp);
      return;
    case 'volume.forgotten':
      for (const name of event.names) draft.forgetVolume(name);
      return;
    case 'service.created':
    case 'service.updated':
    case 'service.update-status':
    case 'service.rolled-back':
    case 'service.removed':
    case 'service.allocated':
    case 'service.unallocated':
    case 'service.run-started':
    case 'service.run-ended':
    case 'service.run-missed':
    case 'service.autoscaled':
    case 'service.metric-lost':
    case 'service.metric-found':
      evolveService(draft, event, stamp);
      return;
    case 'cluster.created':
    case 'cluster.updated':
    case 'cluster.rebalancing':
    case 'cluster.rebalanced':
    case 'node.joined':
    case 'node.updated':
    case 'node.described':
    case 'node.status':
    case 'node.removed':
    case 'node.attached':
      evolveNode(draft, event, stamp);
      return;
    default:
      evolveFiles(draft, event, stamp);
  }
}
