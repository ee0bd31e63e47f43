/** Counts the states that a simulation is for: those that are rare, and in which bugs live. */

import type { RaftStatus } from '../core/status.ts';
import type { RoleName } from '../core/types.ts';
import type { Tally } from './tally.ts';

/** A member has taken another part. */
export function countRole(tally: Tally, role: RoleName, status: RaftStatus): void {
  if (role === 'candidate') tally.add('campaigns');
  if (role !== 'leader') return;
  tally.add('elections won');
  const { committed, lastIndex, configuration, id } = status;
  if (committed < lastIndex - 1) tally.add('leaders with an uncommitted tail');
  if (configuration.outgoing.length > 0) tally.add('leaders elected in a joint configuration');
  if (!configuration.voters.includes(id)) tally.add('leaders elected to finish their own removal');
}
