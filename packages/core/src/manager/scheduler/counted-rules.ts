/** Rules of affinity with the counts of the tasks that they are about, as the requirements of tasks hold them. */

import type { AffinityCounts } from './affinity-counts.ts';
import type { ApplyingRule } from './affinity-rules.ts';

/** A rule with the counts of the tasks that it is about. */
export interface CountedRule extends ApplyingRule {
  readonly counts: AffinityCounts;
}

/** The rules for tasks that are alike. */
export interface Affinity {
  readonly required: readonly CountedRule[];
  readonly preferred: readonly CountedRule[];
  /** Placing one of the tasks may change what a rule says of other nodes. */
  readonly isSelf: boolean;
}
