import { describe, expect, it } from 'vitest';
import { InvalidSpecError } from '../../errors.ts';
import { asId, type NodeId, type TaskId } from '../../model/ids.ts';
import { leaseWaitMs } from '../../model/lease.ts';
import { parseServiceSpec } from '../../model/parse-spec.ts';
import type { ServiceSpecInput } from '../../model/service-spec.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { createAllocator } from '../allocator/allocator.ts';
import { updateService } from '../api/service-commands.ts';
import { createReplicatedOrchestrator } from '../orchestrator/replicated.ts';
import { createScheduler } from './scheduler.ts';

const LEASE_MS = 20_000;

function anOne(): StateBuilder {
  return aCluster()
    .withNodes(3)
    .withService({
      name: 'one',
      replicas: 1,
      maxOne: { leaseMs: LEASE_MS },
      task: { restart: { delayMs: 0 } },
    });
}

const loops = () => [createReplicatedOrchestrator(), createAllocator(), createScheduler()];

const live = (cluster: StateBuilder) => cluster.tasks('one').at(-1);

describe('given a service with at most one task of a slot', () => {
  it('when its task is made, then it carries its lease', () => {
    const cluster = anOne();
    new LoopHarness(cluster, loops()).run();
    expect(live(cluster)).toMatchObject({ nodeId: 'node-1', leaseMs: LEASE_MS });
  });

  it('when its node is lost, then another one gets a node only when the lease can have run out', () => {
    const cluster = anOne().withRunning('one', ['node-1']);
    const harness = new LoopHarness(cluster, loops());
    cluster.withNodeState('node-1', 'down');
    harness.advance(leaseWaitMs(LEASE_MS) - 1);
    expect(cluster.tasks('one')).toHaveLength(1);
    harness.advance(1);
    expect(live(cluster)?.nodeId).toBe('node-2');
  });

  it('when the node is back before, then its task goes on', () => {
    const cluster = anOne().withRunning('one', ['node-1']);
    const harness = new LoopHarness(cluster, loops());
    cluster.withNodeState('node-1', 'down');
    harness.advance(LEASE_MS);
    cluster.withNodeState('node-1', 'ready');
    harness.advance(10 * LEASE_MS);
    expect(cluster.tasks('one')).toMatchObject([{ id: 'one-1', desiredState: 'running' }]);
  });

  it('when another one was made for the slot all the same, then it waits, and says for what', () => {
    const cluster = anOne()
      .withRunning('one', ['node-1'])
      .withDesired([asId<TaskId>('one-1')], 'shutdown');
    cluster.withTasks('one', 1, { slot: 1, state: 'pending', replaces: 'one-1' });
    const harness = new LoopHarness(cluster, [createScheduler()]);
    harness.run();
    expect(live(cluster)?.explanation?.message).toBe('waits until task one-1 on node-1 has ended');
    cluster.withNodeState('node-1', 'down');
    harness.run();
    expect(live(cluster)?.explanation?.message).toBe(
      "waits for the lease of task one-1 on node-1 to run out, since that node can't be heard",
    );
    harness.advance(leaseWaitMs(LEASE_MS) - 1);
    expect(live(cluster)?.nodeId).toBeUndefined();
    harness.advance(1);
    expect(live(cluster)?.nodeId).toBe('node-2');
  });

  it('when another manager leads, then it counts the whole lease on its own clock', () => {
    const cluster = anOne()
      .withRunning('one', ['node-1'])
      .withDesired([asId<TaskId>('one-1')], 'shutdown');
    cluster
      .withTasks('one', 1, { slot: 1, state: 'pending', replaces: 'one-1' })
      .withNodeState('node-1', 'down');
    const harness = new LoopHarness(cluster, [createScheduler()]);
    harness.advance(LEASE_MS);
    harness.changeLeader([createScheduler()]);
    harness.advance(leaseWaitMs(LEASE_MS) - 1);
    expect(live(cluster)?.nodeId).toBeUndefined();
    harness.advance(1);
    expect(live(cluster)?.nodeId).toBe('node-2');
  });

  it('when the task before has ended, then the next one goes at once', () => {
    const cluster = anOne().withRunning('one', ['node-1']);
    const harness = new LoopHarness(cluster, loops());
    cluster.withStatus([asId<TaskId>('one-1')], 'failed');
    harness.run();
    expect(live(cluster)?.nodeId).toBe('node-1');
  });
});

