import { describe, expect, test } from 'vitest';
import { asId, type ServiceId, type TaskId } from '../../model/ids.ts';
import { clusterSpecSchema } from '../../model/other-specs.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { createAllocator } from '../allocator/allocator.ts';
import { causeOf } from '../cause.ts';
import { createReplicatedOrchestrator } from './replicated.ts';
import { createTaskReaper } from './task-reaper.ts';

const reaperOn = (cluster: StateBuilder) => new LoopHarness(cluster, [createTaskReaper()]);
const ids = (cluster: StateBuilder, service = 'web') => cluster.tasks(service).map((task) => task.id);

/** A slot with so many ended tasks and, behind them, a running one. */
const withHistory = (cluster: StateBuilder, ended: number) => {
  cluster.withNodes(1).withService({ name: 'web' });
  for (let n = 0; n <= ended; n++) {
    const last = n === ended;
    cluster.withTasks('web', 1, {
      slot: 1,
      nodes: ['node-1'],
      state: last ? 'running' : 'failed',
      ...(n === 0 ? {} : { replaces: `web-${n}` }),
      ...(last ? {} : { desired: 'shutdown' }),
    });
  }
  return cluster;
};

describe('given a slot with history', () => {
  test.each([
    [5, 4, []],
    [5, 5, [1]],
    [5, 7, [1, 2, 3]],
    [2, 4, [1, 2, 3]],
    [1, 2, [1, 2]],
    [0, 2, [1, 2]],
    [-1, 9, []],
  ])('when %i tasks may be kept and %i have ended, then the oldest are forgotten', (limit, ended, gone) => {
    const cluster = withHistory(aCluster({ taskHistoryLimit: limit }), ended);
    const before = ids(cluster);
    reaperOn(cluster).run();
    expect(before.filter((id) => !ids(cluster).includes(id))).toEqual(gone.map((n) => `web-${n}`));
  });

  test('when attempts are limited, then one more than those is kept', () => {
    const cluster = aCluster({ taskHistoryLimit: 1 }).withNodes(1);
    cluster.withService({ name: 'web', task: { restart: { maxAttempts: 3, delayMs: 0 } } });
    const harness = new LoopHarness(cluster, [
      createReplicatedOrchestrator(),
      createAllocator(),
      createTaskReaper(),
    ]);
    harness.settle();
    for (let time = 0; time < 5; time++) harness.report(cluster.tasks('web').slice(-1), 'failed').settle();
    expect(cluster.tasks('web')).toHaveLength(4);
    expect(cluster.tasks('web').every((task) => task.desiredState === 'shutdown')).toBe(true);
  });

  test('when one that is not meant to run has not ended, then it is kept until it has', () => {
    const cluster = withHistory(aCluster({ taskHistoryLimit: 1 }), 0);
    cluster.withTasks('web', 1, { slot: 1, nodes: ['node-1'], replaces: 'web-1' });
    cluster.withDesired(['web-1'], 'shutdown');
    const harness = reaperOn(cluster);
    expect(harness.run()).toEqual([]);
    cluster.withStatus(['web-1'], 'shutdown');
    harness.run();
    expect(ids(cluster)).toEqual(['web-2']);
  });

  test('when the one that ended is the last of its slot, then it is kept whatever the limit', () => {
    const cluster = aCluster({ taskHistoryLimit: 0 }).withNodes(1).withService({ name: 'web' });
    cluster.withTasks('web', 1, { nodes: ['node-1'], state: 'complete', desired: 'shutdown' });
    expect(reaperOn(cluster).run()).toEqual([]);
  });

  test('when the orchestrator has not yet seen the end of a task, then it is kept', () => {
    const cluster = withHistory(aCluster({ taskHistoryLimit: 1 }), 0);
    cluster
      .withTasks('web', 1, { slot: 1, nodes: ['node-1'], replaces: 'web-1' })
      .withStatus(['web-1'], 'failed');
    expect(reaperOn(cluster).run()).toEqual([]);
  });

  test('when the limit is lowered, then all slots are looked at', () => {
    const cluster = withHistory(aCluster(), 4);
    const harness = reaperOn(cluster);
    expect(harness.run()).toEqual([]);
    cluster.apply({ type: 'cluster.updated', spec: clusterSpecSchema.parse({ taskHistoryLimit: 2 }) });
    harness.run();
    expect(ids(cluster)).toEqual(['web-4', 'web-5']);
  });
});

