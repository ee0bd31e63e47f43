import { describe, expect, it } from 'vitest';
import type { ClusterEvent } from '../../events/event.ts';
import { asId, type NetworkId, type NodeId, type ServiceId, type TaskId } from '../../model/ids.ts';
import { networkSpecSchema } from '../../model/network.ts';
import { isTerminal } from '../../model/task-state.ts';
import { seededRandom } from '../../runtime/random.ts';
import { ClusterState } from '../../state/cluster-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, aDescription, type StateBuilder } from '../../testing/state-builder.ts';
import { createScheduler } from './scheduler.ts';

const MIB = 1024 ** 2;

/** Tasks of a service by node; those without a node under `-`. */
function placed(cluster: StateBuilder, service = 'web'): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const task of cluster.tasks(service)) {
    if (task.desiredState !== 'running' || isTerminal(task.status.state)) continue;
    const where = task.nodeId ?? '-';
    counts[where] = (counts[where] ?? 0) + 1;
  }
  return counts;
}

function scheduled(cluster: StateBuilder): LoopHarness {
  const harness = new LoopHarness(cluster, [createScheduler()]);
  harness.run();
  return harness;
}

/** The words that each pending task of a service is explained with. */
function explained(cluster: StateBuilder, service = 'web'): (string | undefined)[] {
  return cluster
    .tasks(service)
    .filter((task) => task.status.state === 'pending')
    .map((task) => task.explanation?.message);
}

interface Scenario {
  readonly title: string;
  readonly given: () => StateBuilder;
  /** Tasks of the service `web` by node. */
  readonly placed: Readonly<Record<string, number>>;
  /** What tasks without a node are told. */
  readonly told?: string;
}

