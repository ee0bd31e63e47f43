/**
 * Users of the simulated cluster. Each owns a service and a secret and has one command on its way at a time, so that
 * what must have come of it is known: a command is asked for again, under its id, until somebody tells how it ended.
 */

import type { Cluster, ServiceSpecInput } from '@skep/core';
import { isSkepError } from '@skep/core';
import { sleep } from '@skep/core/member';
import { type RandomStream, randomStream, type Tally, Violation } from '@skep/raft/simulator';
import type { SimulatedCluster } from '../simulated-cluster.ts';
import { IMAGE_NAMES, type SimulationPlan, zoneOf } from './plan.ts';

/** Codes of errors that leave it open whether the command was carried out, or say that it can be asked for again. */
const OPEN: ReadonlySet<string> = new Set(['UNAVAILABLE', 'OUTCOME_UNKNOWN', 'CLOSED', 'TIMEOUT', 'ABORTED']);

/** No secret value is without it, so that a trace or a log line can be searched for it. */
export const SECRET_MARK = 'not-for-your-eyes';

/** What a user was told of its service last. */
export interface Expected {
  readonly name: string;
  /** Undefined: it must not be there. */
  readonly spec: { readonly replicas: number | undefined; readonly change: string } | undefined;
}

interface Answer {
  /** The command changed nothing, so the log has no word of it. */
  readonly unchanged: boolean;
}

type Options = { readonly commandId: string; readonly timeout: number };
type Command = (cluster: Cluster, options: Options) => Promise<Answer>;

/** All users of one simulation. */
export class Users {
  readonly #parts: { readonly sim: SimulatedCluster; readonly plan: SimulationPlan; readonly tally: Tally };
  readonly #random: RandomStream;
  readonly #seed: number;
  readonly #users: readonly User[];
  readonly #busyNodes = new Set<string>();
  readonly #running = new Set<Promise<void>>();
  #commands = 0;
  /** Once set, refusals are final: the users go home. */
  #isOver = false;

  constructor(
    seed: number,
    parts: { readonly sim: SimulatedCluster; readonly plan: SimulationPlan; readonly tally: Tally },
  ) {
    this.#seed = seed;
    this.#parts = parts;
    this.#random = randomStream(seed, 'users');
    this.#users = Array.from({ length: parts.plan.users }, (_, at) => new User(at, this.#random));
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

  /** Resolves when no command is on its way. */
  async settled(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** From now on a command that nobody takes is given up. */
  stop(): void {
    this.#isOver = true;
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
    const running = this.#ask(what, command).then(onEnd, (error: unknown) => {
      this.#parts.sim.committed.fail(error);
      onEnd(false);
    });
    this.#running.add(running);
    void running.then(() => this.#running.delete(running));
  }

  /** True once it is carried out, false when it is refused for good. */
  async #ask(what: string, command: Command): Promise<boolean> {
    const { sim, tally } = this.#parts;
    const commandId = `${this.#seed}-${++this.#commands}`;
    for (;;) {
      const manager = this.#random.pick(sim.managers) ?? '';
      const cluster = sim.manager(manager);
      try {
        if (cluster !== undefined) {
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
        if (!OPEN.has(error.code)) return false;
        if (this.#isOver) return false;
      }
      await sleep(sim.clock, 200);
    }
  }
}

/** One user, with its service and its secret. */
class User {
  readonly name: string;
  isBusy = false;
  expected: Expected;
  readonly #random: RandomStream;
  readonly #isGlobal: boolean;
  #hasSecret = false;
  #usesSecret = false;
  #changes = 0;

  constructor(at: number, random: RandomStream) {
    this.name = `web-${at}`;
    this.#random = random;
    this.#isGlobal = at === 1;
    this.expected = { name: this.name, spec: undefined };
  }

  next(): { readonly what: string; readonly command: Command; readonly onDone: () => void } {
    const secret = `${this.name}-key`;
    if (!this.#hasSecret) {
      const data = this.#value();
      return {
        what: `create secret ${secret}`,
        command: async (cluster, options) => {
          await cluster.secrets.create({ name: secret }, data, options);
          return { unchanged: false };
        },
        onDone: () => {
          this.#hasSecret = true;
        },
      };
    }
    const { spec } = this.expected;
    if (spec === undefined) return this.#apply('create');
    const dice = this.#random.next();
    if (dice < 0.12) {
      const { name } = this;
      return {
        what: `remove service ${name}`,
        command: async (cluster, options) => {
          await cluster.services.remove(name, options);
          return { unchanged: false };
        },
        onDone: () => {
          this.expected = { name, spec: undefined };
        },
      };
    }
    if (dice < 0.35 && !this.#isGlobal) return this.#scale(spec.change);
    if (dice < 0.55) {
      const data = this.#value();
      return {
        what: `rotate secret ${secret}`,
        command: async (cluster, options) => {
          await cluster.secrets.rotate(secret, data, options);
          return { unchanged: false };
        },
        onDone: () => {},
      };
    }
    return this.#apply('update');
  }

  #scale(change: string) {
    const { name } = this;
    const replicas = this.#random.between(0, 6);
    return {
      what: `scale ${name} to ${replicas}`,
      command: async (cluster: Cluster, options: Options): Promise<Answer> => {
        const { action } = await cluster.services.scale(name, replicas, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.expected = { name, spec: { replicas, change } };
      },
    };
  }

  #apply(how: 'create' | 'update') {
    const { name } = this;
    const spec = this.#spec();
    const expected = { replicas: spec.replicas, change: String(this.#changes) };
    return {
      what: `${how} service ${name} with ${spec.task.image}, ${spec.replicas ?? 'one on each node'}`,
      command: async (cluster: Cluster, options: Options): Promise<Answer> => {
        const { action } =
          how === 'create'
            ? await cluster.services.create(spec, options)
            : await cluster.services.update(name, spec, options);
        return { unchanged: action === 'unchanged' };
      },
      onDone: () => {
        this.expected = { name, spec: expected };
      },
    };
  }

  #spec(): ServiceSpecInput {
    const random = this.#random;
    this.#changes += 1;
    if (random.chance(0.3)) this.#usesSecret = !this.#usesSecret;
    const replicas = random.between(1, 6);
    const isPlaced = random.chance(0.4);
    const maxReplicasPerNode = !isPlaced && random.chance(0.4) ? 2 : 0;
    return {
      name: this.name,
      ...(this.#isGlobal ? { mode: 'global' } : { replicas }),
      update: { parallelism: random.between(0, 2) },
      task: {
        image: random.pick(IMAGE_NAMES) ?? 'steady',
        env: { CHANGE: String(this.#changes) },
        stopGraceMs: 2_000,
        secrets: this.#usesSecret ? [{ name: `${this.name}-key` }] : [],
        restart: { delayMs: random.pick([0, 500, 5_000]) ?? 500, maxDelayMs: 20_000 },
        resources: { reservations: { cpus: random.pick([0.1, 0.25]) ?? 0.1 } },
        placement: {
          constraints: isPlaced ? ['node.labels.zone==a'] : [],
          maxReplicasPerNode,
        },
      },
    };
  }

  #value(): Uint8Array {
    this.#changes += 1;
    return new TextEncoder().encode(`${SECRET_MARK} ${this.name} ${this.#changes}`);
  }
}
