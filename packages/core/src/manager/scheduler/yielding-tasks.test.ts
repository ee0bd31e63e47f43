import { describe, expect, it } from 'vitest';
import { isMeantToRun } from '../../model/task-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { createScheduler } from './scheduler.ts';

/** Two nodes, a task of `web` on each, and one that takes the place of the second. */
function replacing(placement: { readonly maxReplicasPerNode?: number } = {}): StateBuilder {
  return aCluster()
    .withNodes(2)
    .withService({ name: 'web', replicas: 2, task: { placement } })
    .withTasks('web', 1, { ids: ['first'], nodes: ['node-1'], slot: 1 })
    .withTasks('web', 1, { ids: ['old'], nodes: ['node-2'], slot: 2 })
    .withTasks('web', 1, { ids: ['new'], slot: 2, replaces: 'old' });
}

function placed(cluster: StateBuilder, id: string): string | undefined {
  new LoopHarness(cluster, [createScheduler()]).run();
  return cluster.tasks('web').find((task) => task.id === id)?.nodeId;
}

describe('given a task that takes the place of one that still runs', () => {
  it('when it is placed, then the old one does not count where tasks are spread', () => {
    expect(placed(replacing(), 'new')).toBe('node-2');
  });

  it('when another task is placed, then the new one counts, and the old one does not', () => {
    const cluster = replacing();
    new LoopHarness(cluster, [createScheduler()]).run();
    cluster.withNode().withTasks('web', 2, { ids: ['third', 'fourth'], slot: 3 });
    expect(placed(cluster, 'third')).toBe('node-3');
    expect(['node-1', 'node-3']).toContain(placed(cluster, 'fourth'));
  });

  it('when it is given up, then the old one counts again', () => {
    const cluster = replacing().withDesired(['new'], 'shutdown');
    cluster.withTasks('web', 1, { ids: ['third'], slot: 3 });
    placed(cluster, 'third');
    cluster.withTasks('web', 1, { ids: ['fourth'], slot: 4 });
    placed(cluster, 'fourth');
    const nodes = cluster.tasks('web').filter(({ desiredState }) => isMeantToRun(desiredState));
    expect(nodes.map(({ nodeId }) => nodeId).sort()).toEqual(['node-1', 'node-1', 'node-2', 'node-2']);
  });

  it('when a node may have no more than one, then the two are not put beside each other', () => {
    const cluster = replacing({ maxReplicasPerNode: 1 });
    expect(placed(cluster, 'new')).toBeUndefined();
    cluster.withNode();
    expect(placed(cluster, 'new')).toBe('node-3');
  });
});
