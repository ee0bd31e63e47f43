/** What passes traffic on at a simulated machine: it takes its time, and outlives the agent that tells it to whom. */

import type { Clock, Random } from '@skep/core';
import type { DataPlane, EndpointsMessage } from '@skep/core/member';
import { sleep } from '@skep/core/member';

/** How long a message takes to be taken in, milliseconds. */
const TAKES_MS: readonly [least: number, most: number] = [0, 50];

/** A data plane. */
export class SimulatedDataPlane implements DataPlane {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #targets = new Set<string>();

  constructor(clock: Clock, random: Random) {
    this.#clock = clock;
    this.#random = random;
  }

  /** Ids of the tasks that it would send traffic to. */
  get targets(): ReadonlySet<string> {
    return this.#targets;
  }

  async apply(message: EndpointsMessage, signal: AbortSignal): Promise<void> {
    const [least, most] = TAKES_MS;
    await sleep(this.#clock, least + this.#random.next() * (most - least), signal);
    if (message.kind === 'complete') this.#targets.clear();
    else for (const id of message.left) this.#targets.delete(id);
    const joined = message.kind === 'complete' ? message.endpoints : message.joined;
    for (const { taskId } of joined) this.#targets.add(taskId);
  }

  /** The machine went down, and forgets everything. */
  clear(): void {
    this.#targets.clear();
  }
}
