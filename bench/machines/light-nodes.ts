/** Many workers in one process: whole nodes, each with its own key, certificate, connection and session, whose tasks are simulated. */

import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { systemClock } from '@skep/core/member';
import { SimulatedDriver } from '@skep/core/testing';
import { join, type SkepNode } from '@skep/node';

/** So many join at once. */
const AT_ONCE = 8;

/** Which nodes to make. */
export interface LightOrder {
  readonly dir: string;
  readonly prefix: string;
  readonly count: number;
  readonly token: string;
  readonly remotes: readonly string[];
}

/** The light nodes of this process. */
export class LightNodes {
  readonly #nodes: SkepNode[] = [];

  /** Joins them, some at a time. */
  async join({ dir, prefix, count, token, remotes }: LightOrder): Promise<void> {
    let next = 0;
    const some = async () => {
      for (let at = next++; at < count; at = next++) {
        const hostname = `${prefix}-${at}`;
        const own = path.join(dir, hostname);
        await mkdir(own, { recursive: true });
        const driver = new SimulatedDriver({ clock: systemClock });
        const options = { dir: own, hostname, listen: '127.0.0.1:0', driver };
        this.#nodes.push(await join({ ...options, token, remote: remotes }));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, some));
  }

  async close(): Promise<void> {
    await Promise.all(this.#nodes.splice(0).map((node) => node.close()));
  }
}
