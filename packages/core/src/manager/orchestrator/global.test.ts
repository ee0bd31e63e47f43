import { describe, expect, test } from 'vitest';
import { asId, type NodeId, type ServiceId, type TaskId } from '../../model/ids.ts';
import type { Task } from '../../model/objects.ts';
import { nodeSpecSchema } from '../../model/other-specs.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../model/service-spec.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type BuiltNode, type StateBuilder } from '../../testing/state-builder.ts';
import { createAllocator } from '../allocator/allocator.ts';
import { createGlobalOrchestrator } from './global.ts';
import { createTaskReaper } from './task-reaper.ts';

const loopOn = (cluster: StateBuilder) => new LoopHarness(cluster, [createGlobalOrchestrator()]);
const clusterOn = (cluster: StateBuilder) =>
  new LoopHarness(cluster, [createGlobalOrchestrator(), createAllocator()]);
const live = (tasks: readonly Task[]) => tasks.filter((task) => isMeantToRun(task.desiredState));
const nodesOf = (tasks: readonly Task[]) => live(tasks).map((task) => task.nodeId);
const agent = (service: Partial<ServiceSpecInput> = {}) => ({
  name: 'agent',
  mode: 'global' as const,
  ...service,
});
const label = (cluster: StateBuilder, id: string, labels: Record<string, string>) =>
  cluster.apply({ type: 'node.updated', id: asId<NodeId>(id), spec: nodeSpecSchema.parse({ labels }) });
const update = (cluster: StateBuilder, change: Partial<ServiceSpecInput>) => {
  const service = cluster.state.serviceByName('agent');
  if (!service) throw new Error('there is no service');
  const spec = serviceSpecSchema.parse({ ...service.spec, ...change });
  cluster.apply({ type: 'service.updated', id: service.id, spec, tasksChanged: true, portsChanged: false });
};
const running = (service: Partial<ServiceSpecInput> = {}, nodes = 3) => {
  const harness = clusterOn(aCluster().withNodes(nodes).withService(agent(service))).settle();
  expect(live(harness.cluster.tasks('agent'))).toHaveLength(nodes);
  return harness;
};
const on = (harness: LoopHarness, node: string) =>
  harness.cluster.tasks('agent').filter((t) => t.nodeId === node);

