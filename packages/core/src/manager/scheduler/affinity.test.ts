import { describe, expect, it } from 'vitest';
import { InvalidSpecError } from '../../errors.ts';
import { asId, type NodeId, type TaskId } from '../../model/ids.ts';
import { parseServiceSpec } from '../../model/parse-spec.ts';
import type { ServiceSpecInput } from '../../model/service-spec.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { findRemedies } from './remedies.ts';
import { createScheduler } from './scheduler.ts';

type Placement = NonNullable<NonNullable<ServiceSpecInput['task']>['placement']>;

const RACK = 'node.labels.rack';

/** Four nodes: two in rack a, two in rack b. */
function racks(): StateBuilder {
  return aCluster().withNodes(4, (n) => ({ labels: { rack: n <= 2 ? 'a' : 'b' } }));
}

function service(cluster: StateBuilder, name: string, placement: Placement, more = {}): StateBuilder {
  return cluster.withService({ name, task: { placement }, ...more });
}

function run(cluster: StateBuilder): LoopHarness {
  const harness = new LoopHarness(cluster, [createScheduler()]);
  harness.run();
  return harness;
}

/** Nodes of a service's tasks, in the order of the tasks; `-` for none. */
function nodesOf(cluster: StateBuilder, name: string): string[] {
  return cluster
    .tasks(name)
    .filter((task) => isMeantToRun(task.desiredState))
    .map((task) => task.nodeId ?? '-');
}

function told(cluster: StateBuilder, name: string): string | undefined {
  return cluster.tasks(name).find((task) => task.nodeId === undefined)?.explanation?.message;
}

describe('given a service that wants to be near to another', () => {
  const near: Placement = { affinity: [{ service: 'cache' }] };

  it('when the other runs on one node, then its tasks go there and nowhere else', () => {
    const cluster = service(
      racks().withService({ name: 'cache' }).withRunning('cache', ['node-3']),
      'web',
      near,
    );
    run(cluster.withPending('web', 3));
    expect(nodesOf(cluster, 'web')).toEqual(['node-3', 'node-3', 'node-3']);
  });

  it('when the other runs nowhere, then they wait, are told so, and go as soon as it has come', () => {
    const cluster = service(racks().withService({ name: 'cache' }), 'web', near).withPending('web', 2);
    const harness = run(cluster);
    expect(told(cluster, 'web')).toBe(
      'no suitable node (affinity not satisfied on 4 nodes: no task of service cache on the node)',
    );
    cluster.withRunning('cache', ['node-2']);
    harness.run();
    expect(nodesOf(cluster, 'web')).toEqual(['node-2', 'node-2']);
  });

  it('when both are placed in one go, then the one that waits goes where the other has gone', () => {
    const cluster = service(racks().withService({ name: 'cache' }), 'web', near);
    cluster.withPending('cache').withPending('web', 2);
    run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['node-1', 'node-1']);
  });

  it('when a rack is near enough, then any node of the rack will do', () => {
    const cluster = racks().withService({ name: 'cache' }).withRunning('cache', ['node-3']);
    service(cluster, 'web', { affinity: [{ service: 'cache', topology: RACK }] }).withPending('web', 2);
    run(cluster);
    expect(nodesOf(cluster, 'web').sort()).toEqual(['node-3', 'node-4']);
  });

  it('when a node has no rack, then nothing is near there', () => {
    const cluster = aCluster().withNode().withService({ name: 'cache' }).withRunning('cache', ['node-1']);
    service(cluster, 'web', { affinity: [{ service: 'cache', topology: RACK }] }).withPending('web');
    run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['-']);
  });

  it('when it is only preferred, then they go elsewhere where that one is full', () => {
    const cluster = racks().withService({ name: 'cache' }).withRunning('cache', ['node-3']);
    const placement: Placement = {
      affinity: [{ service: 'cache', strength: 'preferred' }],
      maxReplicasPerNode: 2,
    };
    service(cluster, 'web', placement).withPending('web', 3);
    run(cluster);
    expect(nodesOf(cluster, 'web').sort()).toEqual(['node-1', 'node-3', 'node-3']);
    expect(cluster.tasks('web')[0]?.decision?.candidates[0]).toMatchObject({ nodeId: 'node-3', broken: 0 });
  });

  it('when services are found by a label, then all that have it count', () => {
    const cluster = racks()
      .withService({ name: 'redis', labels: { tier: 'cache' } })
      .withRunning('redis', ['node-2'])
      .withService({ name: 'db', labels: { tier: 'data' } })
      .withRunning('db', ['node-4']);
    service(cluster, 'web', { affinity: [{ label: 'tier=cache' }] }).withPending('web', 2);
    service(cluster, 'both', { affinity: [{ label: 'tier' }] }).withPending('both', 4);
    run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['node-2', 'node-2']);
    expect(new Set(nodesOf(cluster, 'both'))).toEqual(new Set(['node-2', 'node-4']));
  });

  it('when it is its own tasks, then it begins anywhere and stays together', () => {
    const placement: Placement = { affinity: [{ service: 'web', topology: RACK }] };
    const cluster = service(racks(), 'web', placement).withPending('web', 4);
    run(cluster);
    expect(nodesOf(cluster, 'web').sort()).toEqual(['node-1', 'node-1', 'node-2', 'node-2']);
  });

  it('when the other is being stopped, then it attracts nobody any more', () => {
    const cluster = service(racks().withService({ name: 'cache' }), 'web', near);
    cluster.withTasks('cache', 1, { nodes: ['node-1'], desired: 'shutdown' }).withPending('web');
    run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['-']);
  });
});

