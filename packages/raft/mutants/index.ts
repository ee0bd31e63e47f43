/**
 * Planted bugs: each a small wrong patch to a copy of the sources, one or more for each subtle point of Raft. A scenario,
 * the search or a simulation has to notice every one of them; what it can't notice, it does not test. The shipped code
 * has no seam for this: the patches are texts, and a patch whose place is no longer found, exactly once, is an error.
 */

import { ELECTIONS_MUTANTS } from './elections.ts';
import { MEMBERSHIP_MUTANTS } from './membership.ts';
import type { Mutant } from './mutant.ts';
import { NODE_MUTANTS } from './nodes.ts';
import { READS_MUTANTS } from './reads.ts';
import { REPLICATION_MUTANTS } from './replication.ts';
import { SNAPSHOTS_MUTANTS } from './snapshots.ts';
import { STORAGE_MUTANTS } from './storage.ts';

export type { Mutant } from './mutant.ts';
export { plant } from './plant.ts';
export type { MutantFate } from './try-mutant.ts';
export { tryMutant } from './try-mutant.ts';

/** The bugs. */
export const MUTANTS: readonly Mutant[] = [
  ...ELECTIONS_MUTANTS,
  ...REPLICATION_MUTANTS,
  ...MEMBERSHIP_MUTANTS,
  ...READS_MUTANTS,
  ...SNAPSHOTS_MUTANTS,
  ...STORAGE_MUTANTS,
  ...NODE_MUTANTS,
];
