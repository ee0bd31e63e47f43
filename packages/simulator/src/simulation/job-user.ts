/** One user with a job: has it done again and again, and knows how often it has to have been done in the end. */

import type { ServiceSpecInput } from '@skep/core';
import type { RandomStream } from '@skep/raft/simulator';
import { JOB_IMAGE_NAMES } from './plan.ts';
import { type AnyUser, type Expected, removal, type Wish } from './user.ts';

/** A user with a job. */
export class JobUser implements AnyUser {
  readonly name: string;
  isBusy = false;
  readonly #random: RandomStream;
  readonly #isGlobal: boolean;
  #spec: Expected['spec'];
  #changes = 0;

  constructor(at: number, random: RandomStream) {
    this.name = `job-${at}`;
    this.#random = random;
    this.#isGlobal = at === 1;
  }

  get expected(): Expected {
    return { name: this.name, spec: this.#spec, contents: {} };
  }

  next(): Wish {
    if (this.#spec === undefined) return this.#begin('create', 1);
    if (!this.#random.chance(0.15)) return this.#begin('update', (this.#spec.runs ?? 0) + 1);
    return removal(this.name, () => {
      this.#spec = undefined;
    });
  }

  /** A change of what it does begins another run. */
  #begin(how: 'create' | 'update', runs: number): Wish {
    const { name } = this;
    const spec = this.#nextSpec();
    const change = String(this.#changes);
    return {
      what: `${how} job ${name} with ${spec.task.image}, ${spec.job?.completions ?? 'one on each node'}`,
      command: async (cluster, options) => {
        const { action } =
          how === 'create'
            ? await cluster.services.create(spec, options)
            : await cluster.services.update(name, spec, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.#spec = { replicas: undefined, change, runs };
      },
    };
  }

  #nextSpec(): ServiceSpecInput {
    const random = this.#random;
    this.#changes += 1;
    const job = { completions: random.between(1, 5), concurrency: random.between(1, 3) };
    return {
      name: this.name,
      ...(this.#isGlobal ? { mode: 'global-job' } : { mode: 'replicated-job', job }),
      task: {
        image: random.pick(JOB_IMAGE_NAMES) ?? 'batch',
        env: { CHANGE: String(this.#changes) },
        stopGraceMs: 2_000,
        restart: { condition: 'on-failure', delayMs: 500, maxDelayMs: 20_000 },
        resources: { reservations: { cpus: 0.1 } },
        placement: { constraints: random.chance(0.3) ? ['node.labels.zone==a'] : [] },
      },
    };
  }
}
