import { describe, expect, test } from 'vitest';
import { asId, type NodeId } from '../../model/ids.ts';
import { nodeSpecSchema } from '../../model/other-specs.ts';
import type { ServiceSpecInput } from '../../model/service-spec.ts';
import { serviceSpecSchema } from '../../model/service-spec.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, aDescription, type BuiltNode, type StateBuilder } from '../../testing/state-builder.ts';
import { createConstraintEnforcer } from './constraint-enforcer.ts';

const enforcerOn = (cluster: StateBuilder) => new LoopHarness(cluster, [createConstraintEnforcer()]);
const rejected = (cluster: StateBuilder) =>
  [...cluster.state.tasks()].filter((task) => task.status.state === 'rejected').map((task) => task.id);
const evicted = (cluster: StateBuilder) =>
  [...cluster.state.tasks()].filter((task) => task.evicted?.cause === 'constraint').map((task) => task.id);
const label = (cluster: StateBuilder, labels: Record<string, string>) =>
  cluster.apply({ type: 'node.updated', id: asId<NodeId>('node-1'), spec: nodeSpecSchema.parse({ labels }) });
const describeNode = (cluster: StateBuilder, node: BuiltNode) =>
  cluster.apply({
    type: 'node.described',
    id: asId<NodeId>('node-1'),
    description: aDescription({ id: 'node-1', ...node }),
    address: '10.0.0.1',
  });
const onSsd: ServiceSpecInput['task'] = { placement: { constraints: ['node.labels.disk==ssd'] } };

describe('given tasks on a node that meets their constraints', () => {
  const cluster = () => {
    const built = aCluster()
      .withNode({ labels: { disk: 'ssd' } })
      .withService({ name: 'web', task: onSsd });
    return built.withService({ name: 'any' }).withRunning('web', ['node-1']).withRunning('any', ['node-1']);
  };

  test('when the node is as it was, then nothing is wanted', () => {
    expect(enforcerOn(cluster()).run()).toEqual([]);
  });

  test('when a label changes, then those whose constraints it breaks are evicted', () => {
    const built = cluster();
    const harness = enforcerOn(built);
    harness.run();
    label(built, { disk: 'hdd' });
    harness.run();
    expect(evicted(built)).toEqual(['web-1']);
    expect(built.tasks('web')[0]).toMatchObject({ desiredState: 'running', status: { state: 'running' } });
    expect(harness.run()).toEqual([]);
  });

  test('when the label is put back before they have gone, then they stay', () => {
    const built = cluster();
    const harness = enforcerOn(built);
    label(built, { disk: 'hdd' });
    harness.run();
    label(built, { disk: 'ssd' });
    harness.run();
    expect(evicted(built)).toEqual([]);
  });

  test('when they do not serve yet, then they are rejected, in these words', () => {
    const built = aCluster()
      .withNode({ labels: { disk: 'ssd' } })
      .withService({ name: 'web', task: onSsd })
      .withTasks('web', 1, { nodes: ['node-1'], state: 'preparing' });
    const harness = enforcerOn(built);
    label(built, { disk: 'hdd' });
    harness.run();
    expect(built.tasks('web')[0]?.status).toEqual({
      state: 'rejected',
      at: built.at,
      message: 'task rejected by constraint enforcer',
      error: 'assigned node no longer meets constraints',
      cause: 'constraint',
    });
    expect(built.tasks('web')[0]?.desiredState).toBe('running');
    expect(rejected(built)).toEqual(['web-1']);
  });

  test.each(['pause', 'drain'] as const)(
    'when the node is not active but in %s, then it is left alone',
    (availability) => {
      const built = cluster();
      const spec = nodeSpecSchema.parse({ availability });
      built.apply({ type: 'node.updated', id: asId<NodeId>('node-1'), spec });
      expect(enforcerOn(built).run()).toEqual([]);
    },
  );

  test('when the service has other constraints now, then those count and not the ones that the task was made with', () => {
    const built = cluster();
    const service = built.state.serviceByName('web');
    if (!service) throw new Error('there is no service');
    const spec = serviceSpecSchema.parse({ name: 'web', task: { image: 'image' } });
    built.apply({ type: 'service.updated', id: service.id, spec, tasksChanged: true, portsChanged: false });
    label(built, { disk: 'hdd' });
    expect(enforcerOn(built).run()).toEqual([]);
  });

  test.each(['shutdown', 'remove'] as const)(
    'when a task is to %s anyway, then it is left alone',
    (desired) => {
      const built = cluster().withDesired(['web-1'], desired);
      label(built, { disk: 'hdd' });
      expect(enforcerOn(built).run()).toEqual([]);
    },
  );

  test('when a new leader begins, then it finds what was left undone', () => {
    const built = cluster();
    label(built, { disk: 'hdd' });
    enforcerOn(built).run();
    expect(evicted(built)).toEqual(['web-1']);
  });
});

describe('given tasks with reservations', () => {
  const gib = 1024 ** 3;
  test.each<[string, BuiltNode, readonly string[]]>([
    ['as much as before', {}, []],
    ['fewer processors', { cpus: 2.3 }, ['third-1']],
    ['exactly enough', { cpus: 2.4 }, []],
    ['almost no processors', { cpus: 0.5 }, ['second-1']],
    ['less memory', { memoryBytes: 2 * gib }, ['third-1']],
    ['nothing', { cpus: 0, memoryBytes: 0 }, ['first-1', 'second-1', 'third-1']],
  ])('when the node has %s, then the newest that do not fit are evicted', (_, node, expected) => {
    const built = aCluster().withNode({ cpus: 4, memoryBytes: 4 * gib });
    const service = (name: string, cpus: number) =>
      built
        .withService({ name, task: { resources: { reservations: { cpus, memoryBytes: gib } } } })
        .withRunning(name, ['node-1']);
    service('first', 0.1);
    service('second', 2.2);
    service('third', 0.1);
    built.withService({ name: 'free' }).withRunning('free', ['node-1']);
    const harness = enforcerOn(built);
    expect(harness.run()).toEqual([]);
    describeNode(built, { cpus: 4, memoryBytes: 4 * gib, ...node });
    harness.run();
    expect(evicted(built)).toEqual(expected);
  });

  test('when the node loses named resources, then the tasks that hold them are evicted', () => {
    const built = aCluster().withNode({ generic: { gpu: ['a', 'b', 'c'] } });
    const task = { resources: { reservations: { generic: { gpu: 1 } } } };
    built.withService({ name: 'x', task }).withTasks('x', 1, { nodes: ['node-1'], generic: { gpu: ['a'] } });
    built.withService({ name: 'y', task }).withTasks('y', 1, { nodes: ['node-1'], generic: { gpu: ['b'] } });
    const harness = enforcerOn(built);
    expect(harness.run()).toEqual([]);
    describeNode(built, { generic: { gpu: ['b', 'c'] } });
    harness.run();
    expect(evicted(built)).toEqual(['x-1']);
  });

  test('when the node has fewer counted resources, then the newest tasks are evicted', () => {
    const built = aCluster().withNode({ generic: { slot: 3 } });
    const task = { resources: { reservations: { generic: { slot: 1 } } } };
    built.withService({ name: 'x', task }).withRunning('x', ['node-1', 'node-1', 'node-1']);
    const harness = enforcerOn(built);
    expect(harness.run()).toEqual([]);
    describeNode(built, { generic: { slot: 1 } });
    harness.run();
    expect(evicted(built)).toEqual(['x-2', 'x-3']);
  });
});