const scenarios: readonly Scenario[] = [
  {
    title: 'three empty nodes and seven tasks, then they are spread evenly',
    given: () => aCluster().withNodes(3).withService({ name: 'web' }).withPending('web', 7),
    placed: { 'node-1': 3, 'node-2': 2, 'node-3': 2 },
  },
  {
    title: 'nodes that have unequal numbers of the service, then the numbers are levelled first',
    given: () =>
      aCluster()
        .withNodes(4)
        .withService({ name: 'web' })
        .withRunning('web', ['node-1', 'node-1', 'node-1', 'node-2'])
        .withPending('web', 4),
    placed: { 'node-1': 3, 'node-2': 2, 'node-3': 2, 'node-4': 1 },
  },
  {
    title: 'nodes that are equal for the service but not in total, then the emptier ones come first',
    given: () =>
      aCluster()
        .withNodes(3)
        .withService({ name: 'other' })
        .withRunning('other', ['node-1', 'node-1', 'node-2'])
        .withService({ name: 'web' })
        .withPending('web', 2),
    placed: { 'node-2': 1, 'node-3': 1 },
  },
  {
    title:
      'a node full of others and a node with one task of the service, then the service is spread all the same',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'other' })
        .withTasks('other', 50, { nodes: ['node-1'] })
        .withService({ name: 'web' })
        .withRunning('web', ['node-2'])
        .withPending('web'),
    placed: { 'node-1': 1, 'node-2': 1 },
  },
  {
    title: 'tasks that are told to stop but still run, then they do not count for the order',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'web' })
        .withTasks('web', 2, { nodes: ['node-1'], desired: 'shutdown' })
        .withRunning('web', ['node-2'])
        .withPending('web'),
    placed: { 'node-1': 1, 'node-2': 1 },
  },
  {
    title: 'no node at all, then tasks wait',
    given: () => aCluster().withService({ name: 'web' }).withPending('web'),
    placed: { '-': 1 },
    told: 'no suitable node',
  },
  {
    title: 'nodes that are unknown, down, paused or drained, then none of them gets a task',
    given: () =>
      aCluster()
        .withNode({ state: 'unknown' })
        .withNode({ state: 'down' })
        .withNode({ availability: 'pause' })
        .withNode({ availability: 'drain' })
        .withService({ name: 'web' })
        .withPending('web'),
    placed: { '-': 1 },
    told: 'no suitable node (4 nodes not available for new tasks: down on 1, unknown on 1, drained on 1, paused on 1)',
  },
  {
    title: 'processors for three tasks, then the fourth waits',
    given: () =>
      aCluster()
        .withNode({ cpus: 2 })
        .withNode({ cpus: 1.9 })
        .withService({ name: 'web', task: { resources: { reservations: { cpus: 1 } } } })
        .withPending('web', 4),
    placed: { 'node-1': 2, 'node-2': 1, '-': 1 },
    told: 'no suitable node (insufficient resources on 2 nodes: cpus)',
  },
  {
    title: 'fractions of processors that add up to a whole, then no rounding keeps the last one out',
    given: () =>
      aCluster()
        .withNode({ cpus: 1 })
        .withService({ name: 'web', task: { resources: { reservations: { cpus: 0.1 } } } })
        .withPending('web', 11),
    placed: { 'node-1': 10, '-': 1 },
    told: 'no suitable node (insufficient resources on 1 node: cpus)',
  },
  {
    title: 'memory on one node only, then all go there until it is full',
    given: () =>
      aCluster()
        .withNode({ memoryBytes: 64 * MIB })
        .withNode({ memoryBytes: 512 * MIB })
        .withService({ name: 'web', task: { resources: { reservations: { memoryBytes: 128 * MIB } } } })
        .withPending('web', 5),
    placed: { 'node-2': 4, '-': 1 },
    told: 'no suitable node (insufficient resources on 2 nodes: memory)',
  },
  {
    title: 'only limits and no reservations, then limits do not count',
    given: () =>
      aCluster()
        .withNode({ cpus: 1 })
        .withService({ name: 'web', task: { resources: { limits: { cpus: 4 } } } })
        .withPending('web', 3),
    placed: { 'node-1': 3 },
  },
  {
    title: 'a node that is overbooked already, then tasks that reserve nothing still fit',
    given: () => {
      const cluster = aCluster()
        .withNode({ cpus: 4 })
        .withService({ name: 'greedy', task: { resources: { reservations: { cpus: 4 } } } })
        .withRunning('greedy', ['node-1'])
        .withService({ name: 'web' })
        .withPending('web');
      const description = aDescription({ cpus: 1 });
      cluster.apply({ type: 'node.described', id: asId<NodeId>('node-1'), description, address: '' });
      return cluster;
    },
    placed: { 'node-1': 1 },
  },
  {
    title: 'ended tasks that had reservations, then what they held is free',
    given: () =>
      aCluster()
        .withNode({ cpus: 2 })
        .withService({ name: 'web', task: { resources: { reservations: { cpus: 1 } } } })
        .withTasks('web', 2, { nodes: ['node-1'], state: 'failed' })
        .withPending('web', 2),
    placed: { 'node-1': 2 },
  },
  {
    title: 'tasks told to stop that still run, then they hold what they reserved',
    given: () =>
      aCluster()
        .withNode({ cpus: 2 })
        .withService({ name: 'web', task: { resources: { reservations: { cpus: 1 } } } })
        .withTasks('web', 2, { nodes: ['node-1'], desired: 'shutdown' })
        .withPending('web'),
    placed: { '-': 1 },
    told: 'no suitable node (insufficient resources on 1 node: cpus)',
  },
  {
    title: 'a generic resource that is counted, then so many tasks fit',
    given: () =>
      aCluster()
        .withNode({ generic: { licence: 3 } })
        .withNode()
        .withService({ name: 'web', task: { resources: { reservations: { generic: { licence: 2 } } } } })
        .withPending('web', 2),
    placed: { 'node-1': 1, '-': 1 },
    told: 'no suitable node (insufficient resources on 2 nodes: licence)',
  },
  {
    title: 'a constraint on a label, then only nodes that meet it get tasks',
    given: () =>
      aCluster()
        .withNode({ labels: { rack: 'A' } })
        .withNode({ labels: { rack: 'b' } })
        .withNode()
        .withService({ name: 'web', task: { placement: { constraints: ['node.labels.rack == a'] } } })
        .withPending('web', 2),
    placed: { 'node-1': 2 },
  },
  {
    title: 'a constraint that excludes, then a node without the label meets it',
    given: () =>
      aCluster()
        .withNode({ labels: { rack: 'a' } })
        .withNode()
        .withService({ name: 'web', task: { placement: { constraints: ['node.labels.rack != a'] } } })
        .withPending('web', 2),
    placed: { 'node-2': 2 },
  },
  {
    title: 'constraints that no node meets together, then tasks wait and are told',
    given: () =>
      aCluster()
        .withNode({ labels: { rack: 'a' } })
        .withNode({ role: 'manager' })
        .withService({
          name: 'web',
          task: { placement: { constraints: ['node.labels.rack == a', 'node.role == manager'] } },
        })
        .withPending('web'),
    placed: { '-': 1 },
    told: 'no suitable node (scheduling constraints not satisfied on 2 nodes: node.labels.rack == a on 1, node.role == manager on 1)',
  },
  {
    title: 'a platform under another of its names, then it is the same platform',
    given: () =>
      aCluster()
        .withNode({ architecture: 'x86_64' })
        .withNode({ architecture: 'aarch64' })
        .withNode({ os: 'windows', architecture: 'amd64' })
        .withService({
          name: 'web',
          task: {
            placement: { platforms: [{ os: 'linux', architecture: 'amd64' }, { architecture: 'arm64' }] },
          },
        })
        .withPending('web', 2),
    placed: { 'node-1': 1, 'node-2': 1 },
  },
  {
    title: 'platforms that no node has, then tasks wait and are told',
    given: () =>
      aCluster()
        .withNode()
        .withService({ name: 'web', task: { placement: { platforms: [{ os: 'plan9' }] } } })
        .withPending('web'),
    placed: { '-': 1 },
    told: 'no suitable node (unsupported platform on 1 node)',
  },
  {
    title: 'a port of the host, then each node gets one task',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'web', ports: [{ target: 80, published: 80, mode: 'host' }] })
        .withPending('web', 3),
    placed: { 'node-1': 1, 'node-2': 1, '-': 1 },
    told: 'no suitable node (host-mode port already in use on 2 nodes: 80/tcp)',
  },
  {
    title: 'a port of the host that another service has under the other protocol, then both fit',
    given: () =>
      aCluster()
        .withNode()
        .withService({ name: 'dns', ports: [{ target: 53, published: 53, protocol: 'udp', mode: 'host' }] })
        .withRunning('dns', ['node-1'])
        .withService({ name: 'web', ports: [{ target: 53, published: 53, mode: 'host' }] })
        .withPending('web'),
    placed: { 'node-1': 1 },
  },
  {
    title: 'ports of the host that the node gives, then any number fits',
    given: () =>
      aCluster()
        .withNode()
        .withService({ name: 'web', ports: [{ target: 80, mode: 'host' }] })
        .withPending('web', 3),
    placed: { 'node-1': 3 },
  },
  {
    title: 'a most number of replicas per node, then the rest wait',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'web', task: { placement: { maxReplicasPerNode: 2 } } })
        .withRunning('web', ['node-1'])
        .withPending('web', 4),
    placed: { 'node-1': 2, 'node-2': 2, '-': 1 },
    told: 'no suitable node (max replicas per node limit exceed)',
  },
  {
    title: 'nodes rejected for different reasons, then all are told, the most frequent first',
    given: () =>
      aCluster()
        .withNode({ state: 'down', cpus: 8, labels: { rack: 'a' } })
        .withNode({ cpus: 1, labels: { rack: 'a' } })
        .withNodes(3, (n) => ({ id: `other-${n}`, cpus: 8 }))
        .withService({
          name: 'web',
          task: {
            resources: { reservations: { cpus: 2 } },
            placement: { constraints: ['node.labels.rack == a'] },
          },
        })
        .withPending('web'),
    placed: { '-': 1 },
    told:
      'no suitable node (scheduling constraints not satisfied on 3 nodes: node.labels.rack == a; ' +
      '1 node not available for new tasks: down; insufficient resources on 1 node: cpus)',
  },
  {
    title: 'a node that takes a task before it is full, then the count of the other filters is not lost',
    given: () =>
      aCluster()
        .withNode({ labels: { rack: 'b' } })
        .withNode({ labels: { rack: 'a' }, cpus: 1 })
        .withNode({ state: 'down' })
        .withService({
          name: 'web',
          task: {
            resources: { reservations: { cpus: 1 } },
            placement: { constraints: ['node.labels.rack == a'] },
          },
        })
        .withPending('web', 2),
    placed: { 'node-2': 1, '-': 1 },
    told:
      'no suitable node (1 node not available for new tasks: down; insufficient resources on 1 node: cpus; ' +
      'scheduling constraints not satisfied on 1 node: node.labels.rack == a)',
  },
  {
    title: 'a node that failed the service five times of late, then it comes last although it is emptiest',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'web' })
        .withRunning('web', ['node-2', 'node-2'])
        .withTasks('web', 5, { nodes: ['node-1'], state: 'failed' })
        .withPending('web', 2),
    placed: { 'node-2': 4 },
  },
  {
    title: 'a node that failed the service four times, then that does not count yet',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'web' })
        .withRunning('web', ['node-2', 'node-2'])
        .withTasks('web', 4, { nodes: ['node-1'], state: 'rejected' })
        .withPending('web', 2),
    placed: { 'node-1': 2, 'node-2': 2 },
  },
  {
    title: 'failures more than five minutes ago, then they are forgotten',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'web' })
        .withRunning('web', ['node-2', 'node-2'])
        .withTasks('web', 5, { nodes: ['node-1'], state: 'failed' })
        .after(300_001)
        .withPending('web', 2),
    placed: { 'node-1': 2, 'node-2': 2 },
  },
  {
    title: 'a new node in the place of a faulty one that was removed, then it is not faulty',
    given: () => {
      const cluster = aCluster()
        .withNodes(2)
        .withService({ name: 'web' })
        .withRunning('web', ['node-2'])
        .withTasks('web', 5, { nodes: ['node-1'], state: 'failed' });
      cluster.apply({ type: 'node.removed', id: asId<NodeId>('node-1') });
      return cluster.withNode().withPending('web');
    },
    placed: { 'node-2': 1, 'node-3': 1 },
  },
  {
    title: 'faulty nodes only, then the one with fewer failures is used',
    given: () =>
      aCluster()
        .withNodes(2)
        .withService({ name: 'web' })
        .withTasks('web', 6, { nodes: ['node-1'], state: 'failed' })
        .withTasks('web', 5, { nodes: ['node-2'], state: 'failed' })
        .withPending('web', 2),
    placed: { 'node-2': 2 },
  },
  {
    title: 'one spread preference, then branches are equalised whatever the number of their nodes',
    given: () =>
      aCluster()
        .withNodes(3, (n) => ({ labels: { zone: n === 1 ? 'a' : 'b' } }))
        .withService({ name: 'web', task: { placement: { preferences: [{ spread: 'node.labels.zone' }] } } })
        .withPending('web', 8),
    placed: { 'node-1': 4, 'node-2': 2, 'node-3': 2 },
  },
  {
    title: 'a spread preference and tasks in one branch already, then the other branch catches up',
    given: () =>
      aCluster()
        .withNodes(4, (n) => ({ labels: { zone: n <= 2 ? 'a' : 'b' } }))
        .withService({ name: 'web', task: { placement: { preferences: [{ spread: 'node.labels.zone' }] } } })
        .withRunning('web', ['node-1', 'node-1', 'node-2', 'node-2'])
        .withPending('web', 4),
    placed: { 'node-1': 2, 'node-2': 2, 'node-3': 2, 'node-4': 2 },
  },
  {
    title: 'a spread preference and tasks on nodes that take no more, then those count for their branch',
    given: () =>
      aCluster()
        .withNode({ labels: { zone: 'a' }, availability: 'pause' })
        .withNode({ labels: { zone: 'a' } })
        .withNode({ labels: { zone: 'b' } })
        .withService({ name: 'web', task: { placement: { preferences: [{ spread: 'node.labels.zone' }] } } })
        .withRunning('web', ['node-1', 'node-1'])
        .withPending('web', 2),
    placed: { 'node-1': 2, 'node-3': 2 },
  },
  {
    title: 'a branch that is full, then its share goes to the others',
    given: () =>
      aCluster()
        .withNode({ labels: { zone: 'a' }, cpus: 1 })
        .withNode({ labels: { zone: 'b' } })
        .withNode({ labels: { zone: 'c' } })
        .withService({
          name: 'web',
          task: {
            resources: { reservations: { cpus: 1 } },
            placement: { preferences: [{ spread: 'node.labels.zone' }] },
          },
        })
        .withPending('web', 9),
    placed: { 'node-1': 1, 'node-2': 4, 'node-3': 4 },
  },
  {
    title: 'two levels of preferences, then each level is equalised within the one above',
    given: () =>
      aCluster()
        .withNode({ labels: { zone: 'a', rack: '1' } })
        .withNode({ labels: { zone: 'a', rack: '2' } })
        .withNode({ labels: { zone: 'a', rack: '2' } })
        .withNode({ labels: { zone: 'b', rack: '1' } })
        .withService({
          name: 'web',
          task: {
            placement: { preferences: [{ spread: 'node.labels.zone' }, { spread: 'node.labels.rack' }] },
          },
        })
        .withPending('web', 16),
    placed: { 'node-1': 4, 'node-2': 2, 'node-3': 2, 'node-4': 8 },
  },
  {
    title: 'a preference on a label that some nodes lack, then those make a branch of their own',
    given: () =>
      aCluster()
        .withNode({ engineLabels: { disk: 'ssd' } })
        .withNode()
        .withNode()
        .withService({
          name: 'web',
          task: { placement: { preferences: [{ spread: 'engine.labels.disk' }] } },
        })
        .withPending('web', 4),
    placed: { 'node-1': 2, 'node-2': 1, 'node-3': 1 },
  },
];

