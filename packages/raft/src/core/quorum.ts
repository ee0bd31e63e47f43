/** What a majority has reached or decided, for plain and joint configurations. Pure arithmetic on sets of voters. */

import type { Configuration, MemberId } from './types.ts';

/** The sets of voters of which each needs a majority. */
export type VoterSets = Pick<Configuration, 'voters' | 'outgoing'>;

/** The state of a vote. */
export type VoteOutcome = 'won' | 'lost' | 'pending';

/** How many of `count` voters are a majority. */
export function majority(count: number): number {
  return Math.floor(count / 2) + 1;
}

/** The largest value that a majority of `voters` has reached. No voters means no objection: Infinity. */
export function majorityValue(voters: readonly MemberId[], reached: (id: MemberId) => number): number {
  if (voters.length === 0) return Number.POSITIVE_INFINITY;
  const values = voters.map(reached).sort((a, b) => b - a);
  return values[majority(voters.length) - 1] ?? Number.NEGATIVE_INFINITY;
}

/** The largest value that a majority of each half has reached. */
export function quorumValue(sets: VoterSets, reached: (id: MemberId) => number): number {
  const incoming = majorityValue(sets.voters, reached);
  return sets.outgoing.length === 0 ? incoming : Math.min(incoming, majorityValue(sets.outgoing, reached));
}

/** How a vote stands in one set of voters. Members that are not in it don't count, whatever they said. */
export function majorityOutcome(
  voters: readonly MemberId[],
  votes: ReadonlyMap<MemberId, boolean>,
): VoteOutcome {
  if (voters.length === 0) return 'won';
  let granted = 0;
  let open = 0;
  for (const id of voters) {
    const vote = votes.get(id);
    if (vote === true) granted++;
    else if (vote === undefined) open++;
  }
  const needed = majority(voters.length);
  if (granted >= needed) return 'won';
  return granted + open >= needed ? 'pending' : 'lost';
}

/** How a vote stands: won when both halves are, lost as soon as one is. */
export function quorumOutcome(sets: VoterSets, votes: ReadonlyMap<MemberId, boolean>): VoteOutcome {
  const incoming = majorityOutcome(sets.voters, votes);
  const outgoing = majorityOutcome(sets.outgoing, votes);
  if (incoming === 'lost' || outgoing === 'lost') return 'lost';
  return incoming === 'won' && outgoing === 'won' ? 'won' : 'pending';
}
