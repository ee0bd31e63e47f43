/** What networks, secrets and configs have in common. */

import type { Applied } from '../manager/api/applied.ts';

/** Labels to replace all labels with. */
export interface LabelsUpdate {
  readonly labels: Readonly<Record<string, string>>;
}

/** The answer to a command that was carried out before. */
export function again<Id extends string>({ id }: { readonly id: Id }): Applied<Id> {
  return { id, action: 'unchanged', changes: [], warnings: [] };
}
