import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ClusterEvent } from '../../events/event.ts';
import { asId, type NodeId, type ServiceId, type TaskId } from '../../model/ids.ts';
import { networkSpecSchema } from '../../model/network.ts';
import type { Node, Task } from '../../model/objects.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type BuiltNode, type StateBuilder } from '../../testing/state-builder.ts';
import { findRemedies, type Prospects } from './remedies.ts';
import type { Remedy, RemedyChange } from './remedy.ts';
import { hostPortsOf, hostPortText } from './requirements.ts';
import { createScheduler } from './scheduler.ts';

const MIB = 1024 * 1024;

function prospectsOf(state: ClusterState, task: Task | undefined): Prospects {
  if (!task) throw new Error('there is no such task');
  const steps = findRemedies(task, state);
  for (let step = steps.next(); ; step = steps.next()) if (step.done) return step.value;
}

function remediesOf(state: ClusterState, task: Task | undefined): readonly Remedy[] {
  return prospectsOf(state, task).remedies;
}

/** Makes one change of a remedy true on a node. */
function make(change: RemedyChange, id: NodeId, task: Task, state: ClusterState): ClusterEvent[] {
  const node = state.node(id) as Node;
  const { description, spec, status } = node;
  const described = (next: Node['description']): ClusterEvent[] => [
    { type: 'node.described', id, description: next, address: status.address },
  ];
  const ended = (tasks: readonly Task[]): ClusterEvent[] => [
    {
      type: 'task.status',
      rows: tasks.map(({ id }) => ({ id, status: { state: 'shutdown', at: state.at, message: 'ended' } })),
    },
  ];
  const holders = [...state.tasksOfNode(id)].filter((each) => each.status.state === 'running');
  switch (change.kind) {
    case 'resource': {
      const { resources } = description;
      const { resource, more } = change;
      if (resource === 'cpus') {
        return described({ ...description, resources: { ...resources, cpus: resources.cpus + more } });
      }
      if (resource === 'memory') {
        const memoryBytes = resources.memoryBytes + more;
        return described({ ...description, resources: { ...resources, memoryBytes } });
      }
      const offer = resources.generic[resource] ?? 0;
      const grown =
        typeof offer === 'number'
          ? offer + more
          : [...offer, ...Array.from({ length: more }, (_, n) => `more-${n}`)];
      return described({
        ...description,
        resources: { ...resources, generic: { ...resources.generic, [resource]: grown } },
      });
    }
    case 'label':
    case 'other-label': {
      const value = change.kind === 'label' ? change.value : 'something-else';
      const [, kind, name = ''] = /^(node|engine)\.labels\.(.*)$/.exec(change.label) ?? [];
      if (kind === 'node') {
        return [{ type: 'node.updated', id, spec: { ...spec, labels: { ...spec.labels, [name]: value } } }];
      }
      const labels = { ...description.engine.labels, [name]: value };
      return described({ ...description, engine: { ...description.engine, labels } });
    }
    case 'constraint':
      // All of those that are asked here are met by this.
      return [{ type: 'node.updated', id, spec: { ...spec, labels: { ...spec.labels, cores: '16' } } }];
    case 'role':
      return [{ type: 'node.updated', id, spec: { ...spec, role: change.role } }];
    case 'host-port':
      return ended(holders.filter(({ ports }) => hostPortsOf(ports).map(hostPortText).includes(change.port)));
    case 'ready':
      return [{ type: 'node.status', state: 'ready', message: 'ready', ids: [id] }];
    case 'active':
      return [{ type: 'node.updated', id, spec: { ...spec, availability: 'active' } }];
    case 'replicas':
      return ended(holders.filter(({ serviceId }) => serviceId === task.serviceId).slice(0, change.ending));
    case 'plugin': {
      const plugins = [...(description.engine.plugins ?? []), change.plugin];
      return described({ ...description, engine: { ...description.engine, plugins } });
    }
    case 'near': {
      const made = asId<TaskId>('friend-more');
      return [
        { type: 'task.created', serviceId: asId<ServiceId>('friend'), rows: [{ id: made, slot: 99 }] },
        { type: 'task.allocated', ids: [made] },
        { type: 'task.assigned', rows: [{ nodeId: id, tasks: [made] }] },
        {
          type: 'task.status',
          rows: [{ id: made, status: { state: 'running', at: state.at, message: 'runs' } }],
        },
      ];
    }
    case 'away':
      return ended([...state.tasksOfService(asId<ServiceId>('friend'))]);
    case 'volume':
      return [{ type: 'volume.forgotten', names: change.volumes }];
  }
}

