/** What tending a slot comes to, and the task that takes another's place in one. */

import { newId, type TaskId } from '../../model/ids.ts';
import type { DecideContext } from '../control-loop.ts';
import type { Replacement } from './restart.ts';

/** What tending a slot came to. */
export interface Tended {
  /** Something is wished for the slot: it stands as before until that is applied. */
  readonly changed: boolean;
  /** What is wished is not all: the service is to be looked at again once it is in the state. */
  readonly again?: true;
  /** Look at it again then, though nothing may have changed. */
  readonly lookAgainAt?: number;
}

/** Nothing to do. */
export const QUIET: Tended = { changed: false };
export const CHANGED: Tended = { changed: true };

/** A new task with an id. */
export function withId(row: Replacement, context: DecideContext): Replacement & { readonly id: TaskId } {
  return { id: newId<TaskId>(context.random), ...row };
}
