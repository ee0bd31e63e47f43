import { describe, expect, it } from 'vitest';
import { InvalidSpecError } from '../../errors.ts';
import { asId, type NodeId, type TaskId } from '../../model/ids.ts';
import { parseServiceSpec } from '../../model/parse-spec.ts';
import type { ServiceSpecInput } from '../../model/service-spec.ts';
import { restoreSnapshot, snapshotChunks } from '../../state/snapshot.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { findRemedies } from './remedies.ts';
import { createScheduler } from './scheduler.ts';

type Mount = NonNullable<NonNullable<ServiceSpecInput['task']>['mounts']>[number];

const PER_SLOT: Mount = { type: 'volume', source: 'data-{{.Task.Slot}}', target: '/data' };

function aStore(mount: Mount = PER_SLOT): StateBuilder {
  return aCluster()
    .withNodes(3)
    .withService({ name: 'db', replicas: 3, task: { mounts: [mount] } });
}

function run(cluster: StateBuilder): LoopHarness {
  const harness = new LoopHarness(cluster, [createScheduler()]);
  harness.run();
  return harness;
}

/** The task of a slot has ended, and another one waits in its place. */
function replace(cluster: StateBuilder, slot: number): void {
  const task = cluster.tasks('db').findLast((each) => each.slot === slot);
  if (!task) throw new Error(`slot ${slot} has a task`);
  cluster.withStatus([task.id], 'failed').withDesired([task.id], 'shutdown');
  cluster.withTasks('db', 1, { slot, state: 'pending', ids: [`${task.id}b`], replaces: task.id });
}

const nodeOf = (cluster: StateBuilder, slot: number) =>
  cluster.tasks('db').findLast((each) => each.slot === slot)?.nodeId;

const newest = (cluster: StateBuilder) => {
  const task = cluster.tasks('db').at(-1);
  if (!task) throw new Error('there is a task');
  return task;
};

