import { describe, expect, test } from 'vitest';
import { asId, type NetworkId, type NodeId, type ServiceId } from '../../model/ids.ts';
import { type NetworkSpecInput, networkSpecSchema } from '../../model/network.ts';
import { type ServiceSpecInput, serviceSpecSchema } from '../../model/service-spec.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import { aCluster, type StateBuilder } from '../../testing/state-builder.ts';
import { createAllocator } from './allocator.ts';

type Ask = Omit<ServiceSpecInput, 'name' | 'task'> & { readonly networks?: readonly string[] };

const net = (cluster: StateBuilder, name: string, more: Partial<NetworkSpecInput> = {}) => {
  const spec = networkSpecSchema.parse({ name, ...more });
  cluster.apply({ type: 'network.created', id: asId<NetworkId>(name), spec });
};
const specOf = (name: string, { networks = [], ...ask }: Ask) =>
  serviceSpecSchema.parse({
    ...{ name, ...ask },
    task: { image: 'image', networks: networks.map((each) => ({ name: each })) },
  });
const serve = (cluster: StateBuilder, name: string, ask: Ask = {}, tasks = 0) => {
  cluster.apply({ type: 'service.created', id: asId<ServiceId>(name), spec: specOf(name, ask) });
  if (tasks > 0) cluster.withTasks(name, tasks, { state: 'new' });
};
const allocation = (cluster: StateBuilder, name: string) => cluster.state.network(asId(name))?.allocation;
const vips = (cluster: StateBuilder, name: string) => cluster.state.service(asId(name))?.vips;
const addresses = (cluster: StateBuilder, service: string) =>
  cluster.tasks(service).map((task) => task.attachments?.map((each) => each.addresses.join()).join(' '));
const harnessOn = (cluster: StateBuilder) => new LoopHarness(cluster, [createAllocator()]);
const TINY = { subnets: [{ subnet: '10.9.0.0/29' }] };

describe('given networks', () => {
  test('when they name no subnet, then each gets one of the pool, a gateway and a number of its own', () => {
    const cluster = aCluster();
    for (const name of ['front', 'back']) net(cluster, name);
    harnessOn(cluster).run();
    expect(allocation(cluster, 'front')).toEqual({
      subnets: [{ subnet: '10.0.0.0/24', gateway: '10.0.0.1' }],
      vni: 4_096,
    });
    expect(allocation(cluster, 'back')).toEqual({
      subnets: [{ subnet: '10.0.1.0/24', gateway: '10.0.1.1' }],
      vni: 4_097,
    });
  });

  test('when one names its subnet, then a pool gives it to nobody else', () => {
    const cluster = aCluster({ addressPools: [{ base: '10.0.0.0/23', prefix: 24 }] });
    net(cluster, 'named', {
      subnets: [{ subnet: '10.0.0.0/25', gateway: '10.0.0.9', range: '10.0.0.8/29' }],
    });
    net(cluster, 'first');
    net(cluster, 'second');
    const harness = harnessOn(cluster);
    harness.run();
    const { subnets } = allocation(cluster, 'named') ?? {};
    expect(subnets).toEqual([{ subnet: '10.0.0.0/25', gateway: '10.0.0.9', range: '10.0.0.8/29' }]);
    expect(allocation(cluster, 'first')?.subnets[0]?.subnet).toBe('10.0.1.0/24');
    const error = "no IPv4 subnet is free in the cluster's address pools";
    expect(cluster.state.network(asId('second'))?.allocationError).toBe(error);
    cluster.apply({ type: 'network.removed', id: asId('named') });
    harness.run();
    expect(allocation(cluster, 'second')?.subnets[0]?.subnet).toBe('10.0.0.0/24');
    expect(cluster.state.network(asId('second'))?.allocationError).toBeUndefined();
  });

  test('when one is of IPv6 too, then it and all in it have addresses of both', () => {
    const cluster = aCluster();
    net(cluster, 'both', { ipv6: true });
    serve(cluster, 'web', { networks: ['both'] }, 1);
    harnessOn(cluster).run();
    expect(allocation(cluster, 'both')?.subnets[1]).toEqual({
      subnet: 'fd5c:6570:b000::/64',
      gateway: 'fd5c:6570:b000::1',
    });
    expect(vips(cluster, 'web')).toEqual([
      { networkId: 'both', addresses: ['10.0.0.2', 'fd5c:6570:b000::2'] },
    ]);
    expect(addresses(cluster, 'web')).toEqual(['10.0.0.3,fd5c:6570:b000::3']);
  });

  test("when one is of a driver of the node's own, then nothing is given in it", () => {
    const cluster = aCluster();
    net(cluster, 'host', { driver: 'host' });
    serve(cluster, 'web', { networks: ['host'] }, 1);
    harnessOn(cluster).run();
    expect([allocation(cluster, 'host'), vips(cluster, 'web')]).toEqual([undefined, undefined]);
    expect(cluster.tasks('web')[0]?.status.state).toBe('pending');
  });
});

