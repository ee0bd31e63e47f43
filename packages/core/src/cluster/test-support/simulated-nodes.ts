/** Whole clusters under virtual time, for tests of what a cluster as a whole comes to. */

import { seededRandom } from '../../runtime/random.ts';
import { SimulatedClock } from '../../testing/simulated-clock.ts';
import { SimulatedDriver } from '../../testing/simulated-driver.ts';
import { SimulatedHost } from '../../testing/simulated-host.ts';
import { Cluster } from '../cluster.ts';

const LIMIT_MS = 30 * 60_000;

/** A node as a test asks for it. */
export interface NodeSize {
  /** Default 8. */
  readonly cpus?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** A cluster with its nodes named node-1, node-2… */
export async function aClusterOf(sizes: readonly NodeSize[], seed = 1) {
  const clock = new SimulatedClock();
  const random = seededRandom(seed);
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: LIMIT_MS });
  const cluster = await run(Cluster.open({ clock, random }));
  for (const [n, { cpus = 8, labels = {} }] of sizes.entries()) {
    const host = new SimulatedHost({ clock, random: seededRandom(seed + n + 1) });
    const resources = { cpus, memoryBytes: 2 ** 34, generic: {} };
    const driver = new SimulatedDriver({ host, description: { resources } });
    await run(cluster.addNode({ driver, hostname: `node-${n + 1}`, spec: { labels } }));
  }
  return { cluster, run, clock };
}

/** Where the tasks of a service are that are meant to run: by slot, the node's hostname. */
export function places(cluster: Cluster, service: string): Record<number, string> {
  const found: Record<number, string> = {};
  for (const { slot, nodeId } of cluster.tasks.list({ service, desiredState: 'running' })) {
    if (nodeId !== undefined) found[slot] = cluster.nodes.inspect(nodeId).description.hostname;
  }
  return found;
}
