import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { MemberChange, Transition } from './membership.ts';
import { configurationOf, isJoint, membersOf, planChange, planLeave } from './membership.ts';
import type { Configuration, MemberId } from './types.ts';

const ids: MemberId[] = ['a', 'b', 'c', 'd', 'e', 'f'];
const change: fc.Arbitrary<MemberChange> = fc.record({
  kind: fc.constantFrom('add-voter' as const, 'add-learner' as const, 'remove' as const),
  member: fc.constantFrom(...ids),
});
const transition = fc.constantFrom<Transition>('automatic', 'joint', 'joint-until-left');
const wish = fc.record({ changes: fc.array(change, { minLength: 1, maxLength: 4 }), transition });

function subsets(of: readonly MemberId[]): MemberId[][] {
  return Array.from({ length: 2 ** of.length }, (_, bits) =>
    of.filter((_id, at) => ((bits >> at) & 1) === 1),
  );
}

/** Every set of members that can decide alone. */
function quorums(configuration: Configuration): MemberId[][] {
  const halves = [configuration.voters, configuration.outgoing].filter((half) => half.length > 0);
  const everyone = [...new Set(halves.flat())];
  return subsets(everyone).filter((some) =>
    halves.every((half) => 2 * half.filter((id) => some.includes(id)).length > half.length),
  );
}

function expectQuorumsToMeet(before: Configuration, after: Configuration): void {
  for (const one of quorums(before)) {
    for (const other of quorums(after)) expect(one.some((id) => other.includes(id))).toBe(true);
  }
}

/** A wish out of a request, which no compiler has seen. */
function parsed(wish: object): MemberChange {
  return JSON.parse(JSON.stringify(wish));
}

describe('a change of the configuration', () => {
  test('given any wishes, when they are planned and left, then every two quorums in a row meet', () => {
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 5 }), (wishes) => {
        let configuration = configurationOf(['a', 'b', 'c'], ['d']);
        for (const { changes, transition: how } of wishes) {
          const plan = planChange(configuration, changes, how);
          if (!plan.ok) continue;
          expectQuorumsToMeet(configuration, plan.configuration);
          configuration = plan.configuration;
          const left = planLeave(configuration);
          expect(left.ok).toBe(isJoint(configuration));
          if (!left.ok) continue;
          expectQuorumsToMeet(configuration, left.configuration);
          configuration = left.configuration;
        }
      }),
    );
  });

  test('given any wishes, when they are done, then nobody is a voter and a learner, and no removed id is back', () => {
    fc.assert(
      fc.property(fc.array(wish, { maxLength: 5 }), (wishes) => {
        let configuration = configurationOf(['a', 'b', 'c']);
        for (const { changes, transition: how } of wishes) {
          const plan = planChange(configuration, changes, how);
          if (plan.ok) configuration = plan.configuration;
          const left = planLeave(configuration);
          if (left.ok) configuration = left.configuration;
          const { voters, learners, removed } = configuration;
          expect(voters.length).toBeGreaterThan(0);
          expect(voters.filter((id) => learners.includes(id))).toEqual([]);
          expect(membersOf(configuration).filter((id) => removed.includes(id))).toEqual([]);
        }
      }),
    );
  });

  test('given three voters, when one is added, then it takes one step; when two are, a joint configuration', () => {
    const three = configurationOf(['a', 'b', 'c']);
    const one = planChange(three, [{ kind: 'add-voter', member: 'd', address: 'host:1' }], 'automatic');
    expect(one).toMatchObject({
      ok: true,
      configuration: { voters: ['a', 'b', 'c', 'd'], outgoing: [], addresses: { d: 'host:1' } },
    });
    const two = planChange(
      three,
      [
        { kind: 'add-voter', member: 'd' },
        { kind: 'remove', member: 'a' },
      ],
      'automatic',
    );
    expect(two).toMatchObject({
      ok: true,
      configuration: {
        voters: ['b', 'c', 'd'],
        outgoing: ['a', 'b', 'c'],
        leaveAutomatically: true,
        removed: ['a'],
      },
    });
  });

  test('given a joint configuration with a demotion, when it is left, then the demoted voter is a learner', () => {
    const plan = planChange(configurationOf(['a', 'b']), [{ kind: 'add-learner', member: 'b' }], 'joint');
    expect(plan).toMatchObject({ ok: true, configuration: { learners: [], learnersNext: ['b'] } });
    if (!plan.ok) return;
    expect(planLeave(plan.configuration)).toMatchObject({
      ok: true,
      configuration: { voters: ['a'], outgoing: [], learners: ['b'], learnersNext: [] },
    });
  });

  test.each([
    ['no change at all', []],
    ['an empty id', [{ kind: 'add-voter', member: '' }]],
    ['an id that is too long', [{ kind: 'add-voter', member: 'x'.repeat(256) }]],
    ['an id that is no text', [parsed({ kind: 'add-voter', member: 5 })]],
    ['an empty address', [{ kind: 'add-learner', member: 'c', address: '' }]],
    ['an address that is too long', [{ kind: 'set-address', member: 'a', address: 'x'.repeat(301) }]],
    ['a change of an unknown kind', [parsed({ kind: 'replace', member: 'a' })]],
    [
      'a member named twice',
      [
        { kind: 'add-voter', member: 'c' },
        { kind: 'add-learner', member: 'c' },
      ],
    ],
    ['a stranger removed', [{ kind: 'remove', member: 'z' }]],
    ["a stranger's address", [{ kind: 'set-address', member: 'z', address: 'host:1' }]],
    ['a voter added', [{ kind: 'add-voter', member: 'a' }]],
    ['a learner added as one', [{ kind: 'add-learner', member: 'l' }]],
    [
      'the last voters removed',
      [
        { kind: 'remove', member: 'a' },
        { kind: 'remove', member: 'b' },
      ],
    ],
  ] satisfies [string, MemberChange[]][])(
    'given two voters, when %s is wished, then it is refused',
    (_, changes) => {
      expect(planChange(configurationOf(['a', 'b'], ['l']), changes, 'automatic')).toMatchObject({
        ok: false,
      });
    },
  );
});
