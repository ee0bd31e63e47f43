import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Cluster, MemoryHistoryStore } from '@skep/core';
import { SimulatedDriver, systemClock } from '@skep/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ClusterMetrics } from '../metrics/cluster-metrics.ts';
import type { ViewMessage, ViewSnapshot } from '../model/rows.ts';
import { ViewTables } from '../model/view-tables.ts';
import { clusterSource } from '../source/cluster-source.ts';
import { viewHandler } from './view-handler.ts';

const TOKEN = 'a token for tests';

let cluster: Cluster;
let server: Server;
let url: string;

beforeEach(async () => {
  cluster = await Cluster.open({
    driver: new SimulatedDriver({ clock: systemClock }),
    node: { hostname: 'node-1' },
    history: { store: new MemoryHistoryStore() },
  });
  await cluster.services.create({ name: 'web', task: { image: 'web:1' }, replicas: 3 }, { user: 'ann' });
  await cluster.services.waitFor('web', 'running', { timeout: 10_000 });
  const metrics = new ClusterMetrics(cluster);
  const handler = viewHandler({
    source: clusterSource(cluster, { actions: true }),
    metrics: () => metrics.collect(),
    token: TOKEN,
  });
  server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await cluster.close();
});

async function get(path: string): Promise<{ status: number; body: unknown }> {
  const response = await fetch(url + path);
  return { status: response.status, body: await response.json() };
}

/** Messages of the stream until one is as wanted, that one included. */
async function messagesUntil(
  path: string,
  isWanted: (message: ViewMessage, id: number | undefined) => boolean,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ readonly message: ViewMessage; readonly id: number | undefined }[]> {
  const response = await fetch(url + path, { headers });
  const found: { message: ViewMessage; id: number | undefined }[] = [];
  const decoder = new TextDecoder();
  let rest = '';
  for await (const piece of response.body ?? []) {
    const events = (rest + decoder.decode(piece, { stream: true })).split('\n\n');
    rest = events.pop() ?? '';
    for (const event of events) {
      const [, id] = /^id: (\d+)$/m.exec(event) ?? [];
      const [, data = ''] = /^data: (.*)$/m.exec(event) ?? [];
      const entry = { message: JSON.parse(data) as ViewMessage, id: id === undefined ? id : Number(id) };
      found.push(entry);
      if (isWanted(entry.message, entry.id)) return found;
    }
  }
  throw new Error('the stream has ended');
}