describe('given a service with at most one task of a slot, when its task is to be replaced', () => {
  /** The one before is stopped, and only once it has ended the next one gets its node. */
  const expectHandover = (cluster: StateBuilder, harness: LoopHarness) => {
    harness.run();
    expect(cluster.tasks('one')[0]).toMatchObject({ desiredState: 'shutdown' });
    expect(live(cluster)?.nodeId).toBeUndefined();
    cluster.withStatus([asId<TaskId>('one-1')], 'shutdown');
    harness.run();
    expect(live(cluster)?.nodeId).toBe('node-2');
  };

  it('then it runs on for as long as no node would take the next one, which says what it lacks', () => {
    const cluster = anOne().withRunning('one', ['node-1']);
    const harness = new LoopHarness(cluster, loops());
    harness.run();
    const service = harness.state.serviceByName('one');
    if (!service) throw new Error('the service is gone');
    const spec = parseServiceSpec({
      ...service.spec,
      task: { ...service.spec.task, image: 'new', placement: { constraints: ['node.labels.disk==ssd'] } },
    });
    harness.apply(...updateService(harness.state, service, { spec }).events);
    harness.advance(60_000);
    expect(cluster.tasks('one')).toMatchObject([
      { id: 'one-1', desiredState: 'running' },
      { status: { state: 'pending' }, desiredState: 'ready' },
    ]);
    expect(live(cluster)?.explanation?.message).toMatch(/constraints not satisfied on 3 nodes/);
    const node = harness.state.node(asId<NodeId>('node-2'));
    if (!node) throw new Error('the node is gone');
    const labels = { disk: 'ssd' };
    harness.apply({ type: 'node.updated', id: node.id, spec: { ...node.spec, labels } });
    expectHandover(cluster, harness);
  });

  it('when its node is drained and there is no other, then it stays, and goes once there is one', () => {
    const cluster = anOne().withRunning('one', ['node-1']);
    const harness = new LoopHarness(cluster, loops());
    for (const node of ['node-2', 'node-3']) cluster.withAvailability(node, 'pause');
    cluster.withAvailability('node-1', 'drain');
    harness.advance(60_000);
    expect(cluster.tasks('one')[0]).toMatchObject({ id: 'one-1', desiredState: 'running' });
    expect(live(cluster)?.explanation?.message).toMatch(/3 nodes not available for new tasks/);
    cluster.withAvailability('node-2', 'active');
    expectHandover(cluster, harness);
  });
});

describe('given a lease that can not be kept, when the service is created, then field and rule are named', () => {
  const issuesOf = (spec: Partial<ServiceSpecInput>) => {
    try {
      parseServiceSpec({ name: 'one', maxOne: {}, task: { image: 'one' }, ...spec });
    } catch (error) {
      if (error instanceof InvalidSpecError)
        return error.issues.map(({ field, rule }) => `${field}: ${rule}`);
    }
    return [];
  };

  it.each<[Partial<ServiceSpecInput>, string[]]>([
    [{}, []],
    [{ mode: 'global' }, ['maxOne: is for replicated services, and the mode is global']],
    [
      { maxOne: { leaseMs: 12_000 } },
      ['maxOne.leaseMs: must be at least 15000: a task gets 10000 ms to stop in, and heartbeats need some'],
    ],
    [
      { update: { order: 'start-first' } },
      ['update.order: must be stop-first where there is never more than one task'],
    ],
  ])('%j', (spec, issues) => {
    expect(issuesOf(spec)).toEqual(issues);
  });
});
