import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Candidate, chooseVictims, compareCosts, costOf } from './choose-victims.ts';

type Given = Candidate<string>;

const candidate = (sizes: number): fc.Arbitrary<Omit<Given, 'row'>> =>
  fc.record({
    priority: fc.integer({ min: 0, max: 2 }),
    isLastResort: fc.boolean(),
    gives: fc.array(fc.nat(6), { minLength: sizes, maxLength: sizes }),
    mustGo: fc.nat(6).map((n) => n === 0),
    counts: fc.boolean(),
    service: fc.constantFrom('a', 'b'),
  });

const given = (sizes: number) =>
  fc.record({
    lack: fc.array(fc.integer({ min: -3, max: 14 }), { minLength: sizes, maxLength: sizes }),
    candidates: fc
      .array(candidate(sizes), { maxLength: 8 })
      .map((all) => all.map((one, row): Given => ({ ...one, row }))),
    budget: fc.record({ a: fc.nat(4), b: fc.nat(4) }),
  });

type Problem = ReturnType<typeof given> extends fc.Arbitrary<infer T> ? T : never;

const budgetOf =
  ({ budget }: Problem) =>
  (service: string) =>
    service === 'a' ? budget.a : budget.b;

function isSolution({ lack, candidates, budget }: Problem, chosen: readonly Given[]): boolean {
  const enough = lack.every(
    (lacks, at) => chosen.reduce((sum, { gives }) => sum + (gives[at] ?? 0), 0) >= lacks,
  );
  const spent = (service: string) => chosen.filter((one) => one.counts && one.service === service).length;
  const forced = candidates.filter(({ mustGo }) => mustGo).every((one) => chosen.includes(one));
  return enough && forced && spent('a') <= budget.a && spent('b') <= budget.b;
}

function subsets(all: readonly Given[]): Given[][] {
  return Array.from({ length: 2 ** all.length }, (_, bits) => all.filter((__, at) => (bits >> at) % 2 === 1));
}

describe('given tasks of a node, of which some are to leave', () => {
  it('when others choose, then it fits, within every budget, and nobody leaves in vain', () => {
    fc.assert(
      fc.property(given(2), (problem) => {
        const chosen = chooseVictims(problem.lack, problem.candidates, budgetOf(problem));
        if (chosen === undefined) return;
        expect(isSolution(problem, chosen)).toBe(true);
        for (const one of chosen) {
          const others = chosen.filter((other) => other !== one);
          expect(isSolution(problem, others)).toBe(false);
        }
      }),
    );
  });

  it('when no budget counts, then one is found wherever there is one, and none has a needlessly high priority', () => {
    fc.assert(
      fc.property(given(2), (asked) => {
        const problem = { ...asked, budget: { a: 100, b: 100 } };
        const solutions = subsets(problem.candidates).filter((set) => isSolution(problem, set));
        const chosen = chooseVictims(problem.lack, problem.candidates, budgetOf(problem));
        expect(chosen !== undefined).toBe(solutions.length > 0);
        if (chosen === undefined) return;
        const worthiest = (set: readonly Given[]) =>
          set.reduce((most, one) => Math.max(most, (one.isLastResort ? 10 : 0) + one.priority), -1);
        expect(worthiest(chosen)).toBe(Math.min(...solutions.map(worthiest)));
      }),
    );
  });

  it('when one resource lacks, then as few leave as any choice up to that priority would take', () => {
    fc.assert(
      fc.property(given(1), (asked) => {
        const candidates = asked.candidates.map((one) => ({ ...one, isLastResort: false, mustGo: false }));
        const problem = { ...asked, candidates, budget: { a: 100, b: 100 } };
        const chosen = chooseVictims(problem.lack, candidates, budgetOf(problem));
        if (chosen === undefined) return;
        const { highest, count } = costOf(chosen);
        const allowed = candidates.filter(({ priority }) => priority <= highest);
        const solutions = subsets(allowed).filter((set) => isSolution(problem, set));
        expect(count).toBe(Math.min(...solutions.map((set) => set.length)));
      }),
    );
  });

  it('when candidates come in another order, then the same are chosen', () => {
    fc.assert(
      fc.property(given(2), (problem) => {
        const one = chooseVictims(problem.lack, problem.candidates, budgetOf(problem));
        const other = chooseVictims(problem.lack, [...problem.candidates].reverse(), budgetOf(problem));
        expect(other).toEqual(one);
        if (one && other) expect(compareCosts(costOf(one), costOf(other))).toBe(0);
      }),
    );
  });
});
