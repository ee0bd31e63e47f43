import { describe, expect, it } from 'vitest';
import { FileEventLog } from '../file/file-event-log.ts';
import { SimulatedDisk } from '../file/simulated-disk.ts';
import { seededRandom } from '../runtime/random.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';
import { aClusterOf } from './test-support/simulated-nodes.ts';

const picky = {
  name: 'web',
  task: {
    image: 'web',
    resources: { reservations: { cpus: 4 } },
    placement: { constraints: ['node.labels.disk==ssd'] },
  },
  replicas: 2,
};

describe('given a cluster, when a task is explained', () => {
  it('then one that has a node tells the best nodes, those turned away, and the decision', async () => {
    const { cluster, run } = await aClusterOf([{ labels: { disk: 'ssd' } }, { labels: { disk: 'ssd' } }, {}]);
    await run(cluster.services.apply(picky));
    await run(cluster.services.waitFor('web', 'running'));
    const [first] = cluster.tasks.list({ service: 'web' });
    const told = await run(cluster.explain(first?.id ?? ''));
    expect(told).toMatchObject({
      task: first?.id,
      service: 'web',
      slot: 1,
      node: { name: 'node-1' },
      decision: {
        placed: 2,
        nodes: 3,
        rejected: [{ filter: 'constraint', nodes: 1, by: [{ what: 'node.labels.disk==ssd', nodes: 1 }] }],
        candidates: [
          { name: 'node-1', serviceTasks: 0, tasks: 0 },
          { name: 'node-2', serviceTasks: 0, tasks: 0 },
        ],
      },
      remedies: [],
    });
    expect(told.decision?.index).toBeLessThan(cluster.health.index);
    expect(told.message).toBe(
      `placed on node-1 at index ${told.decision?.index}, with 1 more of its service; 3 nodes looked at`,
    );
    await run(cluster.close());
  });

  it('then one that has none tells what would help, and doing that helps', async () => {
    const { cluster, run } = await aClusterOf([{ cpus: 2, labels: { disk: 'ssd' } }, { cpus: 8 }]);
    await run(cluster.services.apply({ ...picky, replicas: 1 }));
    await run(cluster.services.waitFor('web', ({ reasons }) => reasons.length > 0));
    const [task] = cluster.tasks.list({ service: 'web' });
    const told = await run(cluster.explain(task?.id ?? ''));
    expect(told.message).toBe(
      'no suitable node (insufficient resources on 1 node: cpus; ' +
        'scheduling constraints not satisfied on 1 node: node.labels.disk==ssd)',
    );
    expect(told.decision?.rejected[0]?.by).toEqual([{ what: 'cpus', nodes: 1, asked: 4, freeAtBest: 2 }]);
    expect(told.remedies.map(({ message }) => message)).toEqual([
      '2 more CPUs on node-1',
      'label node.labels.disk=ssd on node-2',
      'a new node with 4 CPUs, node.labels.disk==ssd',
    ]);
    await run(cluster.nodes.update('node-2', { labels: { disk: 'ssd' } }));
    await run(cluster.services.waitFor('web', 'running'));
    expect((await run(cluster.explain(task?.id ?? ''))).node?.name).toBe('node-2');
    await run(cluster.close());
  });

  it('then one that is unknown, and what is no id, are refused', async () => {
    const { cluster, run } = await aClusterOf([{}]);
    await expect(run(cluster.explain('nothing'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(run(cluster.explain(7 as never))).rejects.toMatchObject({ code: 'INVALID_SPEC' });
    const signal = AbortSignal.abort();
    await expect(run(cluster.explain('nothing', { signal }))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await run(cluster.close());
  });
});

it('given a cluster on disk, when it is opened again, then a task is still explained by its decision', async () => {
  const clock = new SimulatedClock();
  const random = seededRandom(1);
  const disk = new SimulatedDisk(seededRandom(2));
  const host = new SimulatedHost({ clock, random: seededRandom(3) });
  const key = { id: 'test', key: new Uint8Array(32).fill(7) };
  const keyProvider = { currentKey: async () => key, keyById: async () => key.key };
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 600_000 });
  const open = () => {
    const log = new FileEventLog({ dir: '/log', disk, clock, random, keyProvider });
    return run(Cluster.open({ clock, random, log, driver: new SimulatedDriver({ host }) }));
  };
  const before = await open();
  await run(before.services.apply({ name: 'web', task: { image: 'web' } }));
  await run(before.services.waitFor('web', 'running'));
  const id = before.tasks.list({ service: 'web' })[0]?.id ?? '';
  const told = await run(before.explain(id));
  await run(before.close({ tasks: 'leave' }));
  const after = await open();
  expect(await run(after.explain(id))).toEqual(told);
  expect(told.decision?.candidates).toHaveLength(1);
  await run(after.close());
});
