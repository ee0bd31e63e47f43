import { describe, expect, test } from 'vitest';
import type { CreatedTask } from '../../events/event.ts';
import { asId, type ServiceId, type TaskId } from '../../model/ids.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../model/service-spec.ts';
import { seededRandom } from '../../runtime/random.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { ROWS_PER_TRANSACTION } from '../control-loop.ts';
import { createAllocator } from './allocator.ts';

type Port = NonNullable<ServiceSpecInput['ports']>[number];

const id = (name: string) => asId<ServiceId>(name);
const create = (cluster: StateBuilder, name: string, ports: readonly Port[] = [], tasks = 0) => {
  const spec = serviceSpecSchema.parse({ name, task: { image: 'image' }, ports });
  cluster.apply({ type: 'service.created', id: id(name), spec });
  if (tasks > 0) withTasks(cluster, name, tasks);
  return cluster;
};
const withTasks = (cluster: StateBuilder, name: string, count: number) => {
  const rows = Array.from(
    { length: count },
    (_, n): CreatedTask => ({ id: asId<TaskId>(`${name}-${n}`), slot: n + 1 }),
  );
  cluster.apply({ type: 'task.created', serviceId: id(name), rows });
};
const update = (cluster: StateBuilder, name: string, ports: readonly Port[]) => {
  const spec = serviceSpecSchema.parse({ name, task: { image: 'image' }, ports });
  cluster.apply({ type: 'service.updated', id: id(name), spec, tasksChanged: true, portsChanged: true });
};
const allocatorOn = (cluster: StateBuilder) => new LoopHarness(cluster, [createAllocator()]);
const published = (cluster: StateBuilder, name: string) =>
  cluster.state.service(id(name))?.endpoint?.ports.map((port) => port.published);
const error = (cluster: StateBuilder, name: string) => cluster.state.service(id(name))?.allocationError;
const states = (cluster: StateBuilder, name: string) => cluster.tasks(name).map((task) => task.status.state);

describe('given a service without ports', () => {
  test('when it has new tasks, then they are pending at once and the service gets no event', () => {
    const cluster = create(aCluster(), 'web', [], 2);
    const events = allocatorOn(cluster).run();
    expect(events).toEqual([{ type: 'task.allocated', ids: ['web-0', 'web-1'] }]);
    expect(states(cluster, 'web')).toEqual(['pending', 'pending']);
  });

  test('when a task is not to run any more, then it is left to the reaper', () => {
    const cluster = create(aCluster(), 'web', [], 2).withDesired(['web-0'], 'remove');
    allocatorOn(cluster).run();
    expect(states(cluster, 'web')).toEqual(['new', 'pending']);
  });

  test('when its tasks are very many, then they come in bulk events', () => {
    const cluster = create(aCluster(), 'web', [], ROWS_PER_TRANSACTION + 1);
    const events = allocatorOn(cluster).run();
    expect(events.map((event) => event.type === 'task.allocated' && event.ids.length)).toEqual([
      ROWS_PER_TRANSACTION,
      1,
    ]);
  });
});

describe('given a service with more slots than one turn looks at', () => {
  const decide = (loop: ReturnType<typeof createAllocator>, cluster: StateBuilder) => {
    const decision = loop.decide(cluster.state, { at: cluster.at, random: seededRandom(1) });
    const { events } = decision;
    if (events.length > 0) {
      loop.observe(cluster.commit(events, { actor: { kind: 'loop', name: loop.name } }), cluster.state);
    }
    return { ids: events.flatMap((each) => (each.type === 'task.allocated' ? each.ids : [])), decision };
  };

  test('when another leads, then its new tasks are found a few slots at a time', () => {
    const cluster = create(aCluster(), 'web', [], 7);
    const loop = createAllocator(3);
    loop.begin(cluster.state);
    const counts: number[] = [];
    for (let turn = 0; turn < 3; turn++) counts.push(decide(loop, cluster).ids.length);
    expect(counts).toEqual([3, 3, 1]);
    expect(new Set(states(cluster, 'web'))).toEqual(new Set(['pending']));
    expect(decide(loop, cluster).decision).toEqual({ events: [], more: false });
  });

  test('when its ports come and go meanwhile, then no task is left behind', () => {
    const cluster = create(aCluster(), 'web', [], 7);
    const loop = createAllocator(3);
    loop.begin(cluster.state);
    decide(loop, cluster);
    for (const port of [8080, 8081]) {
      update(cluster, 'web', [{ target: 80, published: port }]);
      for (const changes of cluster.changes.slice(-1)) loop.observe(changes, cluster.state);
      decide(loop, cluster);
    }
    for (let turn = 0; turn < 6; turn++) decide(loop, cluster);
    expect(new Set(states(cluster, 'web'))).toEqual(new Set(['pending']));
  });

  test('when only its labels change, then no slot is looked at', () => {
    const cluster = create(aCluster(), 'web', [], 7);
    const harness = allocatorOn(cluster);
    harness.run();
    const spec = serviceSpecSchema.parse({ name: 'web', task: { image: 'image' }, labels: { team: 'a' } });
    cluster.apply({
      type: 'service.updated',
      id: id('web'),
      spec,
      tasksChanged: false,
      portsChanged: false,
    });
    cluster.state.slots = () => {
      throw new Error('all slots were looked at');
    };
    expect(harness.run()).toEqual([]);
  });
});

