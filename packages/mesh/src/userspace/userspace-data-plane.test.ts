import { Resolver } from 'node:dns/promises';
import { SimulatedClock } from '@skep/core/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { MeshPort, MeshService, MeshState } from '../data-plane.ts';
import { anEndpoint, aService, networkId, nodeId, serviceId, taskId } from '../testing/mesh-states.ts';
import { ask, clientOf, closedPort, heard, namedServer, type TestServer } from '../testing/tcp-ends.ts';
import { UserspaceDataPlane, type UserspaceDataPlaneOptions } from './userspace-data-plane.ts';

const { signal } = new AbortController();
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

function planeOf(place: number, options: Partial<UserspaceDataPlaneOptions> = {}): UserspaceDataPlane {
  const node = { id: nodeId(`n${place}`), hostname: `node-${place}`, address: `127.${place}.0.1` };
  const plane = new UserspaceDataPlane({ node, ...options });
  stops.push(() => plane.close());
  return plane;
}

async function taskOf(id: string): Promise<TestServer> {
  const server = await namedServer(id);
  stops.push(() => server[Symbol.asyncDispose]());
  return server;
}

const runningAt = (id: string, service: string, { host, port }: { host: string; port: number }) =>
  anEndpoint(
    id,
    service,
    {},
    {
      nodeAddress: host,
      ports: [{ target: 8_080, protocol: 'tcp', port }],
    },
  );
const web = (published: number, change: Partial<MeshPort> = {}): MeshService =>
  aService('web', 'net', '10.0.1.5', {
    ports: [{ target: 8_080, published, protocol: 'tcp', mode: 'ingress', ...change }],
  });
const complete = (state: Partial<MeshState>) =>
  ({
    kind: 'complete',
    state: { networks: [], services: [], endpoints: [], clients: [], ...state },
  }) as const;