describe('given a service that keeps away from another', () => {
  const away: Placement = { antiAffinity: [{ service: 'noisy' }] };

  it('when the other is everywhere but on one node, then its tasks go there', () => {
    const cluster = racks()
      .withService({ name: 'noisy' })
      .withRunning('noisy', ['node-1', 'node-2', 'node-3']);
    service(cluster, 'web', away).withPending('web', 2);
    run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['node-4', 'node-4']);
  });

  it('when the other comes later, then it keeps away as well', () => {
    const cluster = service(racks(), 'web', away).withRunning('web', [
      'node-1',
      'node-2',
      'node-3',
      'node-4',
    ]);
    cluster.withService({ name: 'noisy' }).withPending('noisy');
    const harness = run(cluster);
    expect(told(cluster, 'noisy')).toBe(
      'no suitable node (anti-affinity not satisfied on 4 nodes: a task of service web, which keeps away, on the node)',
    );
    cluster.withStatus([asId<TaskId>('web-2')], 'failed');
    harness.run();
    expect(nodesOf(cluster, 'noisy')).toEqual(['node-2']);
  });

  it('when a task of the other still stops, then it is in the way until it has', () => {
    const cluster = aCluster().withNode().withService({ name: 'noisy' });
    cluster.withTasks('noisy', 1, { nodes: ['node-1'], desired: 'shutdown' });
    service(cluster, 'web', away).withPending('web');
    const harness = run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['-']);
    cluster.withStatus([asId<TaskId>('noisy-1')], 'shutdown');
    harness.run();
    expect(nodesOf(cluster, 'web')).toEqual(['node-1']);
  });

  it('when it keeps away from itself, then one task goes to each rack, and the rest wait', () => {
    const placement: Placement = { antiAffinity: [{ service: 'web', topology: RACK }] };
    const cluster = service(racks(), 'web', placement).withPending('web', 3);
    run(cluster);
    expect(nodesOf(cluster, 'web').sort()).toEqual(['-', 'node-1', 'node-3']);
  });

  it('when it only prefers to, then racks take turns', () => {
    const placement: Placement = {
      antiAffinity: [{ service: 'web', topology: RACK, strength: 'preferred' }],
    };
    const cluster = service(racks(), 'web', placement).withPending('web', 3);
    run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['node-1', 'node-3', 'node-2']);
  });

  it('when a node moves to another rack, then what is near there has moved with it', () => {
    const cluster = racks().withService({ name: 'noisy' }).withRunning('noisy', ['node-3']);
    const placement: Placement = { antiAffinity: [{ service: 'noisy', topology: RACK }] };
    service(cluster, 'web', placement).withPending('web');
    const harness = run(cluster);
    expect(nodesOf(cluster, 'web')).toEqual(['node-1']);
    const id = asId<NodeId>('node-3');
    const spec = cluster.state.node(id)?.spec;
    if (spec) cluster.apply({ type: 'node.updated', id, spec: { ...spec, labels: { rack: 'a' } } });
    cluster.withPending('web');
    harness.run();
    expect(nodesOf(cluster, 'web')).toEqual(['node-1', 'node-4']);
  });

  it('when it gives its rule up, then nobody is kept away any more', () => {
    const cluster = service(aCluster().withNode(), 'web', away).withRunning('web', ['node-1']);
    cluster.withService({ name: 'noisy' }).withPending('noisy');
    const harness = run(cluster);
    expect(nodesOf(cluster, 'noisy')).toEqual(['-']);
    const web = cluster.state.serviceByName('web');
    if (!web) throw new Error('there is a service web');
    const task = { ...web.spec.task, placement: { ...web.spec.task.placement, antiAffinity: undefined } };
    const spec = { ...web.spec, task };
    cluster.apply({ type: 'service.updated', id: web.id, spec, tasksChanged: true, portsChanged: false });
    harness.run();
    expect(nodesOf(cluster, 'noisy')).toEqual(['node-1']);
  });
});

