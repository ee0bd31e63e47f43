/** One user whose service is scaled by what its tasks use: how many they come to, the image decides. */

import type { ServiceSpecInput } from '@skep/core';
import type { RandomStream } from '@skep/raft/simulator';
import type { Wish } from './any-user.ts';
import { LOAD_OF_IMAGE } from './plan.ts';
import { ServiceOwner } from './service-owner.ts';

/** As much of a processor as one of its tasks should use. */
const TARGET = 0.5;
const BOUNDS = { min: 1, max: 4 } as const;

/** A user with a service that a metric decides about. */
export class ScaledUser extends ServiceOwner {
  constructor(at: number, random: RandomStream) {
    super('scaled', at, random);
  }

  next(): Wish {
    if (this.spec === undefined) return this.#apply('create');
    const dice = this.random.next();
    if (dice < 0.1) return this.removing();
    // By hand, which a metric may undo.
    if (dice < 0.3) return this.scaling(this.random.between(BOUNDS.min, BOUNDS.max), this.spec);
    return this.#apply('update');
  }

  #apply(how: 'create' | 'update'): Wish {
    const spec = this.#nextSpec();
    const load = LOAD_OF_IMAGE[spec.task.image ?? ''] ?? TARGET;
    // Twice as much as it should be is never too little for all that there may be, a tenth never too much for one.
    const comesTo = load > TARGET ? BOUNDS.max : BOUNDS.min;
    return this.asking(how, spec, { replicas: undefined, change: String(this.changes), comesTo });
  }

  #nextSpec(): ServiceSpecInput {
    this.changes += 1;
    return {
      name: this.name,
      autoscale: {
        ...{ ...BOUNDS, metric: 'cpu', target: TARGET, everyMs: 2_000, staleMs: 15_000 },
        ...{ scaleUpCooldownMs: 1_000, scaleDownCooldownMs: 2_000, stabilizationMs: 10_000 },
      },
      task: {
        image: this.random.pick(Object.keys(LOAD_OF_IMAGE)) ?? 'idle',
        env: { CHANGE: String(this.changes) },
        stopGraceMs: 2_000,
        restart: { delayMs: 500, maxDelayMs: 20_000 },
        resources: { reservations: { cpus: 0.1 } },
      },
    };
  }
}