describe('given nodes with a data plane in userspace', () => {
  it('when a service publishes a port, then it answers on every node, and so do its virtual addresses', async () => {
    const [published, a, b] = [await closedPort(), await taskOf('a'), await taskOf('b')];
    const state = complete({
      services: [web(published)],
      endpoints: [runningAt('t1', 'web', a), runningAt('t2', 'web', b)],
    });
    for (const plane of [planeOf(231), planeOf(232), planeOf(233)]) {
      await plane.apply(state, signal);
      expect(plane.status()).toEqual({ problems: [] });
      const vip = plane.vipOf(serviceId('web')) ?? '';
      const places = [
        [published, `127.${vip.split('.')[1]}.0.1`],
        [8_080, vip],
      ] as const;
      const answers = [];
      for (const [port, host] of places) for (const each of 'xy') answers.push(await ask(port, each, host));
      expect(answers.sort()).toEqual(['a:x', 'a:x', 'b:y', 'b:y']);
    }
  });

  it('when a task leaves, then nothing new goes to it, what is under way goes on, and the last leaves a port that resets', async () => {
    const [published, a, b] = [await closedPort(), await taskOf('a'), await taskOf('b')];
    const plane = planeOf(231);
    const endpoints = [runningAt('t1', 'web', a), runningAt('t2', 'web', b)];
    await plane.apply(complete({ services: [web(published)], endpoints }), signal);
    const underWay = await clientOf(published, '127.231.0.1');
    while (a.sockets.size + b.sockets.size === 0) await new Promise((resolve) => setImmediate(resolve));
    const [first, other] = a.sockets.size === 1 ? (['t1', 'b'] as const) : (['t2', 'a'] as const);
    await plane.apply({ kind: 'incremental', endpoints: { set: [], removed: [taskId(first)] } }, signal);
    for (const each of 'xyz') expect(await ask(published, each, '127.231.0.1')).toBe(`${other}:${each}`);
    underWay.end('late');
    expect(await heard(underWay)).toMatch(/^[ab]:late$/);
    const removed = [taskId('t1'), taskId('t2')];
    await plane.apply({ kind: 'incremental', endpoints: { set: [], removed } }, signal);
    await expect(ask(published, 'x', '127.231.0.1')).rejects.toThrow(/ECONNRESET/);
  });

  it('when a port is taken by somebody else, then that is told, and it is had once it is free', async () => {
    const clock = new SimulatedClock();
    const stranger = await taskOf('stranger');
    const [a, other] = [await taskOf('a'), await closedPort()];
    const plane = planeOf(231, { clock, publishOn: ['127.0.0.1'] });
    const told: number[] = [];
    plane.onStatus(({ problems }) => told.push(problems.length));
    const service = web(stranger.port);
    const second = { ...service.ports[0], published: other } as MeshPort;
    const ports = [...service.ports, second];
    await plane.apply(
      complete({ services: [{ ...service, ports }], endpoints: [runningAt('t1', 'web', a)] }),
      signal,
    );
    expect(plane.status().problems).toMatchObject([
      { subject: { kind: 'service', id: 'web' }, code: 'port-in-use' },
    ]);
    expect(plane.status().problems[0]?.message).toContain(`port ${stranger.port}/tcp of service web`);
    expect(await ask(other, 'x')).toBe('a:x');
    await stranger[Symbol.asyncDispose]();
    stops.splice(0, 1);
    const isWell = new Promise<void>((resolve) => plane.onStatus(() => resolve()));
    clock.advance(1_000);
    await isWell;
    expect(told).toEqual([1, 0]);
    expect(await ask(stranger.port, 'x')).toBe('a:x');
  });

  it('when services go and ports move, then nothing listens that should not, and nothing is left in the end', async () => {
    const [one, two, a] = [await closedPort(), await closedPort(), await taskOf('a')];
    const plane = planeOf(231);
    const endpoints = [runningAt('t1', 'web', a)];
    await plane.apply(complete({ services: [web(one)], endpoints }), signal);
    const moved = { set: [web(two)], removed: [] };
    await plane.apply({ kind: 'incremental', services: moved }, signal);
    await expect(ask(one, 'x', '127.231.0.1')).rejects.toThrow(/ECONNREFUSED/);
    expect(await ask(two, 'x', '127.231.0.1')).toBe('a:x');
    // Another service takes its port over in the same step.
    const db = { ...web(two), id: serviceId('db'), name: 'db' };
    await plane.apply(complete({ services: [db], endpoints: [runningAt('t2', 'db', a)] }), signal);
    expect(plane.status().problems).toEqual([]);
    expect(plane.vipOf(serviceId('web'))).toBeUndefined();
    expect(await ask(two, 'x', '127.231.0.1')).toBe('a:x');
    await plane.close();
    await plane.close();
    await expect(ask(two, 'x', '127.231.0.1')).rejects.toThrow(/ECONNREFUSED/);
  });

  it('when names are asked for, then they are known with the step that told them, and no longer', async () => {
    const [a, port] = [await taskOf('a'), await closedPort()];
    const dns = { host: '127.231.0.1', port, resolvers: [] };
    const plane = planeOf(231, { dns });
    await plane.apply(
      complete({ services: [web(await closedPort())], endpoints: [runningAt('t1', 'web', a)] }),
      signal,
    );
    const resolver = new Resolver();
    resolver.setServers([`127.231.0.1:${port}`]);
    const vip = plane.vipOf(serviceId('web'));
    expect([await resolver.resolve4('web'), await resolver.resolve4('tasks.web')]).toEqual([
      [vip],
      ['127.0.0.1'],
    ]);
    expect(await resolver.reverse(vip ?? '')).toEqual(['web']);
    const other = planeOf(232, { dns });
    await other.apply(complete({}), signal);
    expect(other.status().problems).toMatchObject([{ code: 'dns-port-unavailable' }]);
    await plane.apply({ kind: 'incremental', endpoints: { set: [], removed: [taskId('t1')] } }, signal);
    await expect(resolver.resolve4('tasks.web')).rejects.toMatchObject({ code: 'ENODATA' });
    await plane.apply(complete({}), signal);
    await expect(resolver.resolve4('web')).rejects.toMatchObject({ code: 'ENOTFOUND' });
  });

  it('when a service asks for them, then balance, stickiness and the PROXY protocol go for its ports', async () => {
    const [published, a, b] = [await closedPort(), await taskOf('a'), await taskOf('b')];
    const plane = planeOf(231);
    const service = { ...web(published, { proxyProtocol: 'v1' }), stickiness: 'client-address' } as const;
    const endpoints = [runningAt('t1', 'web', a), runningAt('t2', 'web', b)];
    await plane.apply(complete({ services: [service], endpoints }), signal);
    const answers = [];
    for (const each of 'xyz') answers.push((await ask(published, each, '127.231.0.1')).slice(0, 13));
    expect(new Set(answers).size).toBe(1);
    expect(answers[0]).toMatch(/^[ab]:PROXY TCP4 $/);
    const vip = plane.vipOf(serviceId('web')) ?? '';
    expect(await ask(8_080, 'x', vip)).toMatch(/^[ab]:x$/);
    expect(networkId('net')).toBe(service.networks[0]?.networkId);
  });
});
