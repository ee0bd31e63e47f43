/** What a manager sees of losses: nodes given up, tasks replaced. */

import type { Cluster } from '@skep/core';

/** What was seen. */
export interface Losses {
  /** Workers that were given a state, by the state. */
  readonly suspect: number;
  readonly down: number;
  /** Tasks that were made. */
  readonly created: number;
  /** Tasks that are not to run any more. */
  readonly evicted: number;
}

/** Counts from its making on. */
export class LossWatch {
  #suspect = 0;
  #down = 0;
  #created = 0;
  #evicted = 0;

  constructor(cluster: Cluster) {
    const from = cluster.health.index;
    cluster.watch({ from }).subscribe((event) => {
      if (event.type === 'created' && event.kind === 'task') this.#created += 1;
      if (event.type !== 'updated') return;
      if (event.kind === 'node') {
        const { spec, status } = event.object;
        const { state } = status;
        // A manager that runs no tasks has no session to lose.
        if (spec.role !== 'worker' || state === event.before.status.state) return;
        if (state === 'suspect') this.#suspect += 1;
        if (state === 'down') this.#down += 1;
      } else if (event.kind === 'task') {
        const { desiredState } = event.object;
        if (desiredState !== event.before.desiredState && desiredState !== 'running') this.#evicted += 1;
      }
    });
  }

  get seen(): Losses {
    return {
      suspect: this.#suspect,
      down: this.#down,
      created: this.#created,
      evicted: this.#evicted,
    };
  }
}
