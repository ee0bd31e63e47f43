/** How long the calls of a disk take: syncs always some time and now and then very long, the others mostly none. */

import type { RandomStream } from '../seeded-random.ts';
import type { Tally } from '../tally.ts';
import type { DiskCall } from './member-disk.ts';
import type { NodePlan } from './node-plan.ts';

/** Draws times for the disks of one simulation. */
export class DiskTimes {
  readonly #plan: NodePlan;
  readonly #random: RandomStream;
  readonly #tally: Tally;

  constructor(plan: NodePlan, random: RandomStream, tally: Tally) {
    this.#plan = plan;
    this.#random = random;
    this.#tally = tally;
  }

  /** In ms; undefined if the call comes back at once. */
  of(call: DiskCall, areFaultsOver: boolean): number | undefined {
    const { writeMean, stallChance, slowCallChance, slowCallMean } = this.#plan;
    const random = this.#random;
    if (call !== 'sync') {
      if (areFaultsOver || !random.chance(slowCallChance)) return undefined;
      return random.exponential(slowCallMean);
    }
    if (areFaultsOver) return 0;
    if (random.chance(stallChance)) {
      this.#tally.add('disk stalls');
      return random.between(50, 2000);
    }
    return random.exponential(writeMean);
  }
}
