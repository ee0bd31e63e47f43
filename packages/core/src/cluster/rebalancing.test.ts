import { describe, expect, it } from 'vitest';
import { seededRandom } from '../runtime/random.ts';
import type { SimulatedBehaviour } from '../testing/simulated-behaviour.ts';
import { SimulatedClock } from '../testing/simulated-clock.ts';
import { SimulatedDriver } from '../testing/simulated-driver.ts';
import { SimulatedHost } from '../testing/simulated-host.ts';
import { Cluster } from './cluster.ts';
import type { ClusterOptions } from './cluster-options.ts';

const web = { name: 'web', task: { image: 'web' }, replicas: 6, ports: [{ target: 80 }] };

/** A cluster of nodes `a` and `b` with six tasks of `web`, to which `c` comes afterwards. */
async function withNewNode(
  options: Omit<ClusterOptions, 'driver'> = {},
  images: Readonly<Record<string, SimulatedBehaviour>> = {},
) {
  const clock = new SimulatedClock();
  const host = new SimulatedHost({ clock, random: seededRandom(2), images });
  const run = <T>(work: Promise<T>) => clock.run(work, { limitMs: 3_600_000 });
  const cluster = await run(Cluster.open({ clock, random: seededRandom(1), ...options }));
  const add = (hostname: string) => run(cluster.addNode({ hostname, driver: new SimulatedDriver({ host }) }));
  await add('a');
  await add('b');
  await run(cluster.services.create(web));
  await run(cluster.services.waitFor('web', 'running'));
  const perNode = () => {
    const names = cluster.tasks.list({ service: 'web', state: 'running' }).map(({ nodeId }) => {
      return nodeId === undefined ? '' : cluster.nodes.inspect(nodeId).description.hostname;
    });
    return names.sort().join('');
  };
  let fewest = 6;
  cluster.endpoints('web').subscribe((endpoints) => {
    fewest = Math.min(fewest, endpoints.length);
  });
  await add('c');
  return { clock, host, run, cluster, perNode, fewest: () => fewest };
}

describe('given a node that has come to a cluster', () => {
  it('when nothing is asked, then nothing moves', async () => {
    const { clock, run, cluster, perNode } = await withNewNode();
    await clock.advance(3_600_000);
    expect(perNode()).toBe('aaabbb');
    await run(cluster.close());
  });

  it('when it is planned, then that tells which tasks go where and why, and nothing moves', async () => {
    const { run, cluster, perNode } = await withNewNode();
    const plan = await run(cluster.rebalance.plan());
    expect(plan).toMatchObject({ movesAtOnce: 2, complete: true });
    expect(plan.moves.map(({ service, from, to, reason }) => [service, from.name, to.name, reason])).toEqual([
      ['web', 'a', 'c', 'a has 3 of web, c 0'],
      ['web', 'b', 'c', 'b has 3 of web, c 1'],
    ]);
    expect(perNode()).toBe('aaabbb');
    expect(cluster.rebalance.progress()).toBeUndefined();
    await run(cluster.close());
  });

  it('when the plan is carried out, then its tasks move, and never one is missing', async () => {
    const { run, cluster, perNode, fewest } = await withNewNode({}, { web: { startMs: 700, stopMs: 200 } });
    const plan = await run(cluster.rebalance.plan());
    await run(cluster.rebalance.start(plan, { ifIndex: plan.index, movesAtOnce: 1 }));
    expect(cluster.rebalance.progress()).toMatchObject({ moved: 0, automatic: false });
    await expect(run(cluster.rebalance.start(plan))).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    const outcome = await run(cluster.rebalance.waitFor('ended'));
    expect(outcome).toMatchObject({ moved: 2, kept: 0 });
    await run(cluster.services.waitFor('web', 'running'));
    expect(perNode()).toBe('aabbcc');
    expect(fewest()).toBe(6);
    expect(await run(cluster.rebalance.plan())).toMatchObject({ moves: [], complete: true });
    await run(cluster.close());
  });

  it('when it is stopped, then those on the move stay, and no other is moved', async () => {
    const { clock, run, cluster, perNode } = await withNewNode({}, { web: { startMs: 60_000 } });
    await run(cluster.rebalance.start(await run(cluster.rebalance.plan()), { movesAtOnce: 1 }));
    await clock.advance(1_000);
    expect(cluster.rebalance.progress()).toMatchObject({ moved: 0, moving: 1, left: 1 });
    await run(cluster.rebalance.stop());
    await run(cluster.services.waitFor('web', 'running'));
    expect(perNode()).toBe('aaabbb');
    expect(cluster.info.lastRebalance).toMatchObject({ moved: 0, kept: 2, stopped: true });
    await run(cluster.rebalance.stop());
    await run(cluster.close());
  });

  it('when there is no place for a task by the time, then it stays where it is, and the rebalance ends', async () => {
    const { run, cluster, perNode, fewest } = await withNewNode();
    const plan = await run(cluster.rebalance.plan());
    for (const name of ['a', 'b', 'c']) await run(cluster.nodes.pause(name));
    await run(cluster.rebalance.start(plan));
    expect(await run(cluster.rebalance.waitFor('ended'))).toMatchObject({ moved: 0, kept: 2 });
    await run(cluster.services.waitFor('web', 'running'));
    expect(perNode()).toBe('aaabbb');
    expect(fewest()).toBe(6);
    await run(cluster.close());
  });

  it('when the settings ask for it, then it begins by itself, once things have come to rest', async () => {
    const { clock, run, cluster, perNode, fewest } = await withNewNode({
      spec: { rebalance: { automatic: true, settleMs: 30_000 } },
    });
    await clock.advance(25_000);
    expect(perNode()).toBe('aaabbb');
    await clock.advance(20_000);
    expect(perNode()).toBe('aabbcc');
    expect(fewest()).toBe(6);
    expect(cluster.info.lastRebalance).toMatchObject({ moved: 2, kept: 0 });
    await run(cluster.close());
  });

  it.each<[string, unknown]>([
    ['nothing', undefined],
    ['a number', 7],
    ['moves that are none', { moves: [{ from: 'a' }] }],
  ])('when %s is given for a plan, then it is refused', async (_, plan) => {
    const { run, cluster } = await withNewNode();
    await expect(run(cluster.rebalance.start(plan as never))).rejects.toMatchObject({ code: 'INVALID_SPEC' });
    await expect(run(cluster.rebalance.plan({ movesMax: 0 }))).rejects.toMatchObject({
      code: 'INVALID_SPEC',
    });
    await run(cluster.close());
  });
});
