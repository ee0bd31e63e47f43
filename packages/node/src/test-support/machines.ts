/** Nodes on loopback, each in a directory of its own, closed and removed with the test. */

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { SimulatedDriver, type SimulatedHostOptions, systemClock } from '@skep/core/testing';
import { type InitOptions, init } from '../node/init.ts';
import { join } from '../node/join.ts';
import type { NodeOptions } from '../node/options.ts';
import type { SkepNode } from '../node/skep-node.ts';
import { type StartOptions, start } from '../node/start.ts';

/** The machines of one test. */
export class Machines implements AsyncDisposable {
  readonly #nodes = new Set<SkepNode>();
  readonly #dirs = new Map<string, string>();

  /** The directory of a machine. */
  async dirOf(name: string): Promise<string> {
    const known = this.#dirs.get(name);
    if (known !== undefined) return known;
    const dir = await mkdtemp(joinPath(tmpdir(), 'skep-node-'));
    this.#dirs.set(name, dir);
    return dir;
  }

  async init(name: string, options: Partial<InitOptions> = {}): Promise<SkepNode> {
    return this.#kept(init({ ...(await this.#optionsOf(name)), ...options }));
  }

  /** Joins with the token for a role, as `via` has it; or with another token. */
  async join(
    name: string,
    role: 'manager' | 'worker',
    via: SkepNode,
    options: Partial<NodeOptions> & { readonly token?: string; readonly remote?: string } = {},
  ): Promise<SkepNode> {
    const token = via.joinTokens()[role];
    return this.#kept(join({ ...(await this.#optionsOf(name)), token, remote: via.advertise, ...options }));
  }

  async start(name: string, options: Partial<StartOptions> = {}): Promise<SkepNode> {
    return this.#kept(start({ dir: await this.dirOf(name), ...options }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#nodes].map((node) => node.close()));
    await Promise.all([...this.#dirs.values()].map((dir) => rm(dir, { recursive: true, force: true })));
  }

  async #optionsOf(name: string): Promise<NodeOptions> {
    return { dir: await this.dirOf(name), listen: '127.0.0.1:0', hostname: name };
  }

  async #kept(making: Promise<SkepNode>): Promise<SkepNode> {
    const node = await making;
    this.#nodes.add(node);
    return node;
  }
}

/** A simulated engine that runs whatever it is given, until it is stopped. */
export function simulatedDriver(options: Partial<SimulatedHostOptions> = {}): SimulatedDriver {
  return new SimulatedDriver({ clock: systemClock, ...options });
}

/** Resolves once something holds, looked at each time that the loop has come round. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** The same for what has to be asked of the disk. */
export async function eventually(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}
