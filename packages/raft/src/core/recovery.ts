/** The way out when a majority is lost for good: one member goes on alone. Used on a stopped member's stored state. */

import { RaftError } from './errors.ts';
import { isJoint, membersOf } from './membership.ts';
import type { Configuration, Entry, MemberId, StoredState } from './types.ts';

/**
 * Makes `self` the only voter, by an entry that removes everyone else. What the log holds is kept, and all of it will
 * be committed, also what never was: whoever was told "unknown" may find it done. Entries that only the lost members
 * held are gone. None of them may ever start again with its old disk.
 *
 * @throws RaftError `invalid-stored-state` if `self` is not part of the stored configuration.
 */
export function forceNewCluster(stored: StoredState, self: MemberId): StoredState {
  const last = stored.entries[stored.entries.length - 1];
  const before = newestConfiguration(stored);
  if (before === undefined || !membersOf(before).includes(self)) {
    throw new RaftError('invalid-stored-state', `${self} is not a member of the stored configuration`);
  }
  const others = membersOf(before).filter((id) => id !== self && !before.removed.includes(id));
  const address = before.addresses[self];
  const configuration: Configuration = {
    voters: [self],
    outgoing: [],
    learners: [],
    learnersNext: [],
    leaveAutomatically: false,
    addresses: address === undefined ? {} : { [self]: address },
    removed: [...before.removed, ...others],
  };
  const index = Math.max(last?.index ?? 0, stored.snapshot?.index ?? 0) + 1;
  const term = stored.hardState.term + 1;
  const entry: Entry = { kind: 'configuration', index, term, configuration };
  return {
    ...stored,
    hardState: { term, commit: stored.hardState.commit },
    entries: [...stored.entries, entry],
  };
}

function newestConfiguration(stored: StoredState): Configuration | undefined {
  let newest = stored.snapshot?.configuration;
  for (const entry of stored.entries) if (entry.kind === 'configuration') newest = entry.configuration;
  return newest !== undefined && (newest.voters.length > 0 || isJoint(newest)) ? newest : undefined;
}