describe('when the scheduler decides, given', () => {
  for (const { title, given, placed: expected, told } of scenarios) {
    it(title, () => {
      const cluster = given();
      scheduled(cluster);
      expect(placed(cluster)).toEqual(expected);
      expect(explained(cluster)).toEqual(Array.from({ length: expected['-'] ?? 0 }, () => told));
    });
  }

  // The same again, with an index that was folded from every change since the cluster began.
  for (const { title, given, placed: expected, told } of scenarios) {
    it(`${title}, for a leader that saw it all happen`, () => {
      const cluster = given();
      const scheduler = createScheduler();
      scheduler.begin(ClusterState.empty);
      for (const changes of cluster.changes) scheduler.observe(changes, cluster.state);
      let decision = scheduler.decide(cluster.state, { at: cluster.at, random: seededRandom(1) });
      for (; decision.events.length > 0; ) {
        scheduler.observe(cluster.apply(...decision.events), cluster.state);
        decision = scheduler.decide(cluster.state, { at: cluster.at, random: seededRandom(1) });
      }
      expect(placed(cluster)).toEqual(expected);
      expect(explained(cluster)).toEqual(Array.from({ length: expected['-'] ?? 0 }, () => told));
    });
  }

  it('single tasks of many services with the same preference, then they do not all go to the first branch', () => {
    const cluster = aCluster().withNodes(4, (n) => ({ labels: { zone: n <= 2 ? 'a' : 'b' } }));
    const placement = { preferences: [{ spread: 'node.labels.zone' }] };
    for (const name of ['a', 'b', 'c', 'd']) {
      cluster.withService({ name, task: { placement } }).withPending(name);
    }
    scheduled(cluster);
    const used = ['a', 'b', 'c', 'd'].flatMap((name) => Object.keys(placed(cluster, name)));
    expect(new Set(used).size).toBe(4);
  });

  it('named generic resources, then each task gets names of its own, and ended ones give theirs back', () => {
    const cluster = aCluster()
      .withNode({ generic: { gpu: ['gpu-0', 'gpu-1', 'gpu-2'] } })
      .withService({ name: 'web', task: { resources: { reservations: { generic: { gpu: 1 } } } } })
      .withPending('web', 4);
    const harness = scheduled(cluster);
    const names = () => cluster.tasks('web').map((task) => task.assignedGeneric?.['gpu']);
    expect(names()).toEqual([['gpu-0'], ['gpu-1'], ['gpu-2'], undefined]);

    cluster.withStatus(['web-2'], 'failed');
    harness.run();
    expect(names()[3]).toEqual(['gpu-1']);
  });

  it('a network whose driver is a plugin, then only nodes that have it, or do not tell, get tasks', () => {
    const cluster = aCluster()
      .withNode({ plugins: ['Network/bridge'] })
      .withNode({ plugins: ['Network/weave:latest', 'Network/bridge'] })
      .withNode()
      .withService({ name: 'web', task: { networks: [{ name: 'mesh' }] } })
      .withService({ name: 'api', task: { networks: [{ name: 'mesh' }] } });
    const spec = networkSpecSchema.parse({ name: 'mesh', driver: 'weave' });
    cluster.apply({ type: 'network.created', id: asId<NetworkId>('mesh'), spec }).changes;
    scheduled(cluster.withPending('web', 4));
    expect(placed(cluster)).toEqual({ 'node-2': 2, 'node-3': 2 });

    const id = asId<NodeId>('node-3');
    cluster.apply({ type: 'node.removed', id: asId<NodeId>('node-2') }, { type: 'node.removed', id });
    scheduled(cluster.withPending('api'));
    expect(explained(cluster, 'api')).toEqual(['no suitable node (missing plugin on 1 node: network/weave)']);
  });

  it('two spec versions of a service, then only failures of the same version count', () => {
    const cluster = aCluster()
      .withNodes(2)
      .withService({ name: 'web' })
      .withRunning('web', ['node-2'])
      .withTasks('web', 5, { nodes: ['node-1'], state: 'failed' });
    const spec = cluster.state.serviceByName('web')?.spec;
    if (!spec) throw new Error('there is a service');
    const id = asId<ServiceId>('web');
    cluster.apply({ type: 'service.updated', id, spec, tasksChanged: true, portsChanged: false });
    scheduled(cluster.withPending('web'));
    expect(placed(cluster)).toEqual({ 'node-1': 1, 'node-2': 1 });
  });
});

