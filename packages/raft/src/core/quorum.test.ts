import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { majority, majorityValue, quorumOutcome, quorumValue } from './quorum.ts';
import type { MemberId } from './types.ts';

const ids: MemberId[] = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
const voters = fc.uniqueArray(fc.constantFrom(...ids), { minLength: 1, maxLength: 7 });
const outgoing = fc.uniqueArray(fc.constantFrom(...ids), { maxLength: 7 });
const values = fc.dictionary(fc.constantFrom(...ids), fc.nat(9));
const votes = fc.dictionary(fc.constantFrom(...ids), fc.boolean());

/** By counting, for every value that there is: the largest that more than half of them have reached. */
function countedValue(half: readonly MemberId[], reached: (id: MemberId) => number): number {
  if (half.length === 0) return Number.POSITIVE_INFINITY;
  const candidates = half.map(reached).filter((value) => {
    return 2 * half.filter((id) => reached(id) >= value).length > half.length;
  });
  return Math.max(...candidates);
}

/** By trying every way in which the open votes can still go. */
function triedOutcome(
  halves: readonly (readonly MemberId[])[],
  cast: ReadonlyMap<MemberId, boolean>,
): string {
  const open = [...new Set(halves.flat())].filter((id) => !cast.has(id));
  const wins = Array.from({ length: 2 ** open.length }, (_, bits) => {
    const grants = (id: MemberId) => cast.get(id) ?? ((bits >> open.indexOf(id)) & 1) === 1;
    return halves.every((half) => half.length === 0 || 2 * half.filter(grants).length > half.length);
  });
  if (wins.every((won) => won)) return 'won';
  return wins.some((won) => won) ? 'pending' : 'lost';
}

describe('a quorum', () => {
  test('given any set of voters, when two majorities are taken, then they meet', () => {
    for (let count = 1; count <= 9; count++) expect(2 * majority(count)).toBeGreaterThan(count);
  });

  test('given what each voter has reached, when the quorum is asked, then it is what counting says', () => {
    fc.assert(
      fc.property(voters, outgoing, values, (incomingHalf, outgoingHalf, known) => {
        const reached = (id: MemberId) => known[id] ?? 0;
        expect(majorityValue(incomingHalf, reached)).toBe(countedValue(incomingHalf, reached));
        expect(quorumValue({ voters: incomingHalf, outgoing: outgoingHalf }, reached)).toBe(
          Math.min(countedValue(incomingHalf, reached), countedValue(outgoingHalf, reached)),
        );
      }),
    );
  });

  test('given some votes, when the outcome is asked, then it is what every way of voting on leads to', () => {
    fc.assert(
      fc.property(voters, outgoing, votes, (incomingHalf, outgoingHalf, cast) => {
        const known = new Map(Object.entries(cast));
        expect(quorumOutcome({ voters: incomingHalf, outgoing: outgoingHalf }, known)).toBe(
          triedOutcome([incomingHalf, outgoingHalf], known),
        );
      }),
    );
  });
});
