/** The machines of one measurement: processes on loopback, each with a directory of its own. */

import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { JoinTokens } from '@skep/node';
import { writeProgram } from '../../examples/mini-cluster/member-program.ts';
import { CalledProcess } from '../../packages/raft/src/adapters/test-support/called-process.ts';
import type { LightOrder } from './light-nodes.ts';
import type { Become, NodeOrder } from './machine.ts';

const PROGRAM = fileURLToPath(new URL('machine.ts', import.meta.url));
/** What takes longer has failed, in ms. */
const CALL_MS = 120_000;

/** One life of a machine's process. */
export class Machine extends CalledProcess {
  readonly dir: string;
  /** What it became; set by {@link become}. */
  node: Become | undefined;

  constructor(name: string, program: URL, dir: string, nodeFlags: readonly string[]) {
    super(name, program, nodeFlags);
    this.dir = dir;
  }

  async become(order: Omit<NodeOrder, 'dir' | 'hostname'>): Promise<Become> {
    this.node = await this.call<Become>('become', { ...order, dir: this.dir, hostname: this.id });
    return this.node;
  }

  /** The node that it is. */
  get it(): Become {
    if (this.node === undefined) throw new Error(`${this.id} is no node yet`);
    return this.node;
  }

  override async call<T = unknown>(method: string, ...args: readonly unknown[]): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`${this.id}: ${method} takes too long`)), CALL_MS);
    });
    try {
      return await Promise.race([super.call<T>(method, ...args), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Ends it as a loss of its machine would, but for the page cache. */
  async kill(): Promise<void> {
    this.signal('SIGKILL');
    await this.exited;
  }
}

/** All processes of one measurement. */
export class Machines implements AsyncDisposable {
  readonly dir: string;
  readonly #program: URL;
  readonly #living = new Set<Machine>();

  private constructor(dir: string, program: URL) {
    this.dir = dir;
    this.#program = program;
  }

  /** @param home - where the machines' disks are made; default: the system's directory for temporary files. */
  static async open(home = tmpdir()): Promise<Machines> {
    const dir = await mkdtemp(path.join(home, 'skep-bench-machines-'));
    return new Machines(dir, pathToFileURL(await writeProgram(PROGRAM, path.join(dir, 'program'))));
  }

  /** Starts a machine; one that was there before has what is on its disk. Resolves once its process answers. */
  async start(name: string): Promise<Machine> {
    const dir = path.join(this.dir, name);
    await mkdir(dir, { recursive: true });
    const machine = new Machine(name, this.#program, dir, ['--expose-gc']);
    this.#living.add(machine);
    void machine.exited.then(() => this.#living.delete(machine));
    await machine.call('ping');
    return machine;
  }

  /** A cluster of managers that run no tasks. The first one leads. */
  async managers(count: number): Promise<readonly [Machine, ...Machine[]]> {
    const first = await this.start('manager-1');
    await first.become({ how: 'init' });
    const others: Machine[] = [];
    for (let number = 2; number <= count; number++) {
      const machine = await this.start(`manager-${number}`);
      others.push(machine);
      await this.join(machine, 'manager', [first]);
    }
    return [first, ...others];
  }

  /** Makes a machine a node of the cluster that the managers belong to. */
  async join(
    machine: Machine,
    role: keyof JoinTokens,
    via: readonly [Machine, ...Machine[]],
    driver?: 'process',
  ): Promise<Become> {
    const tokens = await via[0].call<JoinTokens>('tokens');
    const remotes = via.map(({ it }) => it.advertise);
    return machine.become({ how: 'join', driver, token: tokens[role], remotes });
  }

  /** Has a machine be so many light workers. */
  async joinMany(machine: Machine, count: number, via: Machine): Promise<void> {
    const { worker: token } = await via.call<JoinTokens>('tokens');
    const remotes = [via.it.advertise];
    const order: LightOrder = { dir: machine.dir, prefix: machine.id, count, token, remotes };
    await machine.call('joinMany', order);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // One that is stopped has to go on to end.
    await Promise.all([...this.#living].map((machine) => machine.kill()));
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** The one of the managers that leads. */
export async function leaderOf(managers: readonly Machine[]): Promise<Machine> {
  for (;;) {
    for (const manager of managers) {
      if (!manager.isGone && (await manager.call<boolean>('leads'))) return manager;
    }
    await pass(10);
  }
}

/** Lets time pass, in ms. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
