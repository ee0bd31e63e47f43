/** The network between simulated members: slow, lossy, out of order, and cut where misfortune says so. */

import type { MemberId } from '../core/types.ts';
import type { EventQueue } from './event-queue.ts';
import type { ClusterPlan } from './plan.ts';
import { TICK } from './plan.ts';
import type { RandomStream } from './seeded-random.ts';
import type { Tally } from './tally.ts';

/** What travels. */
export interface Carried {
  readonly from: MemberId;
  readonly to: MemberId;
  readonly type: string;
}

/** What becomes of messages. */
export interface NetworkEnds<M> {
  readonly deliver: (message: M) => void;
  /** The sender's transport has noticed that it was lost. */
  readonly lost: (message: M) => void;
}

/** Snapshots carry a whole state and take this much longer. */
const SNAPSHOT_FACTOR = 8;

/** Directed links, each cut or not. */
export class SimulatedNetwork<M extends Carried> {
  readonly #plan: ClusterPlan;
  readonly #queue: EventQueue;
  readonly #random: RandomStream;
  readonly #tally: Tally;
  readonly #ends: NetworkEnds<M>;
  readonly #cut = new Set<string>();
  /** Faults stop in the phase that asks whether the cluster recovers. */
  isReliable = false;

  constructor(
    plan: ClusterPlan,
    queue: EventQueue,
    random: RandomStream,
    tally: Tally,
    ends: NetworkEnds<M>,
  ) {
    this.#plan = plan;
    this.#queue = queue;
    this.#random = random;
    this.#tally = tally;
    this.#ends = ends;
  }

  get cuts(): number {
    return this.#cut.size;
  }

  cut(from: MemberId, to: MemberId): void {
    this.#cut.add(`${from}>${to}`);
  }

  heal(): void {
    this.#cut.clear();
  }

  send(message: M): void {
    const random = this.#random;
    const { dropChance, doubleChance } = this.#plan;
    const isDropped = !this.isReliable && random.chance(dropChance);
    if (isDropped || this.#isCut(message)) {
      this.#tally.add(isDropped ? 'messages dropped' : 'messages lost on a cut link');
      this.#queue.plan(this.#delay(message), () => this.#ends.lost(message));
      return;
    }
    this.#carry(message);
    if (!this.isReliable && random.chance(doubleChance)) {
      this.#tally.add('messages doubled');
      this.#carry(message);
    }
  }

  #carry(message: M): void {
    this.#queue.plan(this.#delay(message), () => {
      if (this.#plan.cutsSwallow && this.#isCut(message)) this.#ends.lost(message);
      else this.#ends.deliver(message);
    });
  }

  #delay(message: M): number {
    const { delayLeast, delayMean, clogChance } = this.#plan;
    let delay = delayLeast + this.#random.exponential(this.isReliable ? 1 : delayMean);
    if (!this.isReliable && this.#random.chance(clogChance)) {
      this.#tally.add('messages held up');
      delay += this.#random.between(TICK, 40 * TICK);
    }
    return message.type === 'install-snapshot' ? (1 + delay) * SNAPSHOT_FACTOR : delay;
  }

  #isCut(message: M): boolean {
    return this.#cut.has(`${message.from}>${message.to}`);
  }
}
