/**
 * Global jobs: one task completes on every node that may have one. A slot is a node. A node that joins or becomes fit
 * while the run goes on gets its task; one that is lost or drained is not waited for.
 */

import { meetsConstraints } from '../../../model/constraint-match.ts';
import type { Node, Service } from '../../../model/objects.ts';
import { isMeantToRun } from '../../../model/task-state.ts';
import { spareTask } from '../drain/spare-task.ts';
import { evictsAt, isInvalidNode } from '../node-validity.ts';
import { replacementOf } from '../restart.ts';
import { tendSlot } from '../slot.ts';
import type { Slot } from '../slot-tasks.ts';
import { withId } from '../tended.ts';
import type { Deciding } from '../wishes.ts';
import { failureOf, jobStanding, slotOfRun } from './job-slot.ts';
import { type SlotToTend, stopOthers, type TendedSlot } from './replicated-job.ts';
import type { RunTally } from './run-tally.ts';

const SEEN_TO: TendedSlot = { live: undefined, lookAgainAt: undefined };

/** Sees to one node of a run, and notes where it stands. */
export function tendGlobalSlot(
  service: Service,
  run: RunTally,
  { key, all }: SlotToTend,
  deciding: Deciding,
): TendedSlot {
  const { state, wishes, context } = deciding;
  const node = state.roots.nodes.rows.get(key);
  const slot = slotOfRun(all, run.iteration);
  const standing = jobStanding(slot);
  if (!node || standing === 'complete') {
    stopOthers(slot.tasks, deciding);
    run.note(key, node ? standing : 'free');
    return SEEN_TO;
  }
  if (standing === 'failed') {
    run.failure = failureOf(slot);
    run.note(key, standing);
    return SEEN_TO;
  }
  if (!mayHaveTask(node, service)) return leave(node, service, run, { key, slot }, deciding);
  if (slot.live) {
    const { lookAgainAt } = tendSlot(service, slot, deciding, { mayReplace: isActive(node) });
    run.note(key, 'inFlight');
    return { live: slot.live, lookAgainAt };
  }
  if (!isActive(node)) {
    run.note(key, 'free');
  } else if (run.begun && node.status.state === 'ready') {
    const row = slot.newest
      ? replacementOf(slot.newest, slot.tasks, state, context.at)
      : { slot: 0, nodeId: node.id, jobIteration: run.iteration };
    wishes.create(service.id, withId(row, context));
    run.note(key, 'inFlight');
  } else {
    run.note(key, 'awaited');
  }
  return SEEN_TO;
}

/** The node may not have a task (any more). */
function leave(
  node: Node,
  service: Service,
  run: RunTally,
  { key, slot }: { readonly key: number; readonly slot: Slot },
  deciding: Deciding,
): TendedSlot {
  const { context, wishes } = deciding;
  const { live } = slot;
  const later = live && evictsAt(service, node, context.at);
  if (live && later !== undefined) {
    run.note(key, 'inFlight');
    return { live, lookAgainAt: later };
  }
  const spared = live && spareTask(service, live, deciding);
  if (live && spared?.now === false) {
    run.note(key, 'inFlight');
    return { live, lookAgainAt: spared.lookAgainAt };
  }
  for (const task of slot.tasks) if (isMeantToRun(task.desiredState)) wishes.shutdown(task.id);
  run.note(key, 'free');
  return SEEN_TO;
}

/** The node is to have a task, though it may not be heard just now. */
export function mayHaveTask(node: Node, service: Service): boolean {
  return !isInvalidNode(node) && meetsConstraints(node, service.spec.task.placement.constraints);
}

function isActive(node: Node): boolean {
  return node.spec.availability === 'active';
}