describe('given services with ports', () => {
  test.each<[string, readonly Port[], readonly (number | undefined)[]]>([
    ['names one', [{ target: 80, published: 8080 }], [8080]],
    ['names none', [{ target: 80 }, { target: 81 }], [30_000, 30_001]],
    ['names one in the open range', [{ target: 80 }, { target: 81, published: 30_000 }], [30_001, 30_000]],
    ['has two protocols', [{ target: 53 }, { target: 53, protocol: 'udp' }], [30_000, 30_000]],
    [
      'has host mode',
      [
        { target: 80, mode: 'host' },
        { target: 81, published: 81, mode: 'host' },
      ],
      [undefined, 81],
    ],
  ])('when a spec %s, then the endpoint has its ports and so have its tasks', (_, ports, expected) => {
    const cluster = create(aCluster(), 'web', ports, 1);
    allocatorOn(cluster).run();
    expect(published(cluster, 'web')).toEqual(expected);
    expect(cluster.tasks('web')[0]?.ports.map((port) => port.published)).toEqual(expected);
    expect(states(cluster, 'web')).toEqual(['pending']);
  });

  test('when two leave theirs open, then they get different ones', () => {
    const cluster = create(create(aCluster(), 'a', [{ target: 80 }]), 'b', [{ target: 80 }]);
    allocatorOn(cluster).run();
    expect([published(cluster, 'a'), published(cluster, 'b')]).toEqual([[30_000], [30_001]]);
  });

  test('when two ask for the same, then the second says who has it, and its tasks stay new', () => {
    const port = { target: 80, published: 8080 };
    const cluster = create(create(aCluster(), 'first', [port], 1), 'second', [port], 1);
    const harness = allocatorOn(cluster);
    harness.run();
    expect(error(cluster, 'second')).toBe('port 8080/tcp is already published by service first');
    expect([states(cluster, 'first'), states(cluster, 'second')]).toEqual([['pending'], ['new']]);
    expect(harness.run()).toEqual([]);
    create(cluster, 'other', [{ target: 80 }]);
    harness.run();
    expect(published(cluster, 'second')).toBeUndefined();
  });

  test.each<[string, (cluster: StateBuilder) => void]>([
    ['is removed', (cluster) => cluster.apply({ type: 'service.removed', id: id('first') })],
    ['takes another', (cluster) => update(cluster, 'first', [{ target: 80, published: 9090 }])],
    ['needs none any more', (cluster) => update(cluster, 'first', [])],
  ])('when the one that has the port %s, then the other gets it and its tasks go on', (_, free) => {
    const port = { target: 80, published: 8080 };
    const cluster = create(create(aCluster(), 'first', [port]), 'second', [port], 2);
    const harness = allocatorOn(cluster);
    harness.run();
    free(cluster);
    harness.run();
    expect(published(cluster, 'second')).toEqual([8080]);
    expect(error(cluster, 'second')).toBeUndefined();
    expect(states(cluster, 'second')).toEqual(['pending', 'pending']);
  });

  test('when the same number is asked for in another protocol or in host mode, then there is no conflict', () => {
    const cluster = create(aCluster(), 'a', [{ target: 53, published: 53 }]);
    create(cluster, 'b', [{ target: 53, published: 53, protocol: 'udp' }]);
    create(cluster, 'c', [{ target: 53, published: 53, mode: 'host' }]);
    allocatorOn(cluster).run();
    expect(['a', 'b', 'c'].map((name) => error(cluster, name))).toEqual([undefined, undefined, undefined]);
  });

  test('when another leads, then it knows which ports are taken', () => {
    const cluster = create(create(aCluster(), 'a', [{ target: 80 }]), 'b', [{ target: 80, published: 8080 }]);
    const harness = allocatorOn(cluster);
    harness.run();
    harness.changeLeader([createAllocator()]);
    expect(harness.run()).toEqual([]);
    create(cluster, 'c', [{ target: 80 }]);
    create(cluster, 'd', [{ target: 80, published: 8080 }]);
    harness.run();
    expect(published(cluster, 'c')).toEqual([30_001]);
    expect(error(cluster, 'd')).toContain('service b');
  });

  test('when the ports change, then a port that was left open stays the same, also after a change of leader', () => {
    const cluster = create(create(aCluster(), 'a', [{ target: 80 }]), 'b', [{ target: 80 }], 1);
    const harness = allocatorOn(cluster);
    harness.run();
    cluster.apply({ type: 'service.removed', id: id('a') });
    update(cluster, 'b', [{ target: 443, published: 443 }, { target: 80 }]);
    harness.changeLeader([createAllocator()]).run();
    expect(published(cluster, 'b')).toEqual([443, 30_001]);
  });

  test('when no open port is left, then the service says so and waits', () => {
    const cluster = aCluster();
    const many = Array.from({ length: 2_768 }, (_, n): Port => ({ target: n + 1 }));
    create(create(cluster, 'all', many), 'one', [{ target: 80 }]);
    const harness = allocatorOn(cluster);
    harness.run();
    expect(error(cluster, 'one')).toBe('no tcp port from 30000 to 32767 is free');
    cluster.apply({ type: 'service.removed', id: id('all') });
    harness.run();
    expect(published(cluster, 'one')).toEqual([30_000]);
  });

  test('when one port of several is taken, then none of the others is kept from whoever wants them', () => {
    const cluster = create(aCluster(), 'a', [{ target: 80, published: 81 }]);
    create(cluster, 'b', [
      { target: 80, published: 80 },
      { target: 81, published: 81 },
    ]);
    create(cluster, 'c', [{ target: 80, published: 80 }]);
    allocatorOn(cluster).run();
    expect(published(cluster, 'b')).toBeUndefined();
    expect(published(cluster, 'c')).toEqual([80]);
  });
});