describe('given services in networks', () => {
  test('when they are looked at, then each has a virtual address in each, unless it asks for none', () => {
    const cluster = aCluster();
    for (const name of ['front', 'back']) net(cluster, name);
    serve(cluster, 'web', { networks: ['front', 'back'] }, 2);
    serve(cluster, 'db', { networks: ['back'], endpointMode: 'dnsrr' }, 1);
    harnessOn(cluster).run();
    expect(vips(cluster, 'web')?.map(({ addresses: [each] }) => each)).toEqual(['10.0.0.2', '10.0.1.2']);
    expect(vips(cluster, 'db')).toBeUndefined();
    expect(addresses(cluster, 'web')).toEqual(['10.0.0.3 10.0.1.4', '10.0.0.4 10.0.1.5']);
    expect(addresses(cluster, 'db')).toEqual(['10.0.1.3']);
  });

  test('when the networks of one change, then it keeps its address where it stays', () => {
    const cluster = aCluster();
    for (const name of ['a', 'b', 'c']) net(cluster, name);
    serve(cluster, 'web', { networks: ['a', 'b'] });
    const harness = harnessOn(cluster);
    harness.run();
    const before = vips(cluster, 'web');
    const changed = { tasksChanged: true, portsChanged: false };
    const spec = specOf('web', { networks: ['b', 'c'] });
    cluster.apply({ type: 'service.updated', id: asId('web'), spec, ...changed });
    harness.run();
    expect(vips(cluster, 'web')?.[0]).toEqual(before?.[1]);
    expect(vips(cluster, 'web')?.map(({ networkId }) => networkId)).toEqual(['b', 'c']);
  });

  test('when its ports change, then its addresses stay as they are', () => {
    const cluster = aCluster();
    net(cluster, 'a');
    serve(cluster, 'web', { networks: ['a'] });
    const harness = harnessOn(cluster);
    harness.run();
    const before = vips(cluster, 'web');
    const spec = specOf('web', { networks: ['a'], ports: [{ target: 80 }] });
    cluster.apply({ type: 'service.updated', id: asId('web'), spec, tasksChanged: true, portsChanged: true });
    harness.run();
    expect(vips(cluster, 'web')).toEqual(before);
    expect(cluster.state.service(asId('web'))?.endpoint?.ports[0]?.published).toBe(30_000);
  });

  test('when an ingress network is made, then services that publish ports, their tasks and all nodes are in it', () => {
    const cluster = aCluster().withNode({ id: 'n1' });
    net(cluster, 'ingress', { ingress: true });
    serve(cluster, 'web', { ports: [{ target: 80 }] }, 1);
    serve(cluster, 'quiet', {}, 1);
    harnessOn(cluster).run();
    expect(vips(cluster, 'web')).toHaveLength(1);
    expect(addresses(cluster, 'web')[0]).toMatch(/^10\.0\.0\./);
    expect([vips(cluster, 'quiet'), addresses(cluster, 'quiet')]).toEqual([undefined, [undefined]]);
    expect(cluster.state.node(asId<NodeId>('n1'))?.attachments).toHaveLength(1);
  });

  test('when a network that one names comes later, then the service and its tasks go on', () => {
    const cluster = aCluster();
    serve(cluster, 'web', { networks: ['late'], endpointMode: 'dnsrr' }, 1);
    serve(cluster, 'db', { networks: ['late'] }, 1);
    const harness = harnessOn(cluster);
    harness.run();
    expect(cluster.tasks('web')[0]?.status).toMatchObject({ error: 'network late does not exist' });
    expect(cluster.state.service(asId('db'))).toMatchObject({
      allocationError: 'network late does not exist',
      allocationErrorAbout: 'addresses',
    });
    net(cluster, 'late');
    harness.run();
    for (const name of ['web', 'db']) expect(cluster.tasks(name)[0]?.status.state).toBe('pending');
  });
});