describe('given a global service', () => {
  test.each<[string, BuiltNode, boolean]>([
    ['ready', {}, true],
    ['not yet heard of', { state: 'unknown' }, true],
    ['down', { state: 'down' }, false],
    ['drained', { availability: 'drain' }, false],
    ['paused', { availability: 'pause' }, false],
    ['of another rack', { labels: { rack: 'b' } }, false],
  ])('when a node is %s, then it gets a task or not', (_, node, expected) => {
    const cluster = aCluster().withNode({ labels: { rack: 'a' }, ...node });
    cluster.withService(agent({ task: { placement: { constraints: ['node.labels.rack==a'] } } }));
    const harness = loopOn(cluster);
    harness.run();
    expect(cluster.tasks('agent')).toHaveLength(expected ? 1 : 0);
    for (const task of cluster.tasks('agent')) expect(task).toMatchObject({ slot: 0, nodeId: 'node-1' });
    expect(harness.run()).toEqual([]);
  });

  test('when a node joins, then it gets a task of each global service, and no other node is touched', () => {
    const cluster = aCluster().withNodes(2).withService(agent());
    cluster.withService(
      agent({ name: 'ssd', task: { placement: { constraints: ['node.labels.disk==ssd'] } } }),
    );
    const harness = loopOn(cluster);
    harness.run();
    expect([cluster.tasks('agent').length, cluster.tasks('ssd').length]).toEqual([2, 0]);
    cluster.withNode({ id: 'late', labels: { disk: 'ssd' } });
    const events = harness.run();
    expect(
      events.map((event) => event.type === 'task.created' && event.rows.map((row) => row.nodeId)),
    ).toEqual([['late'], ['late']]);
  });

  test('when another global service does not fit the node, then this one is not affected by it', () => {
    const cluster = aCluster().withNodes(1).withService(agent());
    cluster.withService(
      agent({ name: 'ssd', task: { placement: { constraints: ['node.labels.disk==ssd'] } } }),
    );
    const harness = clusterOn(cluster).settle();
    label(cluster, 'node-1', { rack: 'a' });
    expect(harness.run()).toEqual([]);
    expect(nodesOf(cluster.tasks('agent'))).toEqual(['node-1']);
  });

  test('when a node goes down and the service waits for it, then its task goes only after that', () => {
    const harness = running({ evictAfterMs: 60_000 });
    harness.cluster.withNodeState('node-2', 'down');
    harness.settleFor(59_000);
    expect(nodesOf(harness.cluster.tasks('agent'))).toEqual(['node-1', 'node-2', 'node-3']);
    harness.settleFor(2_000);
    expect(on(harness, 'node-2').at(-1)?.desiredState).toBe('shutdown');
  });

  test.each<[string, (cluster: StateBuilder) => void, (cluster: StateBuilder) => void]>([
    [
      'drained',
      (cluster) => cluster.withAvailability('node-2', 'drain'),
      (cluster) => cluster.withAvailability('node-2', 'active'),
    ],
    [
      'down',
      (cluster) => cluster.withNodeState('node-2', 'down'),
      (cluster) => cluster.withNodeState('node-2', 'ready'),
    ],
    [
      'of another rack',
      (cluster) => label(cluster, 'node-2', { rack: 'b' }),
      (cluster) => label(cluster, 'node-2', { rack: 'a' }),
    ],
  ])('when a node becomes %s and is fit again, then its task goes and comes', (_, lose, regain) => {
    const constraints = ['node.labels.rack!=b'];
    for (const condition of ['any', 'none'] as const) {
      const harness = running({ task: { restart: { condition }, placement: { constraints } } });
      lose(harness.cluster);
      harness.settleFor(100_000);
      expect(nodesOf(harness.cluster.tasks('agent'))).toEqual(['node-1', 'node-3']);
      regain(harness.cluster);
      harness.settleFor(100_000);
      expect(nodesOf(harness.cluster.tasks('agent'))).toEqual(['node-1', 'node-3', 'node-2']);
      expect(on(harness, 'node-2').at(-1)?.status.state).toBe('running');
    }
  });

  test('when a node is paused, then its task stays, and is not replaced when it fails until the pause is over', () => {
    const harness = running();
    harness.cluster.withAvailability('node-2', 'pause');
    expect(harness.run()).toEqual([]);
    harness.report(live(on(harness, 'node-2')), 'failed').settleFor(100_000);
    expect(on(harness, 'node-2')).toHaveLength(1);
    harness.cluster.withAvailability('node-2', 'active');
    harness.settle();
    expect(live(on(harness, 'node-2'))).toMatchObject([{ status: { state: 'running' } }]);
  });

  test('when a task fails, then it is replaced on the same node after the delay', () => {
    const harness = running({ task: { restart: { delayMs: 2_000 } } });
    harness.report(live(on(harness, 'node-3')), 'failed').settle();
    expect(live(on(harness, 'node-3'))).toMatchObject([{ desiredState: 'ready', restarts: { failures: 1 } }]);
    harness.settleFor(2_000);
    expect(live(on(harness, 'node-3'))).toMatchObject([{ status: { state: 'running' } }]);
  });

  test('when the attempts are used up on one node, then that node stays without, and the others go on', () => {
    const harness = running({ task: { restart: { maxAttempts: 1, delayMs: 0 } } });
    for (let time = 0; time < 2; time++) harness.report(live(on(harness, 'node-1')), 'failed').settle();
    expect(nodesOf(harness.cluster.tasks('agent'))).toEqual(['node-2', 'node-3']);
    harness.changeLeader([createGlobalOrchestrator(), createAllocator()]);
    label(harness.cluster, 'node-1', { looked: 'again' });
    harness.settleFor(600_000);
    expect(nodesOf(harness.cluster.tasks('agent'))).toEqual(['node-2', 'node-3']);
  });

  test('when a task completes and only failures are restarted, then it is left at that', () => {
    const harness = running({ task: { restart: { condition: 'on-failure' } } });
    harness.report(live(on(harness, 'node-1')), 'complete').settleFor(600_000);
    expect(on(harness, 'node-1')).toMatchObject([
      { desiredState: 'shutdown', status: { state: 'complete' } },
    ]);
  });

  test('when a task is removed from outside, then the node gets another', () => {
    const harness = running();
    const [task] = on(harness, 'node-2');
    harness.apply({ type: 'task.removed', ids: task ? [task.id] : [] });
    harness.run();
    expect(live(on(harness, 'node-2'))).toHaveLength(1);
  });

  test('when a node is removed with its tasks, then nothing is wanted', () => {
    const harness = running();
    const ids = on(harness, 'node-2').map((task) => task.id);
    harness.apply({ type: 'task.removed', ids }, { type: 'node.removed', id: asId<NodeId>('node-2') });
    expect(harness.run()).toEqual([]);
    expect(nodesOf(harness.cluster.tasks('agent'))).toEqual(['node-1', 'node-3']);
  });

  test('when a node is removed and its tasks are left behind, then nothing breaks', () => {
    const cluster = aCluster().withNodes(2).withService(agent());
    const harness = new LoopHarness(cluster, [
      createGlobalOrchestrator(),
      createAllocator(),
      createTaskReaper(),
    ]);
    harness.settle();
    harness.apply({ type: 'node.removed', id: asId<NodeId>('node-2') });
    harness.settle();
    expect(nodesOf(cluster.tasks('agent'))).toEqual(['node-1']);
  });

  test('when it is removed, then its tasks are left to the reaper', () => {
    const harness = running();
    harness.apply({ type: 'service.removed', id: asId<ServiceId>('agent') });
    expect(harness.run()).toEqual([]);
    harness.cluster.withNode();
    expect(harness.run()).toEqual([]);
  });

  test('when the leader begins with tasks in all conditions, then each node is seen to', () => {
    const cluster = aCluster().withNodes(5).withService(agent());
    cluster.withTasks('agent', 5, { nodes: ['node-1', 'node-2', 'node-3', 'node-4', 'node-5'] });
    cluster
      .withStatus(['agent-1'], 'failed')
      .withAvailability('node-2', 'drain')
      .withNodeState('node-3', 'down');
    cluster.apply({ type: 'task.removed', ids: [asId<TaskId>('agent-4')] });
    const harness = loopOn(cluster);
    harness.run();
    expect(live(cluster.tasks('agent')).map((task) => [task.nodeId, task.desiredState])).toEqual([
      ['node-5', 'running'],
      ['node-1', 'ready'],
      ['node-4', 'running'],
    ]);
  });
});