describe('given tasks that are to be removed', () => {
  test.each([
    ['new', true],
    ['pending', true],
    ['assigned', false],
    ['running', false],
    ['shutdown', true],
    ['failed', true],
    ['orphaned', true],
  ] as const)('when one is %s, then forgetting it at once is %s', (state, gone) => {
    const cluster = aCluster().withNodes(1).withService({ name: 'web' });
    const nodes = state === 'new' || state === 'pending' ? [] : ['node-1'];
    cluster.withTasks('web', 1, { state, nodes });
    const harness = reaperOn(cluster);
    expect(harness.run()).toEqual([]);
    cluster.withDesired(['web-1'], 'remove');
    harness.run();
    expect(ids(cluster)).toEqual(gone ? [] : ['web-1']);
    if (!gone) cluster.withStatus(['web-1'], 'shutdown');
    harness.run();
    expect(ids(cluster)).toEqual([]);
  });

  test('when one was given up before it had a node, then it is forgotten', () => {
    const cluster = aCluster().withService({ name: 'web' }).withPending('web', 2);
    const harness = reaperOn(cluster);
    cluster.withDesired(['web-1'], 'shutdown');
    harness.run();
    expect(ids(cluster)).toEqual(['web-2']);
  });

  test('when their service is removed, then they are forgotten as they end, also by a new leader', () => {
    const cluster = aCluster().withNodes(1).withService({ name: 'web', replicas: 3 });
    cluster.withRunning('web', ['node-1', 'node-1']).withPending('web', 1);
    const harness = reaperOn(cluster);
    harness.run();
    cluster.apply({ type: 'service.removed', id: asId<ServiceId>('web') });
    harness.run();
    expect(ids(cluster)).toEqual(['web-1', 'web-2']);
    cluster.withStatus(['web-1'], 'shutdown');
    harness.run();
    expect(ids(cluster)).toEqual(['web-2']);
    cluster.withStatus(['web-2'], 'orphaned');
    harness.changeLeader([createTaskReaper()]).run();
    expect(ids(cluster)).toEqual([]);
  });

  test.each(['by the same leader', 'by a new one'])(
    'when so many remain that they follow their service, then they are told in slices, %s',
    (leader) => {
      const cluster = aCluster().withNodes(1).withService({ name: 'web', replicas: 7_000 });
      cluster.withRunning('web', new Array<string>(7_000).fill('node-1'));
      const harness = reaperOn(cluster);
      harness.run();
      cluster.apply({ type: 'service.removed', id: asId<ServiceId>('web'), tasksFollow: true });
      const telling = {
        type: 'task.desired' as const,
        state: 'remove' as const,
        ids: [asId<TaskId>('web-1')],
      };
      expect(causeOf([telling], cluster.state)).toBe(cluster.state.index);
      expect(cluster.tasks('web').every((task) => task.desiredState === 'running')).toBe(true);
      if (leader === 'by a new one') harness.changeLeader([createTaskReaper()]);
      harness.run();
      expect(cluster.tasks('web').every((task) => task.desiredState === 'remove')).toBe(true);
      const told = harness.transactions.flatMap(({ events }) => events);
      const sizes = told.map((event) => (event.type === 'task.desired' ? event.ids.length : 0));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(2_000);
      expect(sizes.reduce((sum, size) => sum + size)).toBe(7_000);
      cluster.withStatus(ids(cluster), 'shutdown');
      harness.run();
      expect(cluster.state.roots.departed.size).toBe(0);
    },
  );

  test('when they are very many, then they are forgotten in transactions of limited size', () => {
    const cluster = aCluster().withService({ name: 'web', replicas: 25_000 }).withPending('web', 25_000);
    const harness = reaperOn(cluster);
    harness.run();
    cluster.apply({ type: 'service.removed', id: asId<ServiceId>('web') });
    harness.run();
    expect(cluster.tasks('web')).toEqual([]);
    const sizes = harness.transactions.flatMap(({ events }) =>
      events.map((event) => (event.type === 'task.removed' ? event.ids.length : 0)),
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(10_001);
  });
});

describe('given a cluster at rest', () => {
  test('when tasks are created and come to run, then the reaper has nothing to look at', () => {
    const cluster = aCluster().withNodes(1).withService({ name: 'web', replicas: 3 });
    const harness = reaperOn(cluster);
    harness.run();
    cluster.withRunning('web', ['node-1', 'node-1', 'node-1']);
    const { state } = cluster;
    state.slot = () => {
      throw new Error('a slot was looked at');
    };
    expect(harness.run()).toEqual([]);
  });
});
