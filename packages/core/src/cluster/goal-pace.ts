/**
 * When it is worth looking again how far a service has come. A look takes all of its tasks in, and each change of one
 * task brings it closer by one at most: as long as fewer have changed than were left, it can't have come. So waiting for
 * a service of ten thousand tasks costs by what changes and not, at every change, by what there is.
 */

import type { ServiceId } from '../model/ids.ts';
import type { ChangeSet } from '../state/change.ts';
import type { GoalLook, ServiceGoal } from './service-goals.ts';

/** The pace of one wait. */
export class GoalPace {
  readonly #id: ServiceId;
  readonly #goal: ServiceGoal;
  /** So many changes of its tasks may pass by. */
  #left = 0;

  constructor(id: ServiceId, goal: ServiceGoal) {
    this.#id = id;
    this.#goal = goal;
  }

  /** A look was taken. */
  looked({ left, status }: Pick<GoalLook, 'left' | 'status'>): void {
    // What a function asks for may come at any time; how many tasks of a job are to be at work changes with each of them.
    const isCounted =
      typeof this.#goal !== 'function' && (status.job === undefined || this.#goal === 'completed');
    this.#left = isCounted ? left : 0;
  }

  /** Whether the goal can have been reached, or missed for good, by these changes and those before. */
  concerns({ changes }: ChangeSet): boolean {
    let changed = false;
    for (const { kind, before, after } of changes) {
      const object = after ?? before;
      if (kind === 'node' || (kind === 'service' && object?.id === this.#id)) return true;
      if (kind !== 'task' || (after ?? before)?.serviceId !== this.#id) continue;
      changed = true;
      this.#left -= 1;
    }
    return changed && this.#left <= 0;
  }
}