describe('given a view of a cluster with a service', () => {
  it('when the stream is read, then it tells how the member is, and all rows', async () => {
    const found = await messagesUntil('/api/stream', ({ type }) => type === 'snapshot');
    const [first] = found;
    expect(first?.message).toMatchObject({ type: 'status', status: { hasLeader: true, actions: true } });
    const last = found.at(-1);
    expect(last?.id).toBe(cluster.health.index);
    expect(last?.message).toMatchObject({
      snapshot: {
        services: [{ name: 'web', running: 3, desired: 3, converged: true }],
        nodes: [{ name: 'node-1', state: 'ready' }],
      },
    });
  });

  it('when it comes again with the last id, then it goes on with what changed since, without a snapshot', async () => {
    const [before] = (await messagesUntil('/api/stream', ({ type }) => type === 'snapshot')).slice(-1);
    await cluster.services.scale('web', 5);
    await cluster.services.waitFor('web', 'running', { timeout: 10_000 });
    const tables = new ViewTables();
    if (before?.message.type === 'snapshot') tables.reset(before.message.snapshot);
    const found = await messagesUntil(
      '/api/stream',
      (message) => {
        if (message.type === 'delta') tables.apply(message.delta);
        return [...tables.services.values()][0]?.converged === true && tables.tasks.size === 5;
      },
      { 'last-event-id': String(before?.id) },
    );
    expect(found.map(({ message }) => message.type)).not.toContain('snapshot');
    expect([...tables.tasks.values()].every(({ state }) => state === 'running')).toBe(true);
  });

  it('when an index is asked for that is yet to come, then it begins anew with what is there', async () => {
    const found = await messagesUntil('/api/stream?from=99999999', ({ type }) => type === 'snapshot');
    expect(found.at(-1)?.id).toBe(cluster.health.index);
  });

  it('when the past is asked for, then all is as it was; a moment that is not kept is told as such', async () => {
    const then = cluster.health.index;
    await cluster.services.remove('web');
    await cluster.services.waitFor('web', 'removed', { timeout: 10_000 });
    const { body } = await get(`/api/at?index=${then}`);
    expect((body as ViewSnapshot).tasks.filter(({ state }) => state === 'running')).toHaveLength(3);
    const pruned = await get('/api/at?date=0');
    expect(pruned).toMatchObject({ status: 410, body: { code: 'HISTORY_PRUNED', oldest: { index: 1 } } });
    expect(await get('/api/at?index=soon')).toMatchObject({
      status: 400,
      body: { issues: [{ field: 'index', rule: 'must be a whole number' }] },
    });
  });

  it('when a transaction is asked for, then it tells who did it, and what it led to', async () => {
    const created = cluster.services.inspect('web').createdAt;
    const { body } = await get(`/api/events?to=${cluster.health.index}&limit=100`);
    const all = body as { index: number; at: number; actor: string }[];
    const made = all.find(({ at, actor }) => at === created && actor === 'user ann');
    expect(await get(`/api/event?index=${made?.index}`)).toMatchObject({
      body: {
        transaction: { actor: 'user ann', changes: [{ kind: 'service', text: 'service web created' }] },
        caused: [{ actor: 'orchestrator/replicated', cause: made?.index }],
      },
    });
  });

  it('when a task and a service are asked for, then their lives are told with reasons', async () => {
    const [task] = cluster.tasks.list();
    const { body } = await get(`/api/task?id=${task?.id}`);
    const { life, explanation } = body as { life: { state: string }[]; explanation: object };
    expect(life[0]?.state).toBe('new');
    expect(life.at(-1)?.state).toBe('running');
    expect(explanation).toMatchObject({ service: 'web', node: { name: 'node-1' } });
    const service = cluster.services.inspect('web').id;
    expect(await get(`/api/service?id=${service}`)).toMatchObject({
      body: { name: 'web', diagnosis: { settled: true } },
    });
    expect(await get('/api/task?id=none')).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  });

  it('when a what-if is asked for, then it is planned, and nothing is changed', async () => {
    const { index } = cluster.health;
    const { body } = await get('/api/plan?kind=scale&service=web&replicas=5');
    expect(body).toMatchObject({ placements: [{ slot: 4 }, { slot: 5 }], complete: true });
    expect(cluster.health.index).toBe(index);
    expect(await get('/api/plan?kind=scale&service=web&replicas=many')).toMatchObject({ status: 400 });
  });

  it('when it is told to act, then only with the token', async () => {
    const act = (headers: Readonly<Record<string, string>>) => {
      const body = JSON.stringify({ kind: 'scale', service: 'web', replicas: 4 });
      return fetch(`${url}/api/actions`, { method: 'POST', headers, body });
    };
    expect((await act({})).status).toBe(401);
    expect((await act({ authorization: 'Bearer another' })).status).toBe(401);
    expect(cluster.services.status('web').desired).toBe(3);
    expect((await act({ authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    expect(cluster.services.status('web').desired).toBe(4);
  });

  it('when another host name leads here, then it is refused', async () => {
    const asked = new Promise<number | undefined>((resolve) => {
      const headers = { host: 'attacker.example' };
      request(`${url}/api/range`, { headers }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end();
    });
    expect(await asked).toBe(421);
  });

  it('when metrics are asked for, then they are in the text format, with tasks by state', async () => {
    await cluster.services.scale('web', 5);
    await cluster.services.waitFor('web', 'running', { timeout: 10_000 });
    const response = await fetch(`${url}/metrics`);
    expect(response.headers.get('content-type')).toContain('version=0.0.4');
    const text = await response.text();
    expect(text).toContain('# TYPE skep_tasks gauge\n');
    expect(text).toContain('skep_tasks{state="running"} 5\n');
    expect(text).toContain('skep_scheduler_assignments_total 2\n');
    expect(text).toMatch(/skep_loop_events_total\{loop="scheduler"\} [1-9]/);
  });
});