const anyNode: fc.Arbitrary<BuiltNode> = fc.record({
  cpus: fc.constantFrom(0.5, 1, 2),
  memoryBytes: fc.constantFrom(64 * MIB, 512 * MIB),
  state: fc.constantFrom('ready', 'ready', 'down', 'unknown'),
  availability: fc.constantFrom('active', 'active', 'pause', 'drain'),
  role: fc.constantFrom('worker', 'manager'),
  architecture: fc.constantFrom('amd64', 'amd64', 'arm64'),
  labels: fc.record({ zone: fc.constantFrom('a', 'b') }),
  engineLabels: fc.record({ disk: fc.constantFrom('ssd', 'hdd') }),
  generic: fc.record({ gpu: fc.oneof(fc.nat(2), fc.constantFrom(['x'], ['x', 'y'])) }),
  plugins: fc.constantFrom([], ['network/weave']),
});

const anyNeed = fc.record({
  cpus: fc.constantFrom(undefined, 0.3, 1.5, 3),
  memoryBytes: fc.constantFrom(undefined, 100 * MIB, 700 * MIB),
  gpu: fc.constantFrom(0, 0, 1, 3),
  constraints: fc.uniqueArray(
    fc.constantFrom(
      'node.labels.zone==a',
      'node.labels.kind!=old',
      'node.labels.zone!=b',
      'node.labels.cores > 8 || node.hostname == nowhere',
      'node.labels.cores in (16, 32)',
      'node.labels.cores =~ ^[0-9]+$',
      'engine.labels.disk==ssd',
      'engine.labels.disk!=hdd',
      'node.role==manager',
      'node.hostname!=node-1',
    ),
    { maxLength: 3 },
  ),
  rule: fc.constantFrom(undefined, 'affinity' as const, 'antiAffinity' as const),
  topology: fc.constantFrom('node.id', 'node.labels.zone'),
  friends: fc.nat(2),
  port: fc.boolean(),
  most: fc.constantFrom(0, 1),
  platform: fc.boolean(),
  network: fc.boolean(),
  running: fc.nat(3),
});

type Need = typeof anyNeed extends fc.Arbitrary<infer T> ? T : never;

/** A cluster on which two services have tasks on any node, and one more task of the second waits. */
function clusterOf(nodes: readonly BuiltNode[], need: Need): StateBuilder {
  const cluster = aCluster();
  for (const node of nodes) cluster.withNode(node);
  const ids = nodes.map((_, n) => `node-${n + 1}`);
  cluster.apply({
    type: 'network.created',
    id: asId('net'),
    spec: networkSpecSchema.parse({ name: 'net', driver: 'weave' }),
  });
  const { cpus, memoryBytes, gpu, constraints } = need;
  const port = { target: 80, published: 8080, mode: 'host' as const };
  cluster
    .withService({ name: 'friend' })
    .withTasks('friend', ids.length === 0 ? 0 : need.friends, { nodes: ids, state: 'running' })
    .withService({ name: 'other', ports: [port], task: { resources: { reservations: { cpus: 0.5 } } } })
    .withTasks('other', Math.min(2, ids.length), { nodes: ids, state: 'running' })
    .withService({
      name: 'web',
      ports: need.port ? [port] : [],
      task: {
        networks: need.network ? [{ name: 'net' }] : [],
        resources: {
          reservations: {
            ...(cpus === undefined ? {} : { cpus }),
            ...(memoryBytes === undefined ? {} : { memoryBytes }),
            ...(gpu === 0 ? {} : { generic: { gpu } }),
          },
        },
        placement: {
          constraints,
          maxReplicasPerNode: need.most,
          ...(need.rule === undefined
            ? {}
            : { [need.rule]: [{ service: 'friend', topology: need.topology }] }),
          platforms: need.platform ? [{ os: 'linux', architecture: 'x86_64' }] : [],
        },
      },
    });
  if (need.running > 0) cluster.withTasks('web', need.running, { nodes: ids, state: 'running' });
  return cluster.withPending('web');
}

