import { describe, expect, test } from 'vitest';
import { MUTANTS, tryMutant } from '../../mutants/index.ts';

describe('the planted bugs', () => {
  // Each by the seed that is known to kill it, in the simulation of its layer; without one, by a scenario.
  test.each(MUTANTS)('given that $name, then it is noticed', async (mutant) => {
    const { seed } = mutant;
    const fate = await tryMutant(mutant, {
      scenarios: seed === undefined,
      firstSeed: seed ?? 1,
      seedsMax: seed === undefined ? 0 : 1,
      steps: 2000,
    });
    if (seed === undefined) expect(fate.scenarios).not.toEqual([]);
    else expect(fate.violation).toBeDefined();
  });
});