describe('given tasks that could not be placed', () => {
  const helps: readonly {
    readonly what: string;
    readonly given: () => StateBuilder;
    readonly help: (cluster: StateBuilder) => unknown;
  }[] = [
    {
      what: 'a node joins',
      given: () => aCluster(),
      help: (cluster) => cluster.withNode(),
    },
    {
      what: 'a node becomes ready',
      given: () => aCluster().withNode({ state: 'down' }),
      help: (cluster) => cluster.withNodeState('node-1', 'ready'),
    },
    {
      what: 'a node is made active again',
      given: () => aCluster().withNode({ availability: 'drain' }),
      help: (cluster) => cluster.withAvailability('node-1', 'active'),
    },
    {
      what: 'a node is given more processors',
      given: () => aCluster().withNode({ cpus: 1 }),
      help: (cluster) =>
        cluster.apply({
          type: 'node.described',
          id: asId<NodeId>('node-1'),
          description: aDescription({ cpus: 2 }),
          address: '10.0.0.1',
        }),
    },
    {
      what: 'a task that held resources ends',
      given: () =>
        aCluster()
          .withNode({ cpus: 2 })
          .withService({ name: 'other', task: { resources: { reservations: { cpus: 1 } } } })
          .withRunning('other', ['node-1']),
      help: (cluster) => cluster.withStatus(['other-1'], 'complete'),
    },
    {
      what: 'a task that held resources is removed',
      given: () =>
        aCluster()
          .withNode({ cpus: 2 })
          .withService({ name: 'other', task: { resources: { reservations: { cpus: 1 } } } })
          .withRunning('other', ['node-1']),
      help: (cluster) => cluster.apply({ type: 'task.removed', ids: [asId<TaskId>('other-1')] }),
    },
  ];

  it.each(helps)('when $what, then they are tried again', ({ given, help }) => {
    const cluster = given().withService({ name: 'web', task: { resources: { reservations: { cpus: 2 } } } });
    const harness = scheduled(cluster.withPending('web'));
    expect(placed(cluster)).toEqual({ '-': 1 });
    help(cluster);
    harness.run();
    expect(placed(cluster)).toEqual({ 'node-1': 1 });
    expect(cluster.tasks('web')[0]?.explanation).toBeUndefined();
  });

  it('when a task of the same service is told to stop, then its place under the limit per node is free', () => {
    const cluster = aCluster()
      .withNode()
      .withService({ name: 'web', task: { placement: { maxReplicasPerNode: 1 } } })
      .withRunning('web', ['node-1'])
      .withPending('web');
    const harness = scheduled(cluster);
    expect(placed(cluster)).toEqual({ 'node-1': 1, '-': 1 });
    cluster.withDesired(['web-1'], 'shutdown');
    harness.run();
    expect(placed(cluster)).toEqual({ 'node-1': 1 });
  });

  it('when nothing helps, then nothing is written, and the same explanation is never written twice', () => {
    const cluster = aCluster()
      .withNodes(2, () => ({ cpus: 1 }))
      .withService({ name: 'small' })
      .withRunning('small', ['node-1'])
      .withService({ name: 'web', task: { resources: { reservations: { cpus: 2 } } } })
      .withPending('web', 2);
    const harness = scheduled(cluster);
    cluster.withStatus(['small-1'], 'complete').withNodeState('node-1', 'ready').withPending('web');
    const { index: _index, at: _at, ...finding } = cluster.tasks('web')[0]?.explanation ?? {};
    expect(harness.run()).toEqual([{ type: 'task.unplaced', ids: ['web-3'], explanation: finding }]);
    expect(harness.changeLeader([createScheduler()]).run()).toEqual([]);
  });

  it('when the reasons change, then they are told anew', () => {
    const cluster = aCluster()
      .withNode({ cpus: 1 })
      .withService({ name: 'web', task: { resources: { reservations: { cpus: 2 } } } })
      .withPending('web');
    const harness = scheduled(cluster);
    cluster.withNode({ cpus: 1 });
    harness.run();
    expect(cluster.tasks('web')[0]?.explanation).toEqual({
      nodes: 2,
      rejected: [
        { filter: 'resources', nodes: 2, by: [{ what: 'cpus', nodes: 2, asked: 2, freeAtBest: 1 }] },
      ],
      message: 'no suitable node (insufficient resources on 2 nodes: cpus)',
      index: cluster.state.index,
      at: cluster.at,
    });
  });

  it('when the reasons of very many keep changing, then all are told at most once a minute, new ones at once', () => {
    const cluster = aCluster()
      .withNode({ cpus: 1 })
      .withService({ name: 'web', task: { resources: { reservations: { cpus: 2 } } } })
      .withPending('web', 1_500);
    const harness = scheduled(cluster);
    cluster.withNode({ cpus: 1 });
    expect(harness.run()).toEqual([]);
    cluster.withPending('web');
    harness.run();
    expect(cluster.tasks('web').at(-1)?.explanation?.nodes).toBe(2);
    expect(cluster.tasks('web')[0]?.explanation?.nodes).toBe(1);
    expect(harness.wakeAt).toBe(cluster.at + 60_000);
    harness.advance(60_000);
    expect(cluster.tasks('web').every((task) => task.explanation?.nodes === 2)).toBe(true);
    expect(harness.wakeAt).toBeUndefined();
  });
});

