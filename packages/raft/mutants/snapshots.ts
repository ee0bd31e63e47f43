/** Planted bugs of snapshots in the core, and of a disk that forgets. */

import type { Mutant } from './mutant.ts';

/** See the head of this file. */
export const SNAPSHOTS_MUTANTS: readonly Mutant[] = [
  {
    name: 'a snapshot that was shipped counts as stored',
    item: 35,
    file: 'core/raft.ts',
    find: "if (outcome === 'failed') progress.snapshotIndex = 0;",
    replace:
      "if (outcome === 'failed') progress.snapshotIndex = 0;\n    else progress.match = progress.snapshotIndex;",
    layer: 'core',
    seed: 118,
  },
  {
    name: 'a snapshot is used before it is on disk',
    item: 35,
    file: 'core/raft.ts',
    find: '    if (member.persistence.durableIndex < snapshot.index) return undefined;\n',
    replace: '',
    layer: 'core',
    seed: 10,
  },
  {
    name: 'a snapshot carries the newest configuration instead of its own',
    item: 21,
    file: 'core/raft.ts',
    find: 'configuration: log.configurationAt(log.applied)',
    replace: 'configuration: log.configuration',
    layer: 'core',
    seed: 24,
  },
  {
    name: 'compaction forgets what was not applied',
    item: 35,
    file: 'core/log.ts',
    find: 'const index = Math.min(keepAfter, snapshot.index);',
    replace: 'const index = Math.min(keepAfter + 2, this.committed);',
    layer: 'core',
    seed: 6,
  },
  {
    name: 'a follower goes on with a disk that has forgotten',
    item: 37,
    file: 'core/follower.ts',
    find: 'if (heartbeat.commit > member.log.lastIndex) {',
    replace: 'if (heartbeat.commit < 0) {',
  },
];
