/** Whom traffic for one port of a service may go to, and whom the next connection goes to. */

import { createHash } from 'node:crypto';
import type { Clock } from '@skep/core';
import type { Balance } from '../data-plane.ts';
import { score } from './rendezvous.ts';

/** Where traffic can go. */
export interface Target {
  /** Of the task. */
  readonly id: string;
  /** An IP address, or a name that this machine resolves. */
  readonly host: string;
  readonly port: number;
}

/** A target, and what a pool knows of it. */
export interface PooledTarget extends Target {
  /** Connections to it that this node has passed on and that have not ended. */
  readonly connections: number;
}

/** What a choice goes by. */
export interface Wish {
  /** The client's address: it gets the target that it had before, as long as that takes traffic. */
  readonly client?: string;
  /** What {@link TargetPool.tokenOf} said of the target that the client had before. */
  readonly token?: string;
  /** Ids of those that were tried in vain. */
  readonly except?: ReadonlySet<string>;
}

interface Entry extends Target {
  connections: number;
  /** Until then it is passed over, since it could not be reached. By the monotonic clock. */
  avoidedUntil: number;
  /** Traffic may go to it. */
  isIn: boolean;
}

/** For how long one that could not be reached is passed over while there are others. */
const AVOID_MS = 1_000;

/** Targets that traffic is spread over. */
export class TargetPool {
  readonly #clock: Pick<Clock, 'monotonic'>;
  #entries: Entry[] = [];
  #next = 0;
  #balance: Balance;

  constructor(balance: Balance, clock: Pick<Clock, 'monotonic'>) {
    this.#balance = balance;
    this.#clock = clock;
  }

  get size(): number {
    return this.#entries.length;
  }

  get targets(): readonly PooledTarget[] {
    return this.#entries;
  }

  has(id: string): boolean {
    return this.#entries.some((entry) => entry.id === id);
  }

  /** Whether a target that was acquired is still one, at the same place. */
  holds(target: PooledTarget): boolean {
    return (target as Entry).isIn;
  }

  /** From here on traffic goes to these alone. Those that stay keep the count of their connections. */
  update(targets: readonly Target[], balance: Balance): void {
    const known = new Map(this.#entries.map((entry) => [entry.id, entry]));
    this.#balance = balance;
    for (const entry of this.#entries) entry.isIn = false;
    this.#entries = targets.map(({ id, host, port }) => {
      const before = known.get(id);
      const isSame = before?.host === host && before.port === port;
      if (!isSame) return { id, host, port, connections: 0, avoidedUntil: 0, isIn: true };
      before.isIn = true;
      return before;
    });
  }

  /** Chooses a target, and counts a connection to it until it is released. Undefined: there is none. */
  acquire(wish: Wish = {}): PooledTarget | undefined {
    const chosen = this.#choose(wish);
    if (chosen) chosen.connections++;
    return chosen;
  }

  /** The connection has ended. Also for a target that has left meanwhile. */
  release(target: PooledTarget): void {
    (target as Entry).connections--;
  }

  /** It could not be reached: others come first for a second. */
  avoid(target: PooledTarget): void {
    (target as Entry).avoidedUntil = this.#clock.monotonic() + AVOID_MS;
  }

  /** Names a target to a client without telling it anything: the same on every node. */
  static tokenOf({ id }: Pick<Target, 'id'>): string {
    return createHash('sha256').update(`skep-target ${id}`).digest('hex').slice(0, 16);
  }

  #choose({ client, token, except }: Wish): Entry | undefined {
    const entries = this.#entries;
    if (token !== undefined) {
      const known = entries.find((entry) => !except?.has(entry.id) && TargetPool.tokenOf(entry) === token);
      if (known) return known;
    }
    const now = this.#clock.monotonic();
    const isTried = (entry: Entry) => except?.has(entry.id) === true;
    const isReachable = (entry: Entry) => entry.avoidedUntil <= now && !isTried(entry);
    const mayGo = entries.some(isReachable) ? isReachable : (entry: Entry) => !isTried(entry);
    return client === undefined ? this.#nextOf(mayGo) : highest(entries, mayGo, client);
  }

  /** In turn; or, beginning there, the first of those with the fewest connections. */
  #nextOf(mayGo: (entry: Entry) => boolean): Entry | undefined {
    const entries = this.#entries;
    const count = entries.length;
    const start = this.#next % Math.max(1, count);
    let best: Entry | undefined;
    let bestAt = start;
    for (let step = 0; step < count; step++) {
      const at = start + step < count ? start + step : start + step - count;
      const entry = entries[at];
      if (!entry || !mayGo(entry)) continue;
      if (best && entry.connections >= best.connections) continue;
      best = entry;
      bestAt = at;
      if (this.#balance === 'round-robin' || entry.connections === 0) break;
    }
    this.#next = bestAt + 1;
    return best;
  }
}

function highest(
  entries: readonly Entry[],
  mayGo: (entry: Entry) => boolean,
  client: string,
): Entry | undefined {
  let best: Entry | undefined;
  let bestScore = -1;
  for (const entry of entries) {
    if (!mayGo(entry)) continue;
    const own = score(client, entry.id);
    if (own <= bestScore) continue;
    best = entry;
    bestScore = own;
  }
  return best;
}