describe('given tasks made for one node', () => {
  const globalService = () => aCluster().withNodes(2, () => ({ cpus: 1 }));

  it('when they fit, then they are confirmed there, before others get a chance', () => {
    const cluster = globalService()
      .withService({ name: 'web', task: { resources: { reservations: { cpus: 1 } } } })
      .withPending('web', 2)
      .withService({ name: 'agent', mode: 'global', task: { resources: { reservations: { cpus: 1 } } } })
      .withTasks('agent', 2, { nodes: ['node-1', 'node-2'], state: 'pending' });
    scheduled(cluster);
    expect(cluster.tasks('agent').map((task) => [task.nodeId, task.status.state])).toEqual([
      ['node-1', 'assigned'],
      ['node-2', 'assigned'],
    ]);
    expect(placed(cluster)).toEqual({ '-': 2 });
  });

  it('when one does not fit, then it waits there, is told why, and goes ahead once it fits', () => {
    const cluster = globalService()
      .withService({ name: 'web', task: { resources: { reservations: { cpus: 1 } } } })
      .withRunning('web', ['node-1'])
      .withService({ name: 'agent', mode: 'global', task: { resources: { reservations: { cpus: 1 } } } })
      .withTasks('agent', 1, { nodes: ['node-1'], state: 'pending' });
    const harness = scheduled(cluster);
    const [task] = cluster.tasks('agent');
    expect([task?.status.state, task?.explanation?.message]).toEqual([
      'pending',
      'insufficient resources on 1 node: cpus',
    ]);
    cluster.withStatus(['web-1'], 'failed');
    harness.run();
    expect(cluster.tasks('agent')[0]?.status.state).toBe('assigned');
  });

  it('when the node is not ready, then the task waits for it', () => {
    const cluster = aCluster()
      .withNode({ state: 'down' })
      .withService({ name: 'agent', mode: 'global' })
      .withTasks('agent', 1, { nodes: ['node-1'], state: 'pending' });
    const harness = scheduled(cluster);
    expect(explained(cluster, 'agent')).toEqual(['1 node not available for new tasks: down']);
    cluster.withNodeState('node-1', 'ready');
    harness.run();
    expect(cluster.tasks('agent')[0]?.status.state).toBe('assigned');
  });

  it('when the node is removed, then the task is told so', () => {
    const cluster = aCluster()
      .withNode({ state: 'down' })
      .withService({ name: 'agent', mode: 'global' })
      .withTasks('agent', 1, { nodes: ['node-1'], state: 'pending' });
    const harness = scheduled(cluster);
    cluster.apply({ type: 'node.removed', id: asId<NodeId>('node-1') });
    harness.run();
    expect(explained(cluster, 'agent')).toEqual(['its node is gone']);
  });

  it('when they failed there, then the node is not faulty for them', () => {
    const cluster = globalService()
      .withService({ name: 'agent', mode: 'global' })
      .withTasks('agent', 6, { nodes: ['node-1'], state: 'failed' })
      .withTasks('agent', 1, { nodes: ['node-1'], state: 'pending' });
    scheduled(cluster);
    expect(cluster.tasks('agent').at(-1)?.status.state).toBe('assigned');
  });
});

