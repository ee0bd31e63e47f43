/** What the collections of named objects have in common. */

import type { CommandAnswer } from '../events/event.ts';
import type { Applied } from '../manager/api/applied.ts';
import type { Rotated } from '../manager/api/rotation.ts';

/** Labels to replace all labels with. */
export interface LabelsUpdate {
  readonly labels: Readonly<Record<string, string>>;
}

/** The answer to a command that was carried out before, from what is remembered of it. */
export function again<Id extends string>(
  answer: CommandAnswer | undefined,
  find: () => { readonly id: Id },
): Applied<Id> {
  const { id, action } = answer ?? { id: find().id, action: 'unchanged' };
  // A command that removes is of another kind, and refused before it comes here.
  return { id: id as Id, action: action === 'removed' ? 'unchanged' : action, changes: [], warnings: [] };
}

/** The answer to a rotation that was carried out before. */
export function rotatedBefore<Id extends string>(
  answer: CommandAnswer | undefined,
  { id, revision }: { readonly id: Id; readonly revision: number },
): Rotated<Id> {
  return { id: (answer?.id as Id | undefined) ?? id, revision, changed: false, services: [] };
}
