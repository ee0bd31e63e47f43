/** A user whose service fills whatever is free, at the lowest priority: everybody else's tasks need its room. */

import type { RandomStream } from '@skep/raft/simulator';
import type { AnyUser, Expected, Wish } from './any-user.ts';

/** The priority of the crowd. */
export const CROWD_PRIORITY = -10;
/** So much each of its tasks takes, in processors. */
const CROWD_CPUS = 1.5;

/** The user. */
export class CrowdUser implements AnyUser {
  readonly name = 'crowd';
  isBusy = false;
  readonly #random: RandomStream;
  #spec: Expected['spec'];

  constructor(random: RandomStream) {
    this.#random = random;
  }

  get expected(): Expected {
    return { name: this.name, spec: this.#spec, contents: {} };
  }

  next(): Wish {
    const { name } = this;
    const replicas = this.#random.between(16, 30);
    const isNew = this.#spec === undefined;
    return {
      what: `${isNew ? 'create' : 'scale'} ${name} to ${replicas}`,
      command: async (cluster, options) => {
        const { action } = isNew
          ? await cluster.services.create(
              {
                name,
                replicas,
                priority: CROWD_PRIORITY,
                task: {
                  image: 'slow',
                  env: { CHANGE: 'none' },
                  stopGraceMs: 2_000,
                  restart: { delayMs: 500 },
                  resources: { reservations: { cpus: CROWD_CPUS } },
                },
              },
              options,
            )
          : await cluster.services.scale(name, replicas, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.#spec = { replicas, change: 'none' };
      },
    };
  }
}