describe('given pending tasks that are not wanted any more', () => {
  const endings: readonly { readonly what: string; readonly event: ClusterEvent }[] = [
    {
      what: 'they are told to shut down',
      event: { type: 'task.desired', state: 'shutdown', ids: [asId<TaskId>('web-1')] },
    },
    { what: 'their service is removed', event: { type: 'service.removed', id: asId<ServiceId>('web') } },
  ];

  it.each(endings)('when $what, then they end at once and get no node', ({ event }) => {
    const cluster = aCluster().withNode().withService({ name: 'web' }).withPending('web');
    cluster.apply(event);
    scheduled(cluster);
    const [task] = cluster.tasks('web');
    expect([task?.status.state, task?.nodeId]).toEqual(['shutdown', undefined]);
  });

  it('when their service is gone and they have yet to follow it, then they get no node', () => {
    const cluster = aCluster().withService({ name: 'web' }).withPending('web', 2);
    const harness = scheduled(cluster);
    cluster.apply({ type: 'service.removed', id: asId<ServiceId>('web'), tasksFollow: true });
    cluster.withNode();
    harness.run();
    expect(cluster.tasks('web').map((task) => task.nodeId)).toEqual([undefined, undefined]);
    cluster.withDesired(['web-1', 'web-2'], 'remove');
    harness.run();
    expect(cluster.tasks('web').map((task) => task.status.state)).toEqual(['shutdown', 'shutdown']);
  });

  it('when that happens while they wait, then the rest of their group is placed all the same', () => {
    const cluster = aCluster().withService({ name: 'web' }).withPending('web', 5);
    const harness = scheduled(cluster);
    cluster.withDesired(['web-1', 'web-3', 'web-5'], 'remove').withNode();
    harness.run();
    expect(cluster.tasks('web').map((task) => task.status.state)).toEqual([
      'shutdown',
      'assigned',
      'shutdown',
      'assigned',
      'shutdown',
    ]);
  });
});

