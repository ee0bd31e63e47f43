import { describe, expect, it } from 'vitest';
import { seededRandom } from '../runtime/random.ts';
import type { SimulatedBehaviour } from '../testing/simulated-behaviour.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';
import type { DrainProgress } from './drain-progress.ts';

/** Three nodes of one machine, in virtual time. */
async function threeNodes(images: Readonly<Record<string, SimulatedBehaviour>> = {}) {
  const clock = new SimulatedClock();
  const host = new SimulatedHost({ clock, random: seededRandom(2), images });
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 600_000 });
  const cluster = await run(Cluster.open({ clock, random: seededRandom(1) }));
  for (const hostname of ['a', 'b', 'c'])
    await run(cluster.addNode({ hostname, driver: new SimulatedDriver({ host }) }));
  return { clock, host, run, cluster };
}

const web = { name: 'web', task: { image: 'web' }, replicas: 6, ports: [{ target: 80 }] };

describe('given a node with tasks', () => {
  it('when it is drained and waited for, then its progress is told, from the first task to the last', async () => {
    const { run, cluster } = await threeNodes({ web: { startMs: 500, stopMs: 300 } });
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.nodes.drain('a'));
    const told: DrainProgress[] = [];
    const node = await run(cluster.nodes.waitFor('a', 'drained', { onProgress: (each) => told.push(each) }));
    expect(node.spec).toMatchObject({ availability: 'drain' });
    expect(told[0]).toMatchObject({ left: 2, stopping: 0, drained: false });
    const codes = told.flatMap(({ tasks }) => tasks.map(({ code }) => code));
    expect([...new Set(codes)]).toEqual(['successor-starts', 'drain-delay']);
    expect(told.at(-1)).toEqual({
      node: node.id,
      ...{ left: 0, total: 2, stopping: 0, drained: true, finished: true, stalled: false },
      ...{ tasks: [], findings: [] },
    });
    expect(cluster.services.status('web')).toMatchObject({ converged: true, running: 6 });
    await run(cluster.close());
  });

  it('when there is no room elsewhere, then a time-out says why, and a deadline ends it', async () => {
    const { run, cluster } = await threeNodes();
    await run(cluster.nodes.update('a', { labels: { disk: 'fast' } }));
    const placement = { constraints: ['node.labels.disk==fast'] };
    await run(cluster.services.create({ ...web, task: { ...web.task, placement } }));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.nodes.drain('a'));
    await expect(run(cluster.nodes.waitFor('a', 'drained', { timeout: 5_000 }))).rejects.toThrow(
      /web\.1 its successor waits: no suitable node/,
    );
    expect(cluster.nodes.drainProgress('a')).toMatchObject({ left: 6, stopping: 0 });
    expect(cluster.currentEndpoints('web')).toHaveLength(6);
    await run(cluster.nodes.drain('a', { deadlineMs: 10_000 }));
    await run(cluster.nodes.waitFor('a', 'drained', { timeout: 15_000 }));
    expect(cluster.currentEndpoints('web')).toEqual([]);
    await run(cluster.close());
  });

  it.each<[string, object, RegExp]>([
    [
      'their volumes are there',
      { mounts: [{ type: 'volume', source: 'data-{{.Task.Slot}}', target: '/data' }] },
      /its successor waits: no suitable node .*without its volumes/,
    ],
    [
      'they would be stopped first, and are too large for any other node',
      {
        mounts: [{ type: 'volume', source: 'data', target: '/data' }],
        placement: { constraints: ['node.hostname==a'] },
      },
      /its successor waits: no suitable node/,
    ],
    [
      'their constraints hold for no other node',
      { placement: { constraints: ['node.hostname==a'] } },
      /its successor waits: no suitable node/,
    ],
  ])(
    'when tasks have no other place since %s, then that is told at once, and they serve on',
    async (_, task, message) => {
      const { clock, run, cluster } = await threeNodes();
      await run(cluster.nodes.pause('b'));
      await run(cluster.nodes.pause('c'));
      await run(cluster.services.create({ name: 'db', replicas: 2, task: { image: 'db', ...task } }));
      await run(cluster.services.waitFor('db', 'running'));
      await run(cluster.nodes.activate('b'));
      await run(cluster.nodes.activate('c'));
      await run(cluster.nodes.drain('a', { deadlineMs: 600_000 }));
      const told: DrainProgress[] = [];
      const waiting = cluster.nodes.waitFor('a', 'drained', { onProgress: (each) => told.push(each) });
      await clock.advance(1_000);
      expect(told.at(-1)).toMatchObject({
        ...{ left: 2, stopping: 0, stalled: true },
        tasks: [
          { service: 'db', slot: 1, code: 'successor-waits', message: expect.stringMatching(message) },
          { service: 'db', slot: 2, code: 'successor-waits' },
        ],
      });
      const diagnosis = await run(cluster.services.diagnose('db'));
      expect(diagnosis).toMatchObject({ settled: false, stalled: true });
      expect(diagnosis.counts).toMatchObject({ 'successor-waits': 2, 'no-suitable-node': 2 });
      await clock.advance(500_000);
      expect(cluster.tasks.list({ service: 'db', state: 'running' })).toHaveLength(2);
      await run(waiting);
      expect(clock.now()).toBeGreaterThanOrEqual(600_000);
      await run(cluster.close());
    },
  );

  it('when it is drained and empty, then it can be removed, and not before', async () => {
    const { run, cluster } = await threeNodes();
    await run(cluster.services.create(web));
    await run(cluster.services.waitFor('web', 'running'));
    await expect(run(cluster.nodes.remove('a'))).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    await run(cluster.nodes.drain('a'));
    await expect(run(cluster.nodes.remove('a'))).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    await run(cluster.nodes.waitFor('a', 'drained'));
    await run(cluster.nodes.remove('a'));
    expect(cluster.nodes.list().map(({ description }) => description.hostname)).toEqual(['b', 'c']);
    expect(cluster.services.status('web')).toMatchObject({ converged: true });
    await run(cluster.close());
  });

  it('when it is paused, then it keeps its tasks and gets no new ones, and when it is activated, then it does', async () => {
    const { run, cluster } = await threeNodes();
    await run(cluster.services.create({ ...web, replicas: 3 }));
    await run(cluster.services.waitFor('web', 'running'));
    await run(cluster.nodes.pause('a'));
    await run(cluster.services.scale('web', 9));
    await run(cluster.services.waitFor('web', 'running'));
    expect(cluster.tasks.list({ node: 'a' })).toHaveLength(1);
    await run(cluster.nodes.activate('a'));
    await run(cluster.services.scale('web', 12));
    await run(cluster.services.waitFor('web', 'running'));
    expect(cluster.tasks.list({ node: 'a' })).toHaveLength(4);
    await run(cluster.close());
  });

  it('when its drain is asked for twice, or with a deadline that is none, then that changes nothing', async () => {
    const { run, cluster } = await threeNodes();
    await run(cluster.nodes.drain('a'));
    const { version } = cluster.nodes.inspect('a');
    await run(cluster.nodes.drain('a'));
    expect(cluster.nodes.inspect('a').version).toBe(version);
    for (const deadlineMs of [-1, 1.5, Number.NaN, '1' as never]) {
      await expect(run(cluster.nodes.drain('a', { deadlineMs }))).rejects.toMatchObject({
        code: 'INVALID_SPEC',
      });
    }
    await expect(run(cluster.nodes.drain('nobody'))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(cluster.nodes.inspect('a').version).toBe(version);
    await run(cluster.close());
  });
});
