import { describe, expect, test } from 'vitest';
import type { Mutant } from '../../mutants/index.ts';
import { MUTANTS, tryMutant } from '../../mutants/index.ts';

/** How many other seeds are tried where a change has moved the schedules, so that the recorded one says nothing. */
const OTHER_SEEDS = 30;
const SEARCH_MS = 300_000;

/** What noticed the bug: a scenario where no simulation is known to, else a seed, first of all the recorded one. */
async function noticedBy(mutant: Mutant): Promise<string | undefined> {
  const { name, seed } = mutant;
  const limits = { scenarios: false, firstSeed: 1, steps: 2000 };
  if (seed === undefined) {
    const { scenarios } = await tryMutant(mutant, { ...limits, scenarios: true, seedsMax: 0 });
    return scenarios[0];
  }
  const recorded = await tryMutant(mutant, { ...limits, firstSeed: seed, seedsMax: 1 });
  if (recorded.violation !== undefined) return recorded.violation;
  const other = await tryMutant(mutant, { ...limits, seedsMax: OTHER_SEEDS });
  console.warn(`"${name}": seed ${seed} kills it no more; the first that does: ${other.seed ?? 'none yet'}`);
  return other.violation;
}

describe('the planted bugs', () => {
  test.each(MUTANTS)(
    'given that $name, then it is noticed',
    async (mutant) => expect(await noticedBy(mutant)).toBeDefined(),
    SEARCH_MS,
  );
});
