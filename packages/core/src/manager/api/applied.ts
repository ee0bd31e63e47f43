/** What a command that makes an object be as asked for answers. */

import type { SpecIssue } from '../../errors.ts';

/** What became of an object, and what differed from before. */
export interface Applied<Id extends string> {
  readonly id: Id;
  readonly action: 'created' | 'updated' | 'unchanged';
  /** Paths of the spec that differ from before: `['replicas', 'task.image']`. Empty for a new object. */
  readonly changes: readonly string[];
  /** What the cluster can't honour just now, though the spec is taken. */
  readonly warnings: readonly SpecIssue[];
}
