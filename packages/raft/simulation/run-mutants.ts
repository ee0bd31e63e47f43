/** Plants one bug after the other, and prints what noticed each, and after how many seeds. */

import type { MutantFate } from '../mutants/index.ts';
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
  let dead = 0;
  for (const mutant of chosen) {
    const fate = await tryMutant(mutant, { scenarios: true, seedsMax: seeds, steps, firstSeed });
    const isDead = fate.seedsToKill !== undefined || fate.scenarios.length > 0;
    if (isDead) dead++;
    if (fate.seedsToKill !== undefined) seedsToKill.push(fate.seedsToKill);
    console.log(`${isDead ? 'dead ' : 'ALIVE'} ${fate.name} (point ${mutant.item} of CHECKLIST.md)`);
    console.log(`      simulated ${mutant.layer ?? 'core'}s: ${bySeeds(fate, seeds)}`);
    if (mutant.layer !== 'node') console.log(`      scenarios: ${fate.scenarios.join(' ') || 'none'}`);
  }
  seedsToKill.sort((a, b) => a - b);
  const median = seedsToKill[Math.floor((seedsToKill.length - 1) / 2)];
  console.log(
    `${dead} of ${chosen.length} planted bugs died, ${seedsToKill.length} of them in a simulation; median of seeds to kill: ${median}`,
  );
  return dead === chosen.length;
}

function bySeeds({ seedsToKill, seed, violation = '' }: MutantFate, seeds: number): string {
  if (seedsToKill === undefined) return `not in ${seeds} seeds`;
  const [firstLine = ''] = violation.split('\n');
  return `seed ${seed}, the ${seedsToKill}. ${firstLine.slice(0, 200)}`;
}
