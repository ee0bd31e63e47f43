/** Pure: what a node says of the state that it was started from. */

import type { LogIndex, StoredState } from '../core/types.ts';

/** What was found when a node started. */
export interface NodeRecovery {
  /** Bytes of a torn, never acknowledged tail that were cut off. */
  readonly tornBytes: number;
  /** Commands found behind the newest snapshot. Those that are committed are applied once a leader says so. */
  readonly commandsFound: number;
  /** Where the snapshot ends that the state machine was restored from; 0 if there was none. */
  readonly snapshotIndex: LogIndex;
}

/** Counts what is stored, without keeping any of it. */
export function found(stored: StoredState): Omit<NodeRecovery, 'tornBytes'> {
  const snapshotIndex = stored.snapshot?.index ?? 0;
  let commandsFound = 0;
  for (const { kind, index } of stored.entries) {
    if (kind === 'command' && index > snapshotIndex) commandsFound += 1;
  }
  return { commandsFound, snapshotIndex };
}
