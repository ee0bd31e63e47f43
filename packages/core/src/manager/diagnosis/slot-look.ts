/** What those who look at the slots of a service in their own way have in common. */

import type { Finding } from '../../model/finding.ts';
import type { Service, Task } from '../../model/objects.ts';
import type { Sight } from './task-finding.ts';

/** A look at all slots of a service. */
export interface SlotLook {
  readonly sight: Sight;
  readonly service: Service;
  /** Notes why a task, or the slot whose last one it was, is not where it should be. */
  readonly note: (task: Task, finding: Finding | undefined) => void;
  /** Finds that out for a task by itself, and notes it. */
  readonly task: (task: Task) => void;
}
