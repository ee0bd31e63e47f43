/** How long the calls of a disk take: syncs always some time and now and then very long, the others mostly none. */

import type { RandomStream } from '../seeded-random.ts';
import type { Tally } from '../tally.ts';
import type { DiskCall } from './member-disk.ts';
import type { NodePlan } from './node-plan.ts';

/** The time of a call, in ms; undefined if it comes back at once. */
export type DiskTime = (call: DiskCall, areFaultsOver: boolean) => number | undefined;

/** Draws times for the disks of one simulation. */
export function diskTimes(plan: NodePlan, random: RandomStream, tally: Tally): DiskTime {
  const { writeMean, stallChance, slowCallChance, slowCallMean } = plan;
  return (call, areFaultsOver) => {
    if (call !== 'sync') {
      if (areFaultsOver || !random.chance(slowCallChance)) return undefined;
      return random.exponential(slowCallMean);
    }
    if (areFaultsOver) return 0;
    if (random.chance(stallChance)) {
      tally.add('disk stalls');
      return random.between(50, 2000);
    }
    return random.exponential(writeMean);
  };
}
