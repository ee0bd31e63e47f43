/** Plants one bug after the other, and prints what noticed each, and after how many seeds. */

import type { Mutant, MutantFate } from '../mutants/index.ts';
import { MUTANTS, tryMutant } from '../mutants/index.ts';

/** Which, and how hard to try. */
export interface MutantsRun {
  /** Only those whose name contains it. */
  readonly only: string;
  readonly firstSeed: number;
  readonly seeds: number;
  readonly steps: number;
}

/** @returns whether all of them died. */
export async function runMutants({ only, firstSeed, seeds, steps }: MutantsRun): Promise<boolean> {
  const chosen = MUTANTS.filter(({ name }) => name.includes(only));
  const seedsToKill: number[] = [];
  let [dead, killed] = [0, 0];
  for (const mutant of chosen) {
    const fate = await tryMutant(mutant, { scenarios: true, seedsMax: seeds, steps, firstSeed });
    const recorded = fate.seedsToKill === undefined ? await dyingOf(mutant, steps) : undefined;
    const isDead = (fate.seedsToKill ?? recorded) !== undefined || fate.scenarios.length > 0;
    if (isDead) dead++;
    if (fate.seedsToKill !== undefined) killed++;
    if (mutant.seed !== undefined) seedsToKill.push(fate.seedsToKill ?? Number.POSITIVE_INFINITY);
    console.log(`${isDead ? 'dead ' : 'ALIVE'} ${fate.name} (point ${mutant.item} of CHECKLIST.md)`);
    console.log(`      simulated ${mutant.layer ?? 'core'}s: ${bySeeds(fate, seeds)}${bySeed(recorded)}`);
    if (mutant.layer !== 'node') console.log(`      scenarios: ${fate.scenarios.join(' ') || 'none'}`);
  }
  seedsToKill.sort((a, b) => a - b);
  const median = seedsToKill[Math.floor((seedsToKill.length - 1) / 2)];
  console.log(
    `${dead} of ${chosen.length} planted bugs died, ${killed} of them within ${seeds} seeds; ${seedsToKill.length} are known to die in a simulation, their median of seeds to kill is ${median === Number.POSITIVE_INFINITY ? `over ${seeds}` : median}`,
  );
  return dead === chosen.length;
}

/** The seed that is recorded for a bug that needs a rare coincidence, if it does kill it. */
async function dyingOf(mutant: Mutant, steps: number): Promise<number | undefined> {
  const { seed } = mutant;
  if (seed === undefined) return undefined;
  const { violation } = await tryMutant(mutant, { scenarios: false, seedsMax: 1, steps, firstSeed: seed });
  return violation === undefined ? undefined : seed;
}

function bySeed(recorded: number | undefined): string {
  return recorded === undefined ? '' : `, but by the recorded seed ${recorded}`;
}

function bySeeds({ seedsToKill, seed, violation = '' }: MutantFate, seeds: number): string {
  if (seedsToKill === undefined) return `not in ${seeds} seeds`;
  const [firstLine = ''] = violation.split('\n');
  return `seed ${seed}, the ${seedsToKill}. ${firstLine.slice(0, 200)}`;
}
