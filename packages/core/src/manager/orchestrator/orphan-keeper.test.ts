import { describe, expect, test } from 'vitest';
import { asId, type NodeId } from '../../model/ids.ts';
import { clusterSpecSchema } from '../../model/other-specs.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster } from '../../testing/state-builder.ts';
import { createOrphanKeeper } from './orphan-keeper.ts';

const DAY_MS = 86_400_000;

const cluster = () =>
  aCluster()
    .withNodes(2)
    .withService({ name: 'web' })
    .withRunning('web', ['node-1', 'node-2'])
    .withPending('web', 1);
const states = (harness: LoopHarness) => harness.cluster.tasks('web').map((task) => task.status.state);

describe('given tasks on a node that goes down', () => {
  test('when it stays down for a day, then those that were with its agent are orphaned', () => {
    const built = cluster().withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' });
    built.withTasks('web', 1, { nodes: ['node-1'], state: 'failed' }).withTasks('web', 1, {
      nodes: ['node-1'],
      desired: 'shutdown',
    });
    const harness = new LoopHarness(built, [createOrphanKeeper()]);
    expect(harness.run()).toEqual([]);
    built.withNodeState('node-1', 'down');
    expect(harness.advance(DAY_MS - 1)).toEqual([]);
    harness.advance(1);
    expect(states(harness)).toEqual(['orphaned', 'running', 'pending', 'orphaned', 'failed', 'orphaned']);
    expect(harness.wakeAt).toBeUndefined();
  });

  test('when it comes back in time, then nothing happens', () => {
    const harness = new LoopHarness(cluster(), [createOrphanKeeper()]);
    harness.cluster.withNodeState('node-1', 'down');
    harness.advance(DAY_MS - 1);
    harness.cluster.withNodeState('node-1', 'ready');
    expect(harness.advance(DAY_MS)).toEqual([]);
  });

  test('when the leader changes meanwhile, then the time does not begin anew', () => {
    const harness = new LoopHarness(cluster(), [createOrphanKeeper()]);
    harness.cluster.withNodeState('node-1', 'down');
    harness.advance(DAY_MS - 10);
    harness.changeLeader([createOrphanKeeper()]);
    harness.advance(10);
    expect(states(harness)).toEqual(['orphaned', 'running', 'pending']);
  });

  test('when the time allowed is shortened, then the new time counts', () => {
    const harness = new LoopHarness(cluster(), [createOrphanKeeper()]);
    harness.cluster.withNodeState('node-1', 'down');
    harness.advance(5_000);
    const spec = clusterSpecSchema.parse({
      dispatcher: { orphanAfterMs: 4_000 },
    });
    harness.apply({ type: 'cluster.updated', spec }).run();
    expect(states(harness)).toEqual(['orphaned', 'running', 'pending']);
  });

  test('when the node is removed and its tasks are left behind, then they are orphaned at once', () => {
    const harness = new LoopHarness(cluster(), [createOrphanKeeper()]);
    harness.apply({ type: 'node.removed', id: asId<NodeId>('node-1') }).run();
    expect(states(harness)).toEqual(['orphaned', 'running', 'pending']);
  });
});
