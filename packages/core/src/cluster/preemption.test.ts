import { describe, expect, it } from 'vitest';
import type { TaskState } from '../model/task-state.ts';
import { aClusterOf, places } from './test-support/simulated-nodes.ts';
import type { WatchEvent } from './watch.ts';

const asking = (cpus: number) => ({ image: 'image', resources: { reservations: { cpus } } });
const low = { name: 'low', replicas: 2, task: asking(4), drainDelayMs: 1_000 };
const high = { name: 'high', priority: 10, task: asking(4) };

/** A node that two tasks of the default priority fill. */
async function aFullNode() {
  const parts = await aClusterOf([{ cpus: 8 }]);
  await parts.run(parts.cluster.services.create(low));
  await parts.run(parts.cluster.services.waitFor('low', 'running'));
  return parts;
}

describe('given a node that is full of tasks, when a service of a higher priority comes', () => {
  it('then one of them leaves in order, the other stays, and the room is its own', async () => {
    const { cluster, run, clock } = await aFullNode();
    const [, young] = cluster.tasks.list({ service: 'low' });
    const seen: [slot: number, desired: string, state: TaskState][] = [];
    await run(cluster.services.create(high));
    await clock.advance(500);
    const victim = cluster.tasks.inspect(young?.id ?? '');
    expect(victim.leaving).toBeDefined();
    expect(victim.status.state).toBe('running');
    const [waiting] = cluster.tasks.list({ service: 'high' });
    expect(waiting?.status.state).toBe('pending');
    const told = await run(cluster.explain(waiting?.id ?? ''));
    expect(told.message).toBe(
      `waits for room on node-1: task ${victim.id} of low of lower priority leaves it`,
    );
    expect(told.preempts).toMatchObject({ node: { name: 'node-1' }, victims: [victim.id] });
    expect(await run(cluster.services.diagnose('high'))).toMatchObject({
      stalled: false,
      tasks: [{ code: 'room-awaited', message: told.message }],
    });
    const by = { task: waiting?.id, service: 'high', priority: 10, over: 0 };
    const leaves = await run(cluster.explain(victim.id));
    expect(leaves.preemptedBy).toEqual(by);
    expect(leaves.message).toMatch(`; makes room for task ${waiting?.id} of high (priority 10 over 0)`);
    await run(cluster.services.waitFor('high', 'running'));
    for (const { slot, desiredState, status } of cluster.tasks.list({ service: 'low' }))
      seen.push([slot, desiredState, status.state]);
    expect(seen).toEqual([
      [1, 'running', 'running'],
      [2, 'shutdown', 'shutdown'],
      [2, 'running', 'pending'],
    ]);
    await run(cluster.close());
  });

  it('then who had to go waits, tells for whom, and has a place again once there is one', async () => {
    const { cluster, run, clock } = await aFullNode();
    await run(cluster.services.create(high));
    await run(cluster.services.waitFor('high', 'running'));
    await clock.advance(90_000);
    const diagnosis = await run(cluster.services.diagnose('low'));
    expect(diagnosis).toMatchObject({ stalled: true, counts: { 'no-suitable-node': 1 } });
    expect(diagnosis.tasks[0]?.message).toMatch(
      /no suitable node \(insufficient resources on 1 node: cpus\); the task before it made room for task \w+ of high \(priority 10 over 0\)/,
    );
    await run(cluster.services.scale('high', 0));
    await run(cluster.services.waitFor('low', 'running'));
    expect(places(cluster, 'low')).toEqual({ 1: 'node-1', 2: 'node-1' });
    await run(cluster.close());
  });

  it('then a plan tells beforehand who would make room for whom, and comes true', async () => {
    const { cluster, run } = await aFullNode();
    const plan = await run(cluster.plan({ ...high, replicas: 3 }));
    const preemptedBy = { service: 'high', priority: 10, over: 0 };
    expect(plan.stopped).toMatchObject([
      { service: 'low', slot: 2, replaced: true, preemptedBy: { ...preemptedBy, slot: 1 } },
      { service: 'low', slot: 1, replaced: true, preemptedBy: { ...preemptedBy, slot: 2 } },
    ]);
    expect(plan.placements).toMatchObject([
      { service: 'high', slot: 1, node: { name: 'node-1' } },
      { service: 'high', slot: 2, node: { name: 'node-1' } },
    ]);
    expect(plan.unplaced).toMatchObject([
      { service: 'high', slots: [3] },
      { service: 'low', slots: [2, 1] },
    ]);
    await run(cluster.services.create({ ...high, replicas: 3 }, { ifIndex: plan.index }));
    await run(cluster.services.waitFor('high', 'running', { timeout: 60_000 }).catch(() => {}));
    expect(places(cluster, 'high')).toEqual({ 1: 'node-1', 2: 'node-1' });
    await run(cluster.close());
  });

  it('then the feed tells it, with the scheduler as the one who did it and what it was done for', async () => {
    const { cluster, run } = await aFullNode();
    const [, young] = cluster.tasks.list({ service: 'low' });
    const told: WatchEvent<'task'>[] = [];
    const subscription = cluster
      .watch({ kind: 'task', from: cluster.health.index })
      .subscribe((event) => told.push(event));
    await run(cluster.services.create(high));
    await run(cluster.services.waitFor('high', 'running'));
    subscription.unsubscribe();
    const evicted = told.find(
      (event) => event.type === 'updated' && event.object.id === young?.id && event.object.evicted,
    );
    expect(evicted).toMatchObject({
      actor: { kind: 'loop', name: 'scheduler' },
      cause: expect.any(Number),
      object: { evicted: { cause: 'preemption', by: { service: expect.any(String), priority: 10 } } },
    });
    await run(cluster.close());
  });

  it.each([
    [1.5, 'must be a whole number'],
    [2e9, 'must be at most 1000000000'],
    [-2e9, 'must be at least -1000000000'],
    ['high', 'must be a number'],
  ])('then a priority of %s is refused by field and rule', async (priority, rule) => {
    const { cluster, run } = await aClusterOf([]);
    await expect(
      run(cluster.services.create({ ...high, priority: priority as number })),
    ).rejects.toMatchObject({
      code: 'INVALID_SPEC',
      issues: [{ field: 'priority', rule }],
    });
    await run(cluster.close());
  });
});
