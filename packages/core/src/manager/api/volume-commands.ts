/** What users ask of volumes, decided. */

import { NotFoundError } from '../../errors.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { Decided } from '../leader-store.ts';
import { checkRef } from './find.ts';

/** Forgets where a volume lives: the next task that mounts it may go anywhere. @throws NotFoundError */
export function forgetVolume(head: ClusterState, name: string): Decided<string> {
  checkRef('volume', name);
  if (!head.volume(name)) throw new NotFoundError('volume', name);
  return {
    events: [{ type: 'volume.forgotten', names: [name] }],
    result: name,
    answer: { id: name, what: 'volume', action: 'removed' },
  };
}