describe('given any task that waits, when what a remedy names is done on a node that it names', () => {
  it('then the task is placed; and it is placed as things are where that is said', () => {
    let made = 0;
    fc.assert(
      fc.property(fc.array(anyNode, { maxLength: 4 }), anyNeed, (nodes, need) => {
        const plain = clusterOf(nodes, need);
        const waiting = plain.tasks('web').at(-1);
        const { fits, remedies } = prospectsOf(plain.state, waiting);
        new LoopHarness(plain, [createScheduler()]).run();
        expect(plain.tasks('web').at(-1)?.nodeId !== undefined).toBe(fits);
        for (const remedy of remedies) {
          if (remedy.kind !== 'change') continue;
          expect(remedy.count).toBeGreaterThanOrEqual(remedy.nodes.length);
          for (const { id } of remedy.nodes) {
            const cluster = clusterOf(nodes, need);
            const task = cluster.tasks('web').at(-1) as Task;
            new LoopHarness(cluster, [createScheduler()]).run();
            expect(cluster.tasks('web').at(-1)?.nodeId).toBeUndefined();
            for (const change of remedy.changes) cluster.apply(...make(change, id, task, cluster.state));
            new LoopHarness(cluster, [createScheduler()]).run();
            const node = cluster.tasks('web').at(-1)?.nodeId;
            // What is near in a place is near to all of its nodes.
            if (need.rule !== undefined && need.topology !== 'node.id') expect(node).toBeDefined();
            else expect(node).toBe(id);
            made += 1;
          }
        }
      }),
      { numRuns: 300 },
    );
    expect(made).toBeGreaterThan(100);
  });
});

describe('given a task that waits, when what would help is asked', () => {
  const big = { name: 'web', task: { resources: { reservations: { cpus: 4 } } } };

  it('then the fewest changes come first, with the nodes on which they do', () => {
    const cluster = aCluster()
      .withNodes(3, (n) => ({ cpus: n === 3 ? 1 : 2 }))
      .withNode({ cpus: 2, state: 'down' })
      .withService(big)
      .withPending('web');
    const remedies = remediesOf(cluster.state, cluster.tasks('web')[0]);
    expect(remedies.map(({ message }) => message)).toEqual([
      '2 more CPUs on any of 2 nodes',
      'being ready and 2 more CPUs on node-4',
      'a new node with 4 CPUs',
    ]);
    expect(remedies[0]).toMatchObject({ count: 2, nodes: [{ id: 'node-1' }, { id: 'node-2' }] });
  });

  it('then a label, a port and a limit are named', () => {
    const port = { target: 80, published: 8080, mode: 'host' as const };
    const cluster = aCluster()
      .withNode({ labels: { disk: 'ssd' } })
      .withNode()
      .withService({
        name: 'web',
        ports: [port],
        task: { placement: { constraints: ['node.labels.disk==ssd'], maxReplicasPerNode: 1 } },
      })
      .withRunning('web', ['node-1'])
      .withPending('web');
    expect(remediesOf(cluster.state, cluster.tasks('web').at(-1)).map(({ message }) => message)).toEqual([
      'label node.labels.disk=ssd on node-2',
      'host port 8080/tcp freed and 2 replicas per node allowed, or 1 fewer there on node-1',
      'a new node with node.labels.disk==ssd',
    ]);
  });

  it('then nodes that nobody can change so are left out, and no new node is told of where one is named', () => {
    const constraints = ['node.id==node-9'];
    const cluster = aCluster()
      .withNode()
      .withService({ name: 'web', task: { placement: { constraints } } });
    cluster.withPending('web');
    expect(remediesOf(cluster.state, cluster.tasks('web')[0])).toEqual([]);
  });

  it('then of very many nodes a few are named, and all are counted', () => {
    const cluster = aCluster()
      .withNodes(50, () => ({ cpus: 1 }))
      .withService(big)
      .withPending('web');
    const [remedy] = remediesOf(cluster.state, cluster.tasks('web')[0]);
    expect(remedy).toMatchObject({ count: 50, message: '3 more CPUs on any of 50 nodes' });
    expect(remedy?.kind === 'change' && remedy.nodes).toHaveLength(5);
  });
});
