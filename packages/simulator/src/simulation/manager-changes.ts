/** Managers that come and go while all else goes on: one change after the other, so that each is seen through. */

import { type RandomStream, randomStream, type Tally } from '@skep/raft/simulator';
import type { SimulatedCluster } from '../simulated-cluster.ts';
import type { Users } from './users.ts';

/** More managers than this make nothing but work. */
const MANAGERS_MAX = 5;

const CHANGES = ['add', 'remove', 'remove', 'promote', 'demote'] as const;

/** Adds, removes, promotes and demotes managers. */
export class ManagerChanges {
  readonly #sim: SimulatedCluster;
  readonly #users: Users;
  readonly #tally: Tally;
  readonly #random: RandomStream;
  /** The managers that were promoted from workers, by the workers' names. */
  readonly #promoted = new Map<string, string>();
  #running: Promise<void> | undefined;

  constructor(
    seed: number,
    parts: { readonly sim: SimulatedCluster; readonly users: Users; readonly tally: Tally },
  ) {
    this.#sim = parts.sim;
    this.#users = parts.users;
    this.#tally = parts.tally;
    this.#random = randomStream(seed, 'manager changes');
  }

  /** Begins a change, unless one is under way. */
  take(): void {
    const change = this.#random.pick(CHANGES);
    if (this.#running !== undefined || change === undefined) return;
    this.#running = this.#make(change)
      .catch((error: unknown) => this.#sim.committed.fail(error))
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #make(change: (typeof CHANGES)[number]): Promise<void> {
    switch (change) {
      case 'add':
        return this.#add();
      case 'remove':
        return this.#remove(this.#random.pick(this.#sim.managers));
      case 'promote':
        return this.#promote(this.#random.pick(this.#sim.workers));
      case 'demote':
        return this.#demote(this.#random.pick([...this.#promoted.keys()]));
    }
  }

  async #add(): Promise<void> {
    if (this.#sim.managers.length >= MANAGERS_MAX) return;
    await this.#sim.addManager();
    this.#tally.add('managers added');
  }

  async #remove(manager: string | undefined): Promise<void> {
    const isPromoted = [...this.#promoted.values()].includes(manager ?? '');
    if (manager === undefined || isPromoted || this.#sim.managers.length === 1) return;
    await this.#sim.removeManager(manager);
    this.#tally.add('managers removed');
  }

  /** A worker gets a manager beside its agent: its node has the role first, then it takes part. */
  async #promote(worker: string | undefined): Promise<void> {
    if (worker === undefined || this.#promoted.has(worker) || this.#sim.managers.length >= MANAGERS_MAX)
      return;
    const node = this.#sim.nodeOf(worker) ?? '';
    const isWanted = await this.#users.ask(`promote ${worker}`, async (cluster, options) => {
      await cluster.nodes.promote(node, options);
      return { unchanged: true };
    });
    if (!isWanted) return;
    this.#promoted.set(worker, await this.#sim.addManager());
    this.#tally.add('workers promoted');
  }

  async #demote(worker: string | undefined): Promise<void> {
    const manager = this.#promoted.get(worker ?? '');
    if (worker === undefined || manager === undefined || this.#sim.managers.length === 1) return;
    const node = this.#sim.nodeOf(worker) ?? '';
    // Refused for the last one of the list, and for a node that was removed; whose manager goes all the same.
    await this.#users.ask(`demote ${worker}`, async (cluster, options) => {
      await cluster.nodes.demote(node, options);
      return { unchanged: true };
    });
    await this.#sim.removeManager(manager);
    this.#promoted.delete(worker);
    this.#tally.add('managers demoted');
  }
}