describe('given a task that a rule keeps from every node, when what would help is asked', () => {
  it('then what has to come, or has to end, is named, and no new node where one would not do', () => {
    const cluster = racks().withService({ name: 'cache' }).withService({ name: 'noisy' });
    cluster.withRunning('noisy', ['node-1', 'node-2', 'node-3', 'node-4']);
    service(cluster, 'web', { affinity: [{ service: 'cache' }] }).withPending('web');
    service(cluster, 'quiet', { antiAffinity: [{ service: 'noisy' }] }).withPending('quiet');
    expect(remedies(cluster, 'web')).toEqual(['a task of service cache on the node on any of 4 nodes']);
    expect(remedies(cluster, 'quiet')).toEqual([
      'no task of service noisy on the node on any of 4 nodes',
      'a new node',
    ]);
  });
});

function remedies(cluster: StateBuilder, name: string): string[] {
  const [task] = cluster.tasks(name);
  if (!task) throw new Error(`there is no task of ${name}`);
  const steps = findRemedies(task, cluster.state);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) return step.value.remedies.map(({ message }) => message);
  }
}

describe('given rules that can not be meant, when the service is created, then field and rule are named', () => {
  const issues = (placement: Placement) => {
    try {
      parseServiceSpec({ name: 'web', task: { image: 'web', placement } });
    } catch (error) {
      if (error instanceof InvalidSpecError)
        return error.issues.map(({ field, rule }) => `${field}: ${rule}`);
    }
    return [];
  };

  it.each<[Placement, string]>([
    [{ affinity: [{}] }, 'task.placement.affinity[0]: must name either a service or a label'],
    [
      { antiAffinity: [{ service: 'a', label: 'b' }] },
      'task.placement.antiAffinity[0]: must name either a service or a label',
    ],
    [
      { affinity: [{ service: 'a', topology: 'rack' }] },
      "task.placement.affinity[0].topology: 'rack' is no key of a node: use node.id, node.hostname, node.labels.NAME or engine.labels.NAME",
    ],
    [
      { affinity: [{ service: 'a' }, { service: 'A' }] },
      'task.placement.affinity[1]: there are two rules about service a on the node',
    ],
    [
      { affinity: [{ service: 'a' }], antiAffinity: [{ service: 'a' }] },
      'task.placement.antiAffinity[0]: contradicts the affinity to service a on the node',
    ],
    [{ affinity: [{ label: '=x' }] }, 'task.placement.affinity[0].label: must name a label'],
  ])('%j', (placement, issue) => {
    expect(issues(placement)).toContain(issue);
  });
});
