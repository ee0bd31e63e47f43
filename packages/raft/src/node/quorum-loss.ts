/** The way out when a majority is lost for good, on the disk of a member that is left: see `forceNewCluster`. */

import { forceNewCluster } from '../core/recovery.ts';
import type { Configuration, LogIndex, MemberId } from '../core/types.ts';
import type { RaftStorage } from '../storage/storage.ts';
import { RaftNodeError } from './errors.ts';

/** What the survivor goes on with. */
export interface ForcedCluster {
  /** Its `removed` names those that are out for good. Never start any of them on its old disk again. */
  readonly configuration: Configuration;
  /** All entries up to here count as committed from now on, also those that never were. */
  readonly lastIndex: LogIndex;
}

/**
 * Makes a stopped member the only voter of its cluster, durably. Start a node on the same storage afterwards: it leads at
 * once, with everything that its log held, and new members can be added under new ids. What only the lost members held
 * is gone. Of several survivors choose the one whose log ends last.
 *
 * @param storage - not open yet; it is opened, and closed again.
 * @throws what the storage throws; RaftError `invalid-stored-state` if the member is not part of what is stored there;
 *   RaftNodeError `invalid-argument` if nothing is stored there.
 */
export async function forceNewClusterOn(storage: RaftStorage, self: MemberId): Promise<ForcedCluster> {
  const { stored } = await storage.open();
  try {
    if (stored.snapshot === undefined && stored.entries.length === 0) {
      throw new RaftNodeError('invalid-argument', 'nothing is stored there that a cluster could go on with');
    }
    const forced = forceNewCluster(stored, self);
    const entry = forced.entries.at(-1);
    if (entry?.kind !== 'configuration') throw new RaftNodeError('failed', 'no configuration was made');
    await storage.persist({ sequence: 0, hardState: forced.hardState, entries: [entry], messages: [] });
    const { configuration, index } = entry;
    return { configuration, lastIndex: index };
  } finally {
    await storage.close();
  }
}