describe('given a network with five addresses', () => {
  test('when more tasks want one, then the rest say why they wait, once, and get what others leave', () => {
    const cluster = aCluster().withNode({ id: 'n1' });
    net(cluster, 'tiny', TINY);
    serve(cluster, 'web', { networks: ['tiny'] }, 7);
    const harness = harnessOn(cluster);
    harness.run();
    const waiting = () => cluster.tasks('web').filter(({ status }) => status.state === 'new');
    expect(waiting()).toHaveLength(3);
    expect(waiting()[0]?.status).toMatchObject({
      ...{ about: 'addresses', error: 'no address is free in network tiny' },
    });
    expect(harness.run()).toEqual([]);
    const [first, second] = cluster.tasks('web');
    const [freed] = addresses(cluster, 'web');
    cluster.apply({ type: 'task.removed', ids: [first?.id ?? asId('')] });
    harness.run();
    expect(waiting()).toHaveLength(2);
    expect(addresses(cluster, 'web')).toContain(freed);
    const status = { state: 'failed' as const, at: 1, message: 'failed' };
    cluster.apply({ type: 'task.status', rows: [{ id: second?.id ?? asId(''), status }] });
    harness.run();
    expect(waiting()).toHaveLength(1);
    expect(cluster.state.task(second?.id ?? asId(''))?.attachments).toBeUndefined();
  });

  test('when a service can have no address, then neither it nor its tasks take any, and it says why', () => {
    const cluster = aCluster();
    net(cluster, 'tiny', TINY);
    for (const name of ['a', 'b', 'c', 'd', 'e', 'f']) serve(cluster, name, { networks: ['tiny'] });
    serve(cluster, 'web', { networks: ['tiny'], ports: [{ target: 80, published: 8_080 }] }, 1);
    serve(cluster, 'other', { ports: [{ target: 80, published: 8_080 }] });
    const harness = harnessOn(cluster);
    harness.run();
    expect(cluster.state.service(asId('web'))?.allocationError).toBe('no address is free in network tiny');
    expect(cluster.state.service(asId('other'))?.endpoint?.ports[0]?.published).toBe(8_080);
    cluster.apply({ type: 'service.removed', id: asId('other') });
    cluster.apply({ type: 'service.removed', id: asId('a') });
    cluster.apply({ type: 'service.removed', id: asId('b') });
    harness.run();
    expect(vips(cluster, 'web')).toBeDefined();
  });

  test('when addresses are free, then one that was given back comes last', () => {
    const cluster = aCluster();
    net(cluster, 'tiny', TINY);
    serve(cluster, 'a', { networks: ['tiny'] });
    const harness = harnessOn(cluster);
    harness.run();
    cluster.apply({ type: 'service.removed', id: asId('a') });
    for (const name of ['b', 'c', 'd', 'e', 'f']) serve(cluster, name, { networks: ['tiny'] });
    harness.run();
    const given = ['b', 'c', 'd', 'e', 'f'].map((name) => vips(cluster, name)?.[0]?.addresses[0]);
    expect(given).toEqual(['10.9.0.3', '10.9.0.4', '10.9.0.5', '10.9.0.6', '10.9.0.2']);
  });
});

describe('given nodes with tasks in a network', () => {
  const onNodes = () => {
    const cluster = aCluster().withNode({ id: 'n1' }).withNode({ id: 'n2' });
    net(cluster, 'back');
    serve(cluster, 'web', { networks: ['back'] }, 2);
    const harness = harnessOn(cluster);
    harness.run();
    const [one, two] = cluster.tasks('web').map(({ id }) => id);
    if (!one || !two) throw new Error('two tasks were asked for');
    return { cluster, harness, one, two };
  };
  const places = (cluster: StateBuilder, node: string) => cluster.state.node(asId(node))?.attachments;

  test('when the first comes, then the node has a place there, and none once the last has ended', () => {
    const { cluster, harness, one, two } = onNodes();
    expect(places(cluster, 'n1')).toBeUndefined();
    const nodeId = asId<NodeId>('n1');
    cluster.apply({ type: 'task.assigned', rows: [{ nodeId, tasks: [one, two] }] });
    harness.run();
    const before = places(cluster, 'n1');
    expect(before).toEqual([{ networkId: 'back', addresses: ['10.0.0.5'] }]);
    const end = (id: typeof one) => {
      const status = { state: 'failed' as const, at: 1, message: 'failed' };
      cluster.apply({ type: 'task.status', rows: [{ id, status }] });
      return harness.run();
    };
    expect(end(one)).toEqual([]);
    end(two);
    expect(places(cluster, 'n1')).toBeUndefined();
    cluster.withTasks('web', 1, { state: 'new' });
    harness.run();
    const [next] = cluster.tasks('web').slice(-1);
    cluster.apply({ type: 'task.assigned', rows: [{ nodeId, tasks: [next?.id ?? one] }] });
    harness.run();
    expect(places(cluster, 'n1')).toEqual(before);
  });

  test('when another leads, then it finds everything as it is', () => {
    const { cluster, harness, one, two } = onNodes();
    cluster.apply({
      type: 'task.assigned',
      rows: [
        { nodeId: asId('n1'), tasks: [one] },
        { nodeId: asId('n2'), tasks: [two] },
      ],
    });
    harness.run();
    harness.changeLeader([createAllocator()]);
    expect(harness.run()).toEqual([]);
    serve(cluster, 'db', { networks: ['back'] });
    harness.run();
    expect(vips(cluster, 'db')?.[0]?.addresses).toEqual(['10.0.0.7']);
  });
});
