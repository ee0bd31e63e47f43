import { describe, expect, test } from 'vitest';
import { ClosedError } from '../errors.ts';
import type { ClusterEvent } from '../events/event.ts';
import { asId } from '../model/ids.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import { ChangeFeed } from '../state/change-feed.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { endpointsOf } from '../state/endpoints.ts';
import { aLedger } from '../testing/a-ledger.ts';
import { aCluster, type StateBuilder } from '../testing/state-builder.ts';
import { EndpointFeed } from './endpoints.ts';

const tasksOf = (state: ClusterState) => {
  const web = state.serviceByName('web');
  return web ? endpointsOf(state, web).map(({ taskId }) => taskId) : [];
};

const twoRunning = () =>
  aCluster().withNodes(2).withService({ name: 'web' }).withRunning('web', ['node-1', 'node-2']);

describe('given a service with two running tasks', () => {
  test('when nothing is wrong, then both may receive traffic, under the addresses of their nodes', () => {
    const built = twoRunning();
    const port = { target: 80, protocol: 'tcp', port: 40_080 } as const;
    const runtime = { id: 'r', ports: [port] };
    const status = { state: 'running', at: 1, message: 'started', runtime } as const;
    built.apply({ type: 'task.status', rows: [{ id: asId('web-2'), status }] });
    const web = built.state.serviceByName('web');
    expect(web && endpointsOf(built.state, web)).toEqual([
      { taskId: 'web-1', nodeId: 'node-1', address: '10.0.0.1', ports: [] },
      { taskId: 'web-2', nodeId: 'node-2', address: '10.0.0.2', ports: [port] },
    ]);
  });

  test.each<[string, (built: StateBuilder) => StateBuilder, readonly string[]]>([
    ['one fails', (built) => built.withStatus(['web-1'], 'failed'), ['web-2']],
    ['one is told to stop', (built) => built.withDesired(['web-1'], 'shutdown'), ['web-2']],
    ["one's node is down", (built) => built.withNodeState('node-2', 'down'), ['web-1']],
    ["one's node is about to leave", (built) => built.withNodeState('node-2', 'leaving'), ['web-1']],
    [
      'a new leader has not heard from a node yet',
      (built) => built.withNodeState('node-2', 'unknown'),
      ['web-1', 'web-2'],
    ],
    [
      'a node drains, and its task was not told yet',
      (built) => built.withAvailability('node-2', 'drain'),
      ['web-1', 'web-2'],
    ],
    [
      'one more is starting',
      (built) => built.withTasks('web', 1, { nodes: ['node-1'], state: 'starting' }),
      ['web-1', 'web-2'],
    ],
    ['one more has no node yet', (built) => built.withPending('web'), ['web-1', 'web-2']],
    [
      'another service runs',
      (built) => built.withService({ name: 'other' }).withRunning('other', ['node-1']),
      ['web-1', 'web-2'],
    ],
  ])('when %s, then those remain that may receive traffic', (_, change, expected) => {
    expect(tasksOf(change(twoRunning()).state)).toEqual(expected);
  });

  test('when a node is removed, then nothing is sent to it', () => {
    const built = twoRunning();
    built.apply({ type: 'node.removed', id: asId('node-1') });
    expect(tasksOf(built.state)).toEqual(['web-2']);
  });

  test('when the service is removed, then in the same transaction none may receive traffic', () => {
    const built = twoRunning();
    const web = built.state.serviceByName('web');
    built.apply({ type: 'service.removed', id: asId('web') });
    expect(web && endpointsOf(built.state, web)).toEqual([]);
  });
});

describe('given endpoints that are watched', () => {
  /** A feed that is brought, transaction by transaction, to what a builder made. */
  async function aFeedOf(built: StateBuilder) {
    const { ledger, replica, clock } = await aLedger();
    const feed = new ChangeFeed(replica);
    const lifetime = new Lifetime();
    const commit = async (...events: readonly ClusterEvent[]) => {
      await ledger.transact({ kind: 'user' }, () => ({ events, result: undefined }));
      await clock.settle();
    };
    await commit(...eventsOf(built.state));
    const lists: string[][] = [];
    let completed = false;
    new EndpointFeed(feed, 'web', {}, lifetime).subscribe({
      next: (endpoints) => lists.push(endpoints.map(({ taskId }) => taskId)),
      complete: () => {
        completed = true;
      },
    });
    return { commit, lists, lifetime, completed: () => completed };
  }

  const down = (id: string, state: 'down' | 'ready'): ClusterEvent => ({
    type: 'node.status',
    state,
    message: state,
    ids: [asId(id)],
  });

  test('when they change, then each new list is told once, and what changes nothing is not told', async () => {
    const { commit, lists } = await aFeedOf(twoRunning());
    await commit(down('node-1', 'down'));
    await commit(down('node-1', 'down'));
    await commit({ type: 'cluster.updated', spec: aCluster().state.cluster?.spec ?? fail() });
    await commit(down('node-1', 'ready'));
    await commit({ type: 'task.desired', state: 'shutdown', ids: [asId('web-2')] });
    expect(lists).toEqual([['web-1', 'web-2'], ['web-2'], ['web-1', 'web-2'], ['web-1']]);
  });

  test('when the service goes and one of its name comes, then the list empties and fills', async () => {
    const { commit, lists } = await aFeedOf(twoRunning());
    await commit({ type: 'service.removed', id: asId('web') });
    const spec = twoRunning().state.serviceByName('web')?.spec ?? fail();
    await commit(
      { type: 'service.created', id: asId('second'), spec },
      { type: 'task.created', serviceId: asId('second'), rows: [{ id: asId('t'), slot: 1 }] },
      { type: 'task.assigned', rows: [{ nodeId: asId('node-1'), tasks: [asId('t')] }] },
      { type: 'task.status', rows: [{ id: asId('t'), status: { state: 'running', at: 1, message: '' } }] },
    );
    expect(lists).toEqual([['web-1', 'web-2'], [], ['t']]);
  });

  test('when there is no such service, then the list is empty, and when the cluster closes, then it ends', async () => {
    const { lists, lifetime, completed } = await aFeedOf(aCluster());
    expect(lists).toEqual([[]]);
    expect(completed()).toBe(false);
    lifetime.end(new ClosedError('the cluster'));
    expect(completed()).toBe(true);
  });
});

/** Events that make the nodes, services and running tasks of a built state anew. */
function eventsOf(state: ClusterState): ClusterEvent[] {
  const { cluster } = state;
  if (!cluster) return fail();
  const running = { state: 'running', at: 1, message: 'started' } as const;
  const events: ClusterEvent[] = [
    { type: 'cluster.created', id: cluster.id, spec: cluster.spec, digestKey: new Uint8Array() },
  ];
  for (const { id, spec, description, status } of state.nodes()) {
    events.push({ type: 'node.joined', id, spec, description, address: status.address });
    events.push({ type: 'node.status', state: status.state, message: '', ids: [id] });
  }
  for (const { id, spec } of state.services()) events.push({ type: 'service.created', id, spec });
  for (const { id, serviceId, slot, nodeId } of state.tasks()) {
    events.push({ type: 'task.created', serviceId, rows: [{ id, slot }] });
    events.push({ type: 'task.assigned', rows: [{ nodeId: nodeId ?? fail(), tasks: [id] }] });
    events.push({ type: 'task.status', rows: [{ id, status: running }] });
  }
  return events;
}

function fail(): never {
  throw new Error('the built state lacks something');
}
