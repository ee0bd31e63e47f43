/** A state as history may keep it. */

import { ClusterState } from './cluster-state.ts';
import { PersistentMap } from './persistent/persistent-map.ts';
import { PersistentVector } from './persistent/persistent-vector.ts';

/**
 * The same state without what only the present needs: the values of secrets and the key of their digests, which
 * must not outlive their removal, and the commands that are remembered for retries. Takes no time.
 */
export function stateWithoutValues({ roots }: ClusterState): ClusterState {
  return new ClusterState({
    ...roots,
    digestKey: undefined,
    vault: PersistentMap.empty(),
    commands: PersistentMap.empty(),
    commandOrder: PersistentVector.empty(),
  });
}