describe('given tasks in other states', () => {
  it('when they are new, ended, or have a node, then the scheduler leaves them alone', () => {
    const cluster = aCluster()
      .withNodes(2)
      .withService({ name: 'web' })
      .withTasks('web', 1, { state: 'new' })
      .withTasks('web', 1, { nodes: ['node-1'], state: 'assigned' })
      .withTasks('web', 1, { nodes: ['node-1'], state: 'complete' })
      .withRunning('web', ['node-2']);
    expect(new LoopHarness(cluster, [createScheduler()]).run()).toEqual([]);
  });

  it('when a task is to be started later, then it gets its node now', () => {
    const cluster = aCluster().withNode().withService({ name: 'web' });
    cluster.withTasks('web', 1, { startAfter: cluster.at + 5_000 });
    scheduled(cluster);
    expect(cluster.tasks('web')[0]?.nodeId).toBe('node-1');
  });

  it('when more wait than one transaction carries, then they are placed in several, evenly all the same', () => {
    const cluster = aCluster().withNodes(7).withService({ name: 'web' }).withPending('web', 7_000);
    const harness = scheduled(cluster);
    expect(harness.transactions.length).toBeGreaterThan(1);
    expect(Object.values(placed(cluster))).toEqual(Array.from({ length: 7 }, () => 1_000));
  });
});