describe('given a service whose slots have a volume each', () => {
  it('when its tasks run, then the state tells where each volume lives', () => {
    const cluster = aStore().withRunning('db', ['node-1', 'node-2', 'node-3']);
    const homes = ['data-1', 'data-2', 'data-3'].map((name) => cluster.state.volume(name)?.nodeId);
    expect(homes).toEqual(['node-1', 'node-2', 'node-3']);
  });

  it('when a task is replaced, then the next one of its slot goes to its volume, however full that node is', () => {
    const cluster = aStore().withRunning('db', ['node-1', 'node-2', 'node-3']);
    cluster.withService({ name: 'web' }).withTasks('web', 20, { nodes: ['node-2'] });
    replace(cluster, 2);
    run(cluster);
    expect(nodeOf(cluster, 2)).toBe('node-2');
    expect(newest(cluster).decision?.candidates).toMatchObject([{ nodeId: 'node-2', tasks: 20 }]);
  });

  it('when that node is drained, then it waits, says where its volume is, and goes there afterwards', () => {
    const cluster = aStore().withRunning('db', ['node-1', 'node-2', 'node-3']);
    cluster.withAvailability('node-2', 'drain');
    replace(cluster, 2);
    const harness = run(cluster);
    expect(newest(cluster).explanation?.message).toBe(
      'no suitable node (2 nodes without its volumes: they live on node-2; 1 node not available for new tasks: drained)',
    );
    cluster.withAvailability('node-2', 'active');
    harness.run();
    expect(nodeOf(cluster, 2)).toBe('node-2');
  });

  it('when it is forgotten where the volume lives, then it goes elsewhere, and lives there', () => {
    const cluster = aStore().withRunning('db', ['node-1', 'node-2', 'node-3']);
    cluster.withNodeState('node-2', 'down');
    replace(cluster, 2);
    const harness = run(cluster);
    expect(nodeOf(cluster, 2)).toBeUndefined();
    const steps = findRemedies(newest(cluster), cluster.state);
    let step = steps.next();
    while (!step.done) step = steps.next();
    expect(step.value.remedies.map(({ message }) => message)).toEqual([
      'volume data-2 forgotten on any of 2 nodes',
      'being ready on node-2',
    ]);
    cluster.apply({ type: 'volume.forgotten', names: ['data-2'] });
    harness.run();
    expect(nodeOf(cluster, 2)).toBe('node-1');
    cluster.withStatus([newest(cluster).id], 'running');
    expect(cluster.state.volume('data-2')?.nodeId).toBe('node-1');
  });

  it('when the node is taken out of the cluster, then its volumes are forgotten', () => {
    const cluster = aStore().withRunning('db', ['node-1', 'node-2', 'node-3']);
    replace(cluster, 2);
    cluster.withNodeState('node-2', 'down');
    const harness = run(cluster);
    cluster.apply({ type: 'node.removed', id: asId<NodeId>('node-2') });
    harness.run();
    expect(cluster.state.volume('data-2')).toBeUndefined();
    expect(nodeOf(cluster, 2)).toBe('node-1');
  });

  it('when the service is removed and made anew, then its slots find their volumes again', () => {
    const cluster = aStore().withRunning('db', ['node-3', 'node-2', 'node-1']);
    cluster.withStatus(
      cluster.tasks('db').map(({ id }) => id),
      'shutdown',
    );
    cluster.apply({ type: 'task.removed', ids: cluster.tasks('db').map(({ id }) => id) });
    cluster.apply({ type: 'service.removed', id: asId('db') });
    cluster.withService({ name: 'db', id: 'db2', replicas: 3, task: { mounts: [PER_SLOT] } });
    cluster.withTasks('db2', 3, { slot: 1, state: 'pending' });
    run(cluster);
    expect(cluster.tasks('db2').map(({ nodeId }) => nodeId)).toEqual(['node-3', 'node-2', 'node-1']);
  });

  it('when another manager takes over, then it knows the same, from the log or from a snapshot', async () => {
    const cluster = aStore().withRunning('db', ['node-1', 'node-2', 'node-3']);
    const restored = await restoreSnapshot(snapshotChunks(cluster.state));
    expect([...restored.roots.volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual(
      [...cluster.state.roots.volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  });

  it('when volumes of one task live on two nodes, then it waits and both are named', () => {
    const mounts: Mount[] = [PER_SLOT, { type: 'volume', source: 'logs-{{.Task.Slot}}', target: '/logs' }];
    const cluster = aStore().withRunning('db', ['node-1']);
    cluster.withService({ name: 'log', task: { mounts: mounts.slice(1) } }).withRunning('log', ['node-2']);
    cluster.withService({ name: 'both', task: { mounts } }).withPending('both');
    run(cluster);
    expect(cluster.tasks('both')[0]?.explanation?.message).toBe(
      'no suitable node (3 nodes without its volumes: they live on node-1 and node-2)',
    );
  });
});

describe('given a volume that is no slot of its own', () => {
  it('when nothing is said, then tasks go anywhere, as in Swarm', () => {
    const cluster = aStore({ type: 'volume', source: 'data', target: '/data' });
    cluster.withRunning('db', ['node-1']).withPending('db', 2);
    run(cluster);
    expect(cluster.state.volume('data')).toBeUndefined();
    expect(new Set(cluster.tasks('db').map(({ nodeId }) => nodeId)).size).toBe(3);
  });

  it('when it is pinned, then whoever mounts it goes where it lives', () => {
    const mounts: Mount[] = [{ type: 'volume', source: 'data', target: '/data', pinned: true }];
    const cluster = aCluster().withNodes(3).withService({ name: 'db', task: { mounts } });
    cluster.withRunning('db', ['node-3']);
    cluster.withService({ name: 'backup', task: { mounts } }).withPending('backup');
    run(cluster);
    expect(cluster.tasks('backup')[0]?.nodeId).toBe('node-3');
  });

  it('when the task never came to be ready, then the volume lives nowhere', () => {
    const cluster = aStore().withTasks('db', 1, { state: 'preparing', nodes: ['node-1'] });
    cluster.withStatus([asId<TaskId>('db-1')], 'rejected');
    expect(cluster.state.volume('data-1')).toBeUndefined();
  });
});

describe('given a mount that can not be pinned, when the service is created, then field and rule are named', () => {
  const issuesOf = (mount: Mount, more: Partial<ServiceSpecInput> = {}) => {
    try {
      parseServiceSpec({ name: 'db', ...more, task: { image: 'db', mounts: [mount] } });
    } catch (error) {
      if (error instanceof InvalidSpecError)
        return error.issues.map(({ field, rule }) => `${field}: ${rule}`);
    }
    return [];
  };
  const volume = (source: string): Mount => ({ type: 'volume', source, target: '/data', pinned: true });
  const field = 'task.mounts[0].pinned';

  it.each<[Mount, Partial<ServiceSpecInput>, string]>([
    [{ type: 'tmpfs', target: '/data', pinned: true }, {}, `${field}: is for volumes with a name`],
    [volume('data'), { mode: 'global' }, `${field}: has no meaning where each node has a task of its own`],
    [volume('data-{{.Task.ID}}'), {}, `${field}: can not be, since .Task.ID makes another volume of it`],
    [
      volume('data'),
      { replicas: 2 },
      `${field}: needs {{.Task.Slot}} in the name of the volume, or a service of one replica`,
    ],
  ])('%j %j', (mount, more, issue) => {
    expect(issuesOf(mount, more)).toContain(issue);
  });
});
