/**
 * Users of the simulated cluster. Each owns a service and a secret and has one command on its way at a time, so that
 * what must have come of it is known: a command is asked for again, under its id, until somebody tells how it ended.
 */

import { isSkepError } from '@skep/core';
import { sleep } from '@skep/core/member';
import { type RandomStream, randomStream, type Tally, Violation } from '@skep/raft/simulator';
import { ASK_AGAIN_MS, isOpen } from '../ask-again.ts';
import type { SimulatedCluster } from '../simulated-cluster.ts';
import type { AnyUser, Command, Expected } from './any-user.ts';
import { CrowdUser } from './crowd-user.ts';
import { JobUser } from './job-user.ts';
import { type SimulationPlan, zoneOf } from './plan.ts';
import { ScaledUser } from './scaled-user.ts';
import { User } from './user.ts';

/** Codes of errors that leave it open whether the command was carried out, or say that it can be asked for again. */

/** All users of one simulation. */
export class Users {
  readonly #parts: { readonly sim: SimulatedCluster; readonly plan: SimulationPlan; readonly tally: Tally };
  readonly #random: RandomStream;
  readonly #seed: number;
  readonly #users: readonly AnyUser[];
  readonly #busyNodes = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  #commands = 0;

  constructor(
    seed: number,
    parts: { readonly sim: SimulatedCluster; readonly plan: SimulationPlan; readonly tally: Tally },
  ) {
    this.#seed = seed;
    this.#parts = parts;
    this.#random = randomStream(seed, 'users');
    const { users, jobs, scaled, isCrowded } = parts.plan;
    this.#users = [
      ...Array.from(
        { length: users },
        (_, at) => new User(at, this.#random, isCrowded ? (at % 3) * 5 : undefined),
      ),
      ...Array.from({ length: jobs }, (_, at) => new JobUser(at, this.#random)),
      ...Array.from({ length: scaled }, (_, at) => new ScaledUser(at, this.#random)),
      ...(isCrowded ? [new CrowdUser(this.#random)] : []),
    ];
  }

  /** What each user was told last. */
  get expected(): readonly Expected[] {
    return this.#users.map(({ expected }) => expected);
  }

  /** Commands on their way. */
  get pending(): number {
    return this.#running.size;
  }

  /** One user who is free asks for something. */
  act(): void {
    const { sim, plan } = this.#parts;
    if (this.#random.chance(0.2)) {
      const at = this.#random.between(0, plan.workers.length - 1);
      this.#changeNode(at);
      return;
    }
    const user = this.#random.pick(this.#users.filter(({ isBusy }) => !isBusy));
    if (user === undefined) return;
    const { what, command, onDone } = user.next();
    user.isBusy = true;
    this.#spawn(what, command, (isDone) => {
      user.isBusy = false;
      if (isDone) onDone();
    });
    sim.note(`user ${user.name}: ${what}`);
  }

  /** Every node takes tasks again, and has the labels that it joined with. */
  async restoreNodes(): Promise<void> {
    const { sim, plan } = this.#parts;
    await sim.run(this.settled());
    for (const at of plan.workers.keys()) {
      const id = sim.nodeOf(sim.workers[at] ?? '') ?? '';
      const change = { availability: 'active', labels: { zone: zoneOf(at) } } as const;
      this.#spawn(`restore ${sim.workers[at]}`, async (cluster, options) => {
        await cluster.nodes.update(id, change, options);
        return { unchanged: true };
      });
    }
    await sim.run(this.settled());
  }

  /** Updates that have stopped since tasks failed go on: whoever made them has seen why. */
  async resumeUpdates(): Promise<void> {
    const { sim } = this.#parts;
    for (const { spec, updateStatus } of sim.state.services()) {
      if (updateStatus?.state !== 'paused') continue;
      this.#spawn(`resume ${spec.name}`, async (cluster, options) => {
        await cluster.services.resumeUpdate(spec.name, options);
        return { unchanged: false };
      });
    }
    await sim.run(this.settled());
  }

  /** Resolves when no command is on its way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  #changeNode(at: number): void {
    const { sim, tally } = this.#parts;
    const worker = sim.workers[at] ?? '';
    if (this.#busyNodes.has(worker)) return;
    const id = sim.nodeOf(worker) ?? '';
    const done = () => this.#busyNodes.delete(worker);
    this.#busyNodes.add(worker);
    if (this.#random.chance(0.15)) {
      tally.add('nodes removed by force');
      sim.note(`user: remove ${worker}`);
      this.#spawn(
        `remove ${worker}`,
        async (cluster, options) => {
          await cluster.nodes.remove(id, { ...options, force: true });
          return { unchanged: false };
        },
        done,
      );
      return;
    }
    const availability = this.#random.pick(['active', 'active', 'pause', 'drain'] as const) ?? 'active';
    const zone = this.#random.chance(0.8) ? zoneOf(at) : zoneOf(at + 1);
    const labels = { zone, change: String(this.#commands) };
    tally.add(`nodes made ${availability}`);
    sim.note(`user: ${worker} ${availability}, zone ${zone}`);
    this.#spawn(
      `update ${worker}`,
      async (cluster, options) => {
        await cluster.nodes.update(id, { availability, labels }, options);
        return { unchanged: false };
      },
      done,
    );
  }

  #spawn(what: string, command: Command, onEnd: (isDone: boolean) => void = () => {}): void {
    const running = this.ask(what, command).then(onEnd, (error: unknown) => {
      this.#parts.sim.committed.fail(error);
      onEnd(false);
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  /** Asks until somebody tells how it ended. True once it is carried out, false when it is refused for good. */
  async ask(what: string, command: Command): Promise<boolean> {
    const { sim, tally } = this.#parts;
    const commandId = `${this.#seed}-${++this.#commands}`;
    for (;;) {
      const manager = this.#random.pick(sim.managers) ?? '';
      const cluster = sim.manager(manager);
      try {
        // Who stands still hears nobody.
        if (cluster !== undefined && !sim.isPaused(manager)) {
          const { unchanged } = await command(cluster, { commandId, timeout: 15_000 });
          if (!unchanged && sim.committed.positionOf(commandId) === undefined) {
            throw new Violation(`'${what}' was acknowledged by ${manager}, and the log does not have it`);
          }
          tally.add('commands acknowledged');
          return true;
        }
      } catch (error) {
        if (!isSkepError(error)) throw error;
        tally.add(`commands answered ${error.code}`);
        if (!isOpen(error)) return false;
      }
      await sleep(sim.clock, ASK_AGAIN_MS);
    }
  }
}