describe('given tasks that are placed, then each keeps why it has its node', () => {
  it('when they are placed together, then they share what is told, with the best nodes and those turned away', () => {
    const cluster = aCluster()
      .withNodes(4, (n) => ({ labels: { rack: n < 4 ? 'a' : 'b' } }))
      .withNode({ state: 'down' })
      .withService({ name: 'other' })
      .withRunning('other', ['node-1'])
      .withService({ name: 'web', task: { placement: { constraints: ['node.labels.rack==a'] } } })
      .withRunning('web', ['node-3'])
      .withPending('web', 3);
    scheduled(cluster);
    const [, first, second, third] = cluster.tasks('web').map(({ decision }) => decision);
    expect(first).toEqual({
      placed: 3,
      nodes: 5,
      rejected: [
        { filter: 'ready', nodes: 1, by: [{ what: 'down', nodes: 1 }] },
        { filter: 'constraint', nodes: 1, by: [{ what: 'node.labels.rack==a', nodes: 1 }] },
      ],
      candidates: [
        { nodeId: 'node-2', failures: 0, serviceTasks: 0, tasks: 0 },
        { nodeId: 'node-1', failures: 0, serviceTasks: 0, tasks: 1 },
        { nodeId: 'node-3', failures: 0, serviceTasks: 1, tasks: 1 },
      ],
      index: cluster.state.index,
      at: cluster.at,
    });
    expect(second).toBe(first);
    expect(third).toBe(first);
  });

  it('when a spread preference decides, then the tasks in each branch are told, and the chosen node leads', () => {
    const cluster = aCluster()
      .withNode({ labels: { zone: 'a' } })
      .withNode({ labels: { zone: 'a' } })
      .withNode({ labels: { zone: 'b' } })
      .withService({ name: 'other' })
      .withRunning('other', ['node-3', 'node-3'])
      .withService({ name: 'web', task: { placement: { preferences: [{ spread: 'node.labels.zone' }] } } })
      .withRunning('web', ['node-1'])
      .withPending('web');
    scheduled(cluster);
    const task = cluster.tasks('web').at(-1);
    expect(task?.nodeId).toBe('node-3');
    expect(task?.decision?.candidates.map(({ nodeId, spread }) => [nodeId, spread])).toEqual([
      ['node-3', [0]],
      ['node-2', [1]],
      ['node-1', [1]],
    ]);
  });

  it('when each was made for its node, then they share one note of it', () => {
    const cluster = aCluster()
      .withNodes(2)
      .withService({ name: 'agent', mode: 'global' })
      .withTasks('agent', 2, { nodes: ['node-1', 'node-2'], state: 'pending' });
    scheduled(cluster);
    const [one, two] = cluster.tasks('agent').map(({ decision }) => decision);
    expect(one).toMatchObject({ placed: 2, nodes: 1, rejected: [], candidates: [] });
    expect(two).toBe(one);
  });

  it('when ten thousand are placed, then what is told of them does not grow with their number', () => {
    const cluster = aCluster()
      .withNodes(300)
      .withService({ name: 'web', task: { placement: { constraints: ['node.labels.rack!=a'] } } })
      .withPending('web', 10_000);
    const harness = scheduled(cluster);
    const assignments = harness.transactions.flatMap(({ events }) =>
      events.filter((event) => event.type === 'task.assigned'),
    );
    for (const { choices = [] } of assignments) {
      expect(choices).toHaveLength(1);
      expect(JSON.stringify(choices).length).toBeLessThan(600);
    }
    const decisions = new Set(cluster.tasks('web').map(({ decision }) => decision));
    expect(decisions.size).toBe(assignments.length);
  });
});
