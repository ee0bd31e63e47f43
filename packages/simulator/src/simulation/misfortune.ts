/**
 * What goes wrong: processes and machines that die or stand still, wires that are cut or slow, disks without room, tasks
 * that are killed.
 */

import type { SimulatedBehaviour } from '@skep/core/testing';
import { type RandomStream, randomStream, type Tally, Violation } from '@skep/raft/simulator';
import type { SimulatedCluster } from '../simulated-cluster.ts';
import type { ActionName } from './plan.ts';

/** So often managers are looked at, a second apart, until all are back and one leads. */
const LOOKS_MAX = 60;

/** Lets things go wrong, and come right again. */
export class Misfortune {
  readonly #sim: SimulatedCluster;
  readonly #tally: Tally;
  readonly #random: RandomStream;
  /** Managers whose disks have no room. */
  readonly #full = new Set<string>();

  constructor(seed: number, sim: SimulatedCluster, tally: Tally) {
    this.#sim = sim;
    this.#tally = tally;
    this.#random = randomStream(seed, 'misfortune');
  }

  /** Takes one action, if there is something that it can be taken on. */
  async take(action: Exclude<ActionName, 'command' | 'change-managers'>): Promise<void> {
    const sim = this.#sim;
    const isUp = (name: string) => sim.isUp(name);
    switch (action) {
      case 'crash-manager':
        return this.#on(action, sim.managers.filter(isUp), (name) => sim.crash(name));
      case 'crash-leader':
        return this.#on(action, sim.leader === undefined ? [] : [sim.leader], (name) => sim.crash(name));
      case 'crash-worker':
        return this.#on(action, sim.workers.filter(isUp), (name) => sim.crash(name));
      case 'crash-machine':
        return this.#on(action, sim.workers.filter(isUp), (name) => sim.crash(name, { machine: true }));
      case 'restart':
        return this.#restart();
      case 'partition':
        this.#tally.add('fault: partition');
        return sim.partition(this.#some([...sim.managers, ...sim.workers]));
      case 'cut': {
        const all = [...sim.managers, ...sim.workers];
        const from = this.#random.pick(all) ?? '';
        return this.#on(
          action,
          all.filter((name) => name !== from),
          (to) => sim.cut(from, to),
        );
      }
      case 'slow':
        this.#tally.add('fault: slow');
        return sim.slowDown(this.#random.pick([5, 50, 200]) ?? 5);
      case 'heal':
        return sim.heal();
      case 'kill-task':
        return this.#on(
          action,
          sim.workers.filter((name) => sim.host(name).running().length > 0),
          (name) => {
            const { host, task } = {
              host: sim.host(name),
              task: this.#random.pick(sim.host(name).running()),
            };
            if (task === undefined) return;
            sim.note(`task ${task.id.slice(0, 6)} is killed on ${name}`);
            host.kill(task.id);
          },
        );
      case 'pause':
      case 'pause-leader': {
        const all = action === 'pause' ? [...sim.managers, ...sim.workers] : [sim.leader ?? ''];
        const going = all.filter((name) => name !== '' && isUp(name) && !sim.isPaused(name));
        return this.#on(action, going, (name) => sim.pause(name));
      }
      case 'resume':
        return this.#resume(this.#random.pick(this.#paused));
      case 'fill-disk':
        return this.#on(action, sim.managers, (name) => {
          this.#full.add(name);
          sim.fillDisk(name);
        });
      case 'free-disk':
        return this.#freeDisk(this.#random.pick([...this.#full]));
    }
  }

  /** Everything that is down comes back, nothing is cut or slow, and tasks behave. */
  async end(images: Readonly<Record<string, SimulatedBehaviour>>): Promise<void> {
    const sim = this.#sim;
    sim.note('faults stop');
    sim.heal();
    for (const name of this.#paused) this.#resume(name);
    for (const name of [...this.#full]) this.#freeDisk(name);
    for (const worker of sim.workers) {
      for (const [image, calm] of Object.entries(images)) sim.host(worker).setBehaviour(image, calm);
    }
    for (let look = 0; !this.#areManagersBack(); look++) {
      if (look === LOOKS_MAX)
        throw new Violation('managers are not back, or nobody leads, a minute after faults stopped');
      await sim.advance(1_000);
    }
    for (const name of sim.workers) await sim.restart(name);
  }

  /** Starts what is down, again and again: one that found no room on its disk a moment ago has ended since. */
  #areManagersBack(): boolean {
    const sim = this.#sim;
    for (const name of sim.managers) if (!sim.isUp(name)) void sim.restart(name);
    return sim.leader !== undefined && sim.managers.every((name) => sim.manager(name));
  }

  /** Workers that were taken out of the cluster join anew. */
  async bringBack(): Promise<void> {
    for (const name of this.#sim.workers) if (isOut(this.#sim, name)) await this.#sim.restart(name);
  }

  get #paused(): readonly string[] {
    return [...this.#sim.managers, ...this.#sim.workers].filter((name) => this.#sim.isPaused(name));
  }

  #resume(name: string | undefined): void {
    if (name !== undefined) this.#sim.resume(name);
  }

  #freeDisk(name: string | undefined): void {
    if (name === undefined) return;
    this.#full.delete(name);
    // It may have been taken out meanwhile.
    if (this.#sim.managers.includes(name)) this.#sim.freeDisk(name);
  }

  async #restart(): Promise<void> {
    const sim = this.#sim;
    const down = [...sim.managers, ...sim.workers].filter((name) => !sim.isUp(name) || isOut(sim, name));
    const name = this.#random.pick(down);
    if (name === undefined) return;
    if (sim.managers.includes(name)) {
      this.#tally.add('managers restarted');
      return sim.restart(name);
    }
    // Without a leader that takes the join nothing would come of it now.
    if (sim.leader === undefined || isOut(sim, name)) return;
    this.#tally.add('workers restarted');
    await sim.restart(name);
  }

  #on(action: ActionName, names: readonly string[], happen: (name: string) => void): void {
    const name = this.#random.pick(names);
    if (name === undefined) return;
    this.#tally.add(`fault: ${action}`);
    happen(name);
  }

  #some(names: readonly string[]): string[] {
    const some = names.filter(() => this.#random.chance(0.3));
    return some.length > 0 ? some : names.slice(0, 1);
  }
}

/** The node was taken out of the cluster: it comes back when faults stop. */
function isOut(sim: SimulatedCluster, name: string): boolean {
  if (!sim.workers.includes(name)) return false;
  const id = sim.nodeOf(name);
  return id !== undefined && ![...sim.state.nodes()].some((node) => node.id === id);
}
