/** One user with a job: has it done again and again, and knows how often it has to have been done in the end. */

import type { ServiceSpecInput } from '@skep/core';
import type { RandomStream } from '@skep/raft/simulator';
import type { Wish } from './any-user.ts';
import { JOB_IMAGE_NAMES } from './plan.ts';
import { ServiceOwner } from './service-owner.ts';

/** A user with a job. */
export class JobUser extends ServiceOwner {
  constructor(at: number, random: RandomStream) {
    super('job', at, random);
  }

  next(): Wish {
    if (this.spec === undefined) return this.#begin('create', 1);
    if (!this.random.chance(0.15)) return this.#begin('update', (this.spec.runs ?? 0) + 1);
    return this.removing();
  }

  /** A change of what it does begins another run. */
  #begin(how: 'create' | 'update', runs: number): Wish {
    const spec = this.#nextSpec();
    return this.asking(how, spec, { replicas: undefined, change: String(this.changes), runs });
  }

  #nextSpec(): ServiceSpecInput {
    const random = this.random;
    this.changes += 1;
    const job = { completions: random.between(1, 5), concurrency: random.between(1, 3) };
    return {
      name: this.name,
      ...(this.isGlobal ? { mode: 'global-job' } : { mode: 'replicated-job', job }),
      task: {
        image: random.pick(JOB_IMAGE_NAMES) ?? 'batch',
        env: { CHANGE: String(this.changes) },
        stopGraceMs: 2_000,
        restart: { condition: 'on-failure', delayMs: 500, maxDelayMs: 20_000 },
        resources: { reservations: { cpus: 0.1 } },
        placement: { constraints: random.chance(0.3) ? ['node.labels.zone==a'] : [] },
      },
    };
  }
}
