import { describe, expect, it } from 'vitest';
import { aCluster } from './state-builder.ts';

describe('given a cluster built for a test', () => {
  it('when nodes and services with tasks are asked for, then the state holds them as a log would have left them', () => {
    const cluster = aCluster()
      .withNode({ labels: { rack: 'a' }, cpus: 2 })
      .withNode({ id: 'spare', state: 'down' })
      .withService({ name: 'web', replicas: 3 })
      .withRunning('web', ['node-1'])
      .withPending('web', 2);

    expect([...cluster.state.nodes()].map((node) => [node.id, node.status.state])).toEqual([
      ['node-1', 'ready'],
      ['spare', 'down'],
    ]);
    expect(cluster.tasks('web').map((task) => [task.id, task.slot, task.status.state, task.nodeId])).toEqual([
      ['web-1', 1, 'running', 'node-1'],
      ['web-2', 2, 'pending', undefined],
      ['web-3', 3, 'pending', undefined],
    ]);
    expect(cluster.changes.at(-1)?.index).toBe(cluster.state.index);
  });

  it('when a global service gets tasks, then they know their node from the start', () => {
    const cluster = aCluster().withNodes(2).withService({ name: 'agent', mode: 'global' });
    cluster.withTasks('agent', 2, { nodes: ['node-1', 'node-2'], state: 'pending' });
    expect(cluster.tasks('agent').map((task) => [task.slot, task.nodeId, task.status.state])).toEqual([
      [0, 'node-1', 'pending'],
      [0, 'node-2', 'pending'],
    ]);
  });

  it('when tasks fail or are no longer wanted, then the state says so', () => {
    const cluster = aCluster()
      .withNode()
      .withService({ name: 'web' })
      .withRunning('web', ['node-1', 'node-1']);
    cluster.withStatus(['web-1'], 'failed', { exitCode: 3 }).withDesired(['web-2'], 'shutdown');
    const [failed, stopped] = cluster.tasks('web');
    expect(failed?.status).toMatchObject({ state: 'failed', exitCode: 3 });
    expect(stopped?.desiredState).toBe('shutdown');
  });
});
