/** Planted bugs of reads, of the lease, and of transfers. */

import type { Mutant } from './mutant.ts';

/** See the head of this file. */
export const READS_MUTANTS: readonly Mutant[] = [
  {
    name: 'a read is served without asking anyone',
    item: 26,
    file: 'core/reads.ts',
    find: 'else reads.collect(origin, committed);',
    replace: 'else answerRead(member, origin, committed);',
    layer: 'core',
    seed: 38,
  },
  {
    name: 'a read is served before the term has begun',
    item: 26,
    file: 'core/reads.ts',
    find: 'else if (committed < startIndex) reads.wait(origin);',
    replace: '',
    layer: 'core',
    seed: 3,
  },
  {
    name: 'any answer confirms every read',
    item: 27,
    file: 'core/replication.ts',
    find: 'progress.ackedRound = Math.max(progress.ackedRound, message.round);',
    replace: 'progress.ackedRound = Number.MAX_SAFE_INTEGER;',
    layer: 'core',
    seed: 38,
  },
  {
    name: 'an answer confirms another attempt of the same read',
    item: 27,
    file: 'core/reads.ts',
    find: 'findIndex((forwarded) => forwarded.attempt.number === number)',
    replace: 'findIndex((forwarded) => forwarded.attempt.number >= number)',
  },
  {
    name: 'a read is served before the state machine is there',
    item: 26,
    file: 'core/reads.ts',
    find: 'filter(({ index }) => index <= log.applied);',
    replace: 'filter(({ index }) => index <= log.committed);',
    layer: 'core',
    seed: 6,
  },
  {
    name: 'the lease counts from the answer',
    item: 28,
    file: 'core/replication.ts',
    find: 'progress.ackedSent = Math.max(progress.ackedSent, message.sent);',
    replace: 'progress.ackedSent = member.clock;',
  },
  {
    name: 'a lease outlives a transfer',
    item: 28,
    file: 'core/reads.ts',
    find: ' || leadership.transfer !== undefined || leadership.wasHandedOver',
    replace: '',
  },
  {
    name: 'a lease outlives a pause',
    item: 28,
    file: 'core/raft.ts',
    find: 'member.clock += elapsed;',
    replace: 'member.clock += 1;',
    layer: 'core',
    seed: 340,
  },
  {
    name: 'a transfer never times out',
    item: 30,
    file: 'core/transfer.ts',
    find: "} else if (member.clock >= transfer.deadline) abandonTransfer(member, leadership, 'timed-out');",
    replace: '}',
  },
];