describe('given an update of a global service', () => {
  const images = (harness: LoopHarness) =>
    live(harness.cluster.tasks('agent')).map((task) => task.spec.image);
  const second = (harness: LoopHarness) => images(harness).filter((image) => image === 'second').length;

  test.each([
    [1, 1],
    [2, 2],
    [0, 4],
  ])('when its parallelism is %i, then %i nodes are updated at a time', (parallelism, expected) => {
    const harness = running({ update: { parallelism } }, 4);
    update(harness.cluster, { task: { image: 'second' } });
    harness.run();
    expect(second(harness)).toBe(expected);
    harness.settle();
    expect(images(harness)).toEqual(['second', 'second', 'second', 'second']);
    expect(new Set(nodesOf(harness.cluster.tasks('agent'))).size).toBe(4);
  });

  test('when a node is paused, then it is updated only when the pause is over', () => {
    const harness = running();
    harness.cluster.withAvailability('node-2', 'pause');
    update(harness.cluster, { task: { image: 'second' } });
    harness.settle();
    expect(live(on(harness, 'node-2'))[0]?.spec.image).toBe('image');
    expect(second(harness)).toBe(2);
    harness.cluster.withAvailability('node-2', 'active');
    harness.settle();
    expect(second(harness)).toBe(3);
  });

  test('when another update comes while all nodes are in flux, then it goes through to the last node', () => {
    const harness = running({ update: { parallelism: 0 } });
    update(harness.cluster, { task: { image: 'first' } });
    harness.run();
    update(harness.cluster, { task: { image: 'second' }, update: { parallelism: 1 } });
    harness.settleFor(60_000);
    expect(images(harness)).toEqual(['second', 'second', 'second']);
  });

  test('when a task fails on a paused node at the same time, then the other nodes are updated', () => {
    const harness = running();
    harness.cluster.withAvailability('node-3', 'pause');
    harness.report(live(on(harness, 'node-3')), 'failed');
    update(harness.cluster, { task: { image: 'second' } });
    harness.settle();
    expect(images(harness)).toEqual(['second', 'second']);
  });

  test('when new tasks can not be prepared, then every node keeps its old one', () => {
    const harness = running();
    update(harness.cluster, { task: { image: 'second' } });
    harness.run();
    const fresh = harness.cluster.tasks('agent').filter((task) => task.spec.image === 'second');
    harness.report(fresh, 'rejected').advance(600_000);
    expect(images(harness).filter((image) => image === 'image')).toHaveLength(3);
  });

  test('when the constraints change, then only nodes that no longer fit lose their task', () => {
    const harness = running();
    update(harness.cluster, {
      task: { image: 'image', placement: { constraints: ['node.hostname!=node-2'] } },
    });
    harness.settle();
    expect(nodesOf(harness.cluster.tasks('agent'))).toEqual(['node-1', 'node-3']);
    expect(harness.cluster.tasks('agent')).toHaveLength(3);
  });
});
