/** A node's agent, as far as networks go: the Docker driver and the kernel's data plane, told what to do line by line. */

import { createInterface } from 'node:readline';
import type { DriverContext, RuntimeTask } from '@skep/core/driver';
import { silentLogger, systemClock } from '@skep/core/testing';
import { DockerDriver } from '@skep/docker-driver';
import { KernelDataPlane, type MeshChange, type MeshNode, type MeshProblem } from '@skep/mesh';

/** What it is told to do. */
export type Order =
  | { readonly kind: 'key' | 'die' }
  | { readonly kind: 'apply'; readonly change: MeshChange }
  | { readonly kind: 'run' | 'remove'; readonly task: RuntimeTask }
  | { readonly kind: 'exec'; readonly task: RuntimeTask; readonly command: readonly string[] };

/** What came of it. */
export interface Answer {
  readonly order: number;
  readonly error?: string;
  readonly publicKey?: string | undefined;
  readonly problems?: readonly MeshProblem[];
  readonly output?: string;
}

const { node, socketPath } = JSON.parse(process.argv[2] ?? '{}') as {
  readonly node: MeshNode;
  readonly socketPath: string;
};
const { signal } = new AbortController();

const driver = new DockerDriver({ engine: `unix://${socketPath}`, pull: 'never', removeOnClose: false });
await driver.open({
  clusterId: 'five-nodes' as DriverContext['clusterId'],
  nodeId: node.id,
  hostname: node.hostname,
  clock: systemClock,
  logger: silentLogger,
});
const opened = await KernelDataPlane.open({ node, engine: driver.takeNetworks() });
if (!('apply' in opened)) throw new Error(opened.map(({ message }) => message).join('\n'));
const dataPlane = opened;

async function carryOut(order: Order): Promise<Omit<Answer, 'order'>> {
  switch (order.kind) {
    case 'key':
      return { publicKey: dataPlane.publicKey };
    case 'die':
      process.kill(process.pid, 'SIGKILL');
      return {};
    case 'apply':
      await dataPlane.apply(order.change, signal);
      await dataPlane.settled();
      return { problems: dataPlane.status().problems };
    case 'run': {
      const runtime = driver.runtime(order.task);
      await runtime.prepare({ signal });
      await runtime.start({ signal });
      return {};
    }
    case 'remove':
      await driver.runtime(order.task).remove({ signal });
      return {};
    case 'exec': {
      const { exitCode, output = '' } = (await driver
        .runtime(order.task)
        .exec?.(order.command, { signal })) ?? { exitCode: 1 };
      if (exitCode !== 0) throw new Error(`${order.command.join(' ')}: status ${exitCode}: ${output}`);
      return { output };
    }
  }
}

createInterface({ input: process.stdin }).on('line', async (line) => {
  const order = JSON.parse(line) as Order & { readonly order: number };
  const answer = await carryOut(order).catch((error: Error) => ({ error: error.message }));
  process.stdout.write(`${JSON.stringify({ order: order.order, ...answer })}\n`);
});
