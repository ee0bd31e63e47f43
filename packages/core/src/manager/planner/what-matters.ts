/**
 * Whether a plan still holds: what of a cluster's changes a placement could have come out otherwise by. Folded from the
 * leader's changes, so that the question costs nothing, however large the cluster.
 */

import { IndexConflictError, InvalidSpecError, PreconditionError } from '../../errors.ts';
import type { Node, Task } from '../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { Change, ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';

/** Remembers when last something changed that matters to plans. One for each leadership. */
export class PlanGuard {
  #index: number;

  /** @param head - what a leadership begins with. What mattered before is not known, so older plans do not hold. */
  constructor(head: ClusterState) {
    this.#index = head.index;
  }

  observe({ index, changes }: ChangeSet): void {
    if (changes.some(matters)) this.#index = index;
  }

  /**
   * Lets a command pass whose plan still holds.
   *
   * @param ifIndex - the plan's index; `undefined`: there is none.
   * @throws IndexConflictError if something that matters has changed since; PreconditionError for the future
   */
  check(ifIndex: number | undefined, head: ClusterState): void {
    if (ifIndex === undefined) return;
    if (!Number.isSafeInteger(ifIndex) || ifIndex < 0) {
      throw new InvalidSpecError([{ field: 'ifIndex', rule: 'must be the index of a plan: a whole number' }]);
    }
    if (ifIndex > head.index) {
      throw new PreconditionError(`index ${ifIndex} is in the future: the cluster is at ${head.index}`);
    }
    if (this.#index > ifIndex) throw new IndexConflictError(ifIndex, this.#index);
  }
}

/** True when a plan made before this change might have come out otherwise. */
export function matters(change: Change): boolean {
  switch (change.kind) {
    case 'task':
      if (!change.before) return true;
      // One that has ended is history, and forgetting it changes nothing.
      return change.after
        ? taskMatters(change.before, change.after)
        : !isTerminal(change.before.status.state);
    case 'node':
      return !change.before || !change.after || nodeMatters(change.before, change.after);
    // Files are checked by the command itself, and have no say in where a task goes.
    case 'secret':
    case 'config':
      return false;
    default:
      return true;
  }
}

/** Where it is, whether it should be there, and what it holds there. Not how far it has come on the way to running. */
function taskMatters(before: Task, after: Task): boolean {
  return (
    before.nodeId !== after.nodeId ||
    before.nomination !== after.nomination ||
    isMeantToRun(before.desiredState) !== isMeantToRun(after.desiredState) ||
    isTerminal(before.status.state) !== isTerminal(after.status.state) ||
    (before.status.state === 'new') !== (after.status.state === 'new')
  );
}

function nodeMatters(before: Node, after: Node): boolean {
  return (
    before.spec !== after.spec ||
    before.description !== after.description ||
    before.status.address !== after.status.address ||
    before.status.state !== after.status.state
  );
}
