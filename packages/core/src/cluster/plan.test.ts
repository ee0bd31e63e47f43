import { describe, expect, it } from 'vitest';
import type { Plan } from '../manager/planner/plan.ts';
import { drain, lose, type PlanAction, scale } from '../manager/planner/plan-action.ts';
import type { ServiceSpec } from '../model/service-spec.ts';
import { aClusterOf, places } from './test-support/simulated-nodes.ts';

const web = { name: 'web', task: { image: 'web' }, replicas: 4 };
const heavy = (cpus: number) => ({ image: 'web', resources: { reservations: { cpus } } });

describe('given a cluster, when something is planned', () => {
  it('then a new service is told with its placements, and nothing is written', async () => {
    const { cluster, run } = await aClusterOf([{}, {}, {}]);
    const { index } = cluster.health;
    const plan = await run(cluster.plan(web));
    expect(plan).toMatchObject({ index, complete: true, stopped: [], unplaced: [], warnings: [] });
    expect(plan.changes).toEqual([{ kind: 'service', name: 'web', action: 'created', fields: [] }]);
    expect(plan.placements.map(({ slot, node }) => [slot, node.name])).toEqual([
      [1, 'node-1'],
      [2, 'node-2'],
      [3, 'node-3'],
      [4, 'node-1'],
    ]);
    expect(plan.nodes.map(({ node, before, after }) => [node.name, before.tasks, after.tasks])).toEqual([
      ['node-1', 0, 2],
      ['node-2', 0, 1],
      ['node-3', 0, 1],
    ]);
    expect(cluster.health.index).toBe(index);
    expect(cluster.services.list()).toEqual([]);
    await run(cluster.close());
  });

  it('then what finds no node is told with the reason', async () => {
    const { cluster, run } = await aClusterOf([{ cpus: 4 }]);
    const plan = await run(cluster.plan({ name: 'web', task: heavy(2), replicas: 5 }));
    expect(plan.placements.map(({ slot }) => slot)).toEqual([1, 2]);
    expect(plan.unplaced).toMatchObject([
      {
        service: 'web',
        slots: [3, 4, 5],
        message: 'no suitable node (insufficient resources on 1 node: cpus)',
        finding: { rejected: [{ filter: 'resources', by: [{ what: 'cpus', asked: 2, freeAtBest: 0 }] }] },
      },
    ]);
    await run(cluster.close());
  });

  it('then a drained node is told field by field, and each task with the one in whose place it comes', async () => {
    const { cluster, run } = await aClusterOf([{}, {}]);
    await run(cluster.services.apply(web));
    await run(cluster.services.waitFor('web', 'running'));
    const leaving = cluster.tasks.list({ node: 'node-2' });
    const plan = await run(cluster.plan(drain('node-2')));
    expect(plan.changes).toEqual([
      {
        kind: 'node',
        id: cluster.nodes.inspect('node-2').id,
        name: 'node-2',
        action: 'updated',
        fields: [{ field: 'availability', before: 'active', after: 'drain' }],
      },
    ]);
    expect(plan.placements.map(({ slot, node, replaces }) => [slot, node.name, replaces?.task])).toEqual(
      leaving.map(({ id, slot }) => [slot, 'node-1', id]),
    );
    expect(plan.stopped).toEqual(
      leaving.map(({ id, slot, nodeId }) => ({
        task: id,
        service: 'web',
        slot,
        replaced: true,
        node: { id: nodeId, name: 'node-2' },
      })),
    );
    await run(cluster.close());
  });

  it('then an update slot by slot is played through to its end', async () => {
    const { cluster, run } = await aClusterOf([{}, {}, {}]);
    await run(cluster.services.apply(web));
    await run(cluster.services.waitFor('web', 'running'));
    const plan = await run(cluster.plan({ ...web, task: { image: 'web:2' } }));
    expect(plan.changes).toMatchObject([
      { name: 'web', action: 'updated', fields: [{ field: 'task.image', before: 'web', after: 'web:2' }] },
    ]);
    expect(plan.placements.map(({ slot }) => slot)).toEqual([1, 2, 3, 4]);
    expect(plan.stopped).toHaveLength(4);
    expect(plan.complete).toBe(true);
    await run(cluster.close());
  });

  it('then a budget that is too small breaks it off, and it says so', async () => {
    const { cluster, run } = await aClusterOf([{}]);
    expect(await run(cluster.plan(web, { decisionsMax: 2 }))).toMatchObject({ complete: false });
    await run(cluster.close());
  });

  it.each<[string, PlanAction, string]>([
    ['draining an unknown node', drain('nobody'), 'NOT_FOUND'],
    ['losing an unknown node', lose('nobody'), 'NOT_FOUND'],
    ['scaling an unknown service', scale('nothing', 1), 'NOT_FOUND'],
    ['draining what is no name', drain(7 as never), 'INVALID_SPEC'],
    ['a node without a name', lose(''), 'INVALID_SPEC'],
    ['what an action does not have', { ...drain('node-1'), force: true } as never, 'INVALID_SPEC'],
    ['what another action has', { ...lose('node-1'), replicas: 2 } as never, 'INVALID_SPEC'],
    ['something else', { kind: 'melt' } as never, 'INVALID_SPEC'],
    ['a spec that is none', null as never, 'INVALID_SPEC'],
  ])('then %s is refused', async (_, action, code) => {
    const { cluster, run } = await aClusterOf([{}]);
    await expect(run(cluster.plan(action))).rejects.toMatchObject({ code });
    await run(cluster.close());
  });

  it('then a number of replicas that is none, a global service to scale and a negative budget are refused', async () => {
    const { cluster, run } = await aClusterOf([{}]);
    await run(cluster.services.apply(web));
    await run(cluster.services.apply({ name: 'agent', mode: 'global', task: { image: 'agent' } }));
    const issues = [{ field: 'replicas' }];
    await expect(run(cluster.plan(scale('web', -1)))).rejects.toMatchObject({ issues });
    await expect(run(cluster.plan(scale('agent', 2)))).rejects.toMatchObject({ issues });
    const options = { decisionsMax: -1 };
    await expect(run(cluster.plan(scale('web', 1), options))).rejects.toMatchObject({
      issues: [{ field: 'decisionsMax' }],
    });
    await run(cluster.close());
  });

  it('then it ends when its caller gives up, and when the cluster closes', async () => {
    const { cluster, run } = await aClusterOf([{}]);
    const big = { ...web, replicas: 20_000 };
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(run(cluster.plan(big, { signal }))).rejects.toMatchObject({ code: 'ABORTED' });
    const issues = [{ field: 'timeout' }];
    await expect(run(cluster.plan(big, { timeout: -1 }))).rejects.toMatchObject({ issues });
    const giving = new AbortController();
    const late = run(cluster.plan(big, { signal: giving.signal }));
    giving.abort(new Error('enough'));
    await expect(late).rejects.toMatchObject({ code: 'ABORTED' });
    await run(cluster.close());
    await expect(run(cluster.plan(big))).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('given a past, when something is planned on it', () => {
  it('then it is planned on the cluster as it was, and such a plan holds no more', async () => {
    const { cluster, run } = await aClusterOf([{}, {}]);
    const { index } = cluster.health;
    await run(cluster.services.apply(web));
    await run(cluster.services.waitFor('web', 'running'));
    const plan = await run(cluster.plan(web, { at: index }));
    expect(plan).toMatchObject({ index, changes: [{ name: 'web', action: 'created' }] });
    expect(plan.placements).toHaveLength(4);
    const apply = cluster.services.apply(web, { ifIndex: plan.index });
    await expect(run(apply)).rejects.toMatchObject({ code: 'INDEX_CONFLICT' });
    await run(cluster.close());
  });

  it('then a future index, one that is forgotten and one that is none are refused with a type', async () => {
    const { cluster, run } = await aClusterOf([{}]);
    const future = cluster.health.index + 1;
    await expect(run(cluster.plan(web, { at: future }))).rejects.toMatchObject({
      code: 'PRECONDITION_FAILED',
    });
    for (const none of [null, 0, '3', new Date(Number.NaN)]) {
      const issues = [{ field: 'at' }];
      await expect(run(cluster.plan(web, { at: none as never }))).rejects.toMatchObject({ issues });
    }
    const forgotten = cluster.plan(web, { at: new Date(0) });
    await expect(run(forgotten)).rejects.toMatchObject({ code: 'HISTORY_PRUNED', oldest: { index: 1 } });
    await run(cluster.close());
  });
});

describe('given a plan, when a command is to be carried out only if it still holds', () => {
  it('then it is, while nothing that matters has changed, and what was planned comes of it', async () => {
    const { cluster, run } = await aClusterOf([{}, {}, {}]);
    const plan = await run(cluster.plan(web));
    await run(cluster.services.apply(web, { ifIndex: plan.index }));
    await run(cluster.services.waitFor('web', 'running'));
    expect(places(cluster, 'web')).toEqual(
      Object.fromEntries(plan.placements.map(({ slot, node }) => [slot, node.name])),
    );
    await run(cluster.close());
  });

  it('then it is, though tasks have come to run meanwhile', async () => {
    const { cluster, run } = await aClusterOf([{}, {}]);
    await run(cluster.services.apply(web));
    await run(
      cluster.services.waitFor('web', () => cluster.tasks.list({ service: 'web' }).every((t) => t.nodeId)),
    );
    const plan = await run(cluster.plan(scale('web', 6)));
    await run(cluster.services.waitFor('web', 'running'));
    expect(cluster.health.index).toBeGreaterThan(plan.index);
    expect(await run(cluster.services.scale('web', 6, { ifIndex: plan.index }))).toMatchObject({
      action: 'updated',
    });
    await run(cluster.close());
  });

  it('then it is refused once a node, a service or a task has changed, and nothing happens', async () => {
    const { cluster, run } = await aClusterOf([{}, {}]);
    const { index } = await run(cluster.plan(web));
    await run(cluster.nodes.update('node-1', { labels: { disk: 'ssd' } }));
    const conflict = { code: 'INDEX_CONFLICT', expected: index };
    await expect(run(cluster.services.apply(web, { ifIndex: index }))).rejects.toMatchObject(conflict);
    const drained = { availability: 'drain' } as const;
    const update = cluster.nodes.update('node-2', drained, { ifIndex: index });
    await expect(run(update)).rejects.toMatchObject(conflict);
    expect(cluster.services.list()).toEqual([]);
    const later = await run(cluster.plan(drain('node-2')));
    await run(cluster.nodes.update('node-2', drained, { ifIndex: later.index }));
    await run(cluster.close());
  });

  it('when it is closed, then a plan is refused for that, whatever is asked', async () => {
    const { cluster, run } = await aClusterOf([{}]);
    await run(cluster.close());
    for (const asked of [web, drain('nowhere')]) {
      await expect(run(cluster.plan(asked))).rejects.toMatchObject({ code: 'CLOSED' });
    }
    await expect(run(cluster.explain('no-task'))).rejects.toMatchObject({ code: 'CLOSED' });
  });

  it('then an index of the future and one that is none are refused with a type', async () => {
    const { cluster, run } = await aClusterOf([{}]);
    const future = cluster.health.index + 1;
    const apply = (ifIndex: number) => run(cluster.services.apply(web, { ifIndex }));
    await expect(apply(future)).rejects.toMatchObject({ code: 'PRECONDITION_FAILED' });
    for (const none of [-1, 0.5, Number.NaN, '3' as never]) {
      await expect(apply(none)).rejects.toMatchObject({ issues: [{ field: 'ifIndex' }] });
    }
    await expect(apply(0)).rejects.toMatchObject({ code: 'INDEX_CONFLICT' });
    await run(cluster.close());
  });
});

describe('given a service that is being updated, when something is planned', () => {
  /** Two of four slots are updated, and the delay before the third goes on for long. */
  async function midUpdate() {
    const { cluster, run, clock } = await aClusterOf([{}, {}, {}]);
    await run(cluster.services.create({ ...web, update: { delayMs: 600_000, monitorMs: 0 } }));
    await run(cluster.services.waitFor('web', 'running'));
    const next = (image: string) => (spec: ServiceSpec) => ({ ...spec, task: { ...spec.task, image } });
    await run(cluster.services.update('web', next('web:2')));
    await clock.advance(900_000);
    const images = () =>
      cluster.tasks
        .list({ service: 'web', desiredState: 'running' })
        .map(({ slot, spec: { image } }) => `${slot} ${image}`)
        .sort();
    expect(images()).toEqual(['1 web:2', '2 web:2', '3 web', '4 web']);
    const slots = ({ placements }: Plan) => placements.map(({ slot }) => slot).sort();
    // Which task goes where is a matter of the update's pace. How many each node has in the end is not.
    const planned = ({ nodes }: Plan) =>
      Object.fromEntries(nodes.map(({ node, after }) => [node.name, after.tasks]));
    const running = () => {
      const counts = ['node-1', 'node-2', 'node-3'].map((node) => {
        return [node, cluster.tasks.list({ node, state: 'running' }).length];
      });
      return Object.fromEntries(counts) as Record<string, number>;
    };
    return { cluster, run, clock, next, images, slots, planned, running };
  }

  it('then it goes on to its end in the plan, and nowhere else', async () => {
    const { cluster, run, clock, images, slots, planned, running } = await midUpdate();
    const { index } = cluster.health;
    const plan = await run(cluster.plan(scale('web', 5)));
    expect(plan).toMatchObject({ index, complete: true, unplaced: [] });
    // Those that the update still has to replace, and the new one.
    expect(slots(plan)).toEqual([3, 4, 5]);
    expect(plan.stopped.map(({ slot, replaced }) => [slot, replaced])).toEqual([
      [3, true],
      [4, true],
    ]);
    expect(cluster.health.index).toBe(index);
    expect(images()).toHaveLength(4);
    await run(cluster.services.scale('web', 5, { ifIndex: plan.index }));
    await clock.advance(3_600_000);
    expect(images()).toEqual([1, 2, 3, 4, 5].map((slot) => `${slot} web:2`));
    expect(running()).toEqual(planned(plan));
    await run(cluster.close());
  });

  it('then a node that is drained is left by old tasks and new ones', async () => {
    const { cluster, run, clock, planned, running } = await midUpdate();
    const plan = await run(cluster.plan(drain('node-1')));
    expect(plan).toMatchObject({ complete: true, unplaced: [] });
    expect(planned(plan)).toEqual({ 'node-1': 0, 'node-2': 2, 'node-3': 2 });
    await run(cluster.nodes.update('node-1', { availability: 'drain' }, { ifIndex: plan.index }));
    await clock.advance(3_600_000);
    expect(running()).toEqual(planned(plan));
    await run(cluster.close());
  });

  it('then another update takes its place, and all slots are replaced', async () => {
    const { cluster, run, clock, next, images, slots } = await midUpdate();
    const spec = next('web:3')(cluster.services.inspect('web').spec);
    const plan = await run(cluster.plan(spec));
    expect(slots(plan)).toEqual([1, 2, 3, 4]);
    expect(plan.changes).toMatchObject([
      { fields: [{ field: 'task.image', before: 'web:2', after: 'web:3' }] },
    ]);
    await run(cluster.services.apply(spec, { ifIndex: plan.index }));
    await clock.advance(3_600_000);
    expect(images()).toEqual([1, 2, 3, 4].map((slot) => `${slot} web:3`));
    await run(cluster.close());
  });

  it('then the plan is kept only as long as the update has not gone on', async () => {
    const { cluster, run, clock } = await midUpdate();
    const plan = await run(cluster.plan(scale('web', 5)));
    await clock.advance(600_000);
    await expect(run(cluster.services.scale('web', 5, { ifIndex: plan.index }))).rejects.toMatchObject({
      code: 'INDEX_CONFLICT',
    });
    expect(cluster.services.inspect('web').spec.replicas).toBe(4);
    await run(cluster.close());
  });
});
