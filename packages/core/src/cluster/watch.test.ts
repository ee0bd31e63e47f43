import { config as rxjs } from 'rxjs';
import { describe, expect, test } from 'vitest';
import { ClosedError } from '../errors.ts';
import type { ClusterEvent } from '../events/event.ts';
import { asId } from '../model/ids.ts';
import { clusterSpecSchema, nodeSpecSchema } from '../model/other-specs.ts';
import { parseServiceSpec } from '../model/parse-spec.ts';
import { Lifetime } from '../runtime/lifetime.ts';
import type { ObjectKind } from '../state/change.ts';
import { ChangeFeed } from '../state/change-feed.ts';
import { aLedger } from '../testing/a-ledger.ts';
import { aDescription } from '../testing/state-builder.ts';
import { Watch, type WatchEvent, type WatchOptions } from './watch.ts';

const cluster = (label: string): ClusterEvent => ({
  type: 'cluster.updated',
  spec: clusterSpecSchema.parse({ labels: { label } }),
});
const service = (name: string, id = `id-of-${name}`): ClusterEvent => ({
  type: 'service.created',
  id: asId(id),
  spec: parseServiceSpec({ name, task: { image: 'image' } }),
});
const task = (of: string, id: string): ClusterEvent => ({
  type: 'task.created',
  serviceId: asId(`id-of-${of}`),
  rows: [{ id: asId(id), slot: 1 }],
});
const node = (id: string): ClusterEvent => ({
  type: 'node.joined',
  id: asId(id),
  spec: nodeSpecSchema.parse({}),
  description: aDescription({ id }),
  address: id,
});

/** A cluster of one member that commits what it is told to, and what watches hang on. */
async function aWatchedCluster(most?: number) {
  const bench = await aLedger();
  const feed = new ChangeFeed(bench.replica, most);
  const lifetime = new Lifetime();
  const commit = (...events: readonly ClusterEvent[]) =>
    bench.ledger.transact({ kind: 'user', name: 'ann' }, () => ({ events, result: undefined }));
  await commit({
    type: 'cluster.created',
    id: asId('cluster'),
    spec: clusterSpecSchema.parse({}),
    digestKey: Uint8Array.of(9),
  });
  const watch = <K extends ObjectKind = ObjectKind>(options: WatchOptions<K> = {}) =>
    new Watch<K>(feed, options, lifetime);
  return { ...bench, feed, lifetime, commit, watch, settle: () => bench.clock.settle() };
}

/** An event in a few words: `created task t1 @4`. */
function told(event: WatchEvent): string {
  if (event.type === 'synced') return `synced @${event.index}`;
  if (event.type === 'gap') return `gap after ${event.after} @${event.index}`;
  return `${event.type} ${event.kind} ${event.object.id} @${event.index}`;
}

/** Reads a watch in the background, as fast as it comes. */
function readAll(watch: Watch): { readonly heard: string[]; readonly ended: Promise<void> } {
  const heard: string[] = [];
  const read = async () => {
    for await (const event of watch) heard.push(told(event));
  };
  return { heard, ended: read() };
}

describe('given a cluster, when it is watched', () => {
  test('then the current objects come first, then that they are all, then each change once, in order', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    await commit(service('web'), node('n1'));
    const { heard } = readAll(watch());
    await settle();
    await commit(task('web', 't1'), cluster('a'));
    await commit({ type: 'task.desired', state: 'shutdown', ids: [asId('t1')] });
    await commit({ type: 'task.removed', ids: [asId('t1')] });
    await settle();
    expect(heard).toEqual([
      'current cluster cluster @2',
      'current node n1 @2',
      'current service id-of-web @2',
      'synced @2',
      'created task t1 @3',
      'updated cluster cluster @3',
      'updated task t1 @4',
      'removed task t1 @5',
    ]);
  });

  test('then a change tells what was before, who did it, when, and why', async () => {
    const { watch, commit, settle, ledger, clock } = await aWatchedCluster();
    await commit(service('web'));
    const events: WatchEvent[] = [];
    const subscription = watch({ kind: 'cluster' }).subscribe((event) => events.push(event));
    await settle();
    const at = clock.now();
    await ledger.transact({ kind: 'loop', name: 'x' }, () => ({ events: [cluster('a')], result: 0 }), {
      cause: 2,
    });
    await settle();
    subscription.unsubscribe();
    expect(events.at(-1)).toMatchObject({
      type: 'updated',
      object: { spec: { labels: { label: 'a' } } },
      before: { spec: { labels: {} } },
      actor: { kind: 'loop', name: 'x' },
      at,
      cause: 2,
      index: 3,
    });
  });

  test('then a loop and a subscriber are told the same', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    const seen = watch();
    const { heard } = readAll(seen);
    const pushed: string[] = [];
    seen.subscribe((event) => pushed.push(told(event)));
    for (const name of ['a', 'b', 'c']) await commit(service(name), task(name, `t-${name}`));
    await settle();
    expect(pushed).toEqual(heard);
    expect(pushed).toHaveLength(2 + 6);
  });

  test('then what commits between subscribing and the first event is told once', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    const pushed: string[] = [];
    const committed = commit(service('web'));
    watch().subscribe((event) => pushed.push(told(event)));
    await committed;
    await settle();
    expect(pushed.filter((event) => event.includes('id-of-web'))).toHaveLength(1);
  });

  test('then a second reader begins for itself', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    const seen = watch({ kind: 'service' });
    const first = readAll(seen);
    await settle();
    await commit(service('web'));
    const second = readAll(seen);
    await settle();
    expect(first.heard).toEqual(['synced @1', 'created service id-of-web @2']);
    expect(second.heard).toEqual(['current service id-of-web @2', 'synced @2']);
  });
});

describe('given a reader that comes back', () => {
  test('when the feed reaches back so far, then it goes on without a gap and without the current objects', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    for (const name of ['a', 'b', 'c']) await commit(service(name));
    const { heard } = readAll(watch({ from: 2 }));
    await settle();
    expect(heard).toEqual(['created service id-of-b @3', 'created service id-of-c @4']);
  });

  test('when it has seen all, then nothing comes until something happens', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    const { heard } = readAll(watch({ from: 1 }));
    await settle();
    expect(heard).toEqual([]);
    await commit(service('a'));
    await settle();
    expect(heard).toEqual(['created service id-of-a @2']);
  });

  test.each([0, 99])(
    'when the feed does not know index %i, then it is told of its gap and given the present',
    async (from) => {
      const { watch, commit, settle } = await aWatchedCluster(4);
      for (const name of ['a', 'b', 'c']) await commit(service(name));
      const { heard } = readAll(watch({ from, kind: 'service' }));
      await settle();
      expect(heard).toEqual([
        `gap after ${from} @4`,
        'current service id-of-a @4',
        'current service id-of-b @4',
        'current service id-of-c @4',
        'synced @4',
      ]);
    },
  );

  test('when the service that it names went in the meantime, then it hears what was done to it before', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    await commit(service('web'));
    await commit(task('web', 't1'));
    await commit({ type: 'service.removed', id: asId('id-of-web') });
    const { heard } = readAll(watch({ from: 2, service: 'web' }));
    await settle();
    expect(heard).toEqual(['created task t1 @3', 'updated task t1 @4', 'removed service id-of-web @4']);
  });
});

test('given a reader slower than the feed is long, when it reads on, then it is told of its gap and the present', async () => {
  const { watch, commit } = await aWatchedCluster(4);
  const reader = watch({ kind: 'service' })[Symbol.asyncIterator]();
  const next = async () => {
    const { value } = await reader.next();
    return value === undefined ? 'the end' : told(value);
  };
  expect(await next()).toBe('synced @1');
  for (const name of ['a', 'b', 'c', 'd']) await commit(service(name));
  expect(await next()).toBe('gap after 1 @5');
  expect(await next()).toBe('current service id-of-a @5');
  await commit(service('e'));
  const rest = [await next(), await next(), await next(), await next(), await next()];
  expect(rest).toEqual([
    'current service id-of-b @5',
    'current service id-of-c @5',
    'current service id-of-d @5',
    'synced @5',
    'created service id-of-e @6',
  ]);
});

describe('given a filter', () => {
  test('when it names a service that comes later, then it and its tasks are told, others not', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    const { heard } = readAll(watch({ service: 'Web' }));
    await settle();
    await commit(service('other'), task('other', 't0'));
    await commit(service('web'), task('web', 't1'));
    await settle();
    expect(heard).toEqual(['synced @1', 'created service id-of-web @3', 'created task t1 @3']);
  });

  test('when its service is removed, then the last changes of its tasks are told, and one of that name is too', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    await commit(service('web'), task('web', 't1'));
    const { heard } = readAll(watch({ kind: 'task', service: 'web' }));
    await settle();
    await commit({ type: 'service.removed', id: asId('id-of-web') });
    await commit({ type: 'task.removed', ids: [asId('t1')] });
    await commit(service('web', 'id-of-second'), task('second', 't2'));
    await settle();
    expect(heard.slice(2)).toEqual(['updated task t1 @3', 'removed task t1 @4', 'created task t2 @5']);
  });

  test('when it names a node, then the node and the tasks on it are told, from their assignment on', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    await commit(node('n1'), node('n2'), service('web'), task('web', 't1'), task('web', 't2'));
    const { heard } = readAll(watch({ node: 'n1' }));
    await settle();
    await commit({
      type: 'task.assigned',
      rows: [
        { nodeId: asId('n1'), tasks: [asId('t1')] },
        { nodeId: asId('n2'), tasks: [asId('t2')] },
      ],
    });
    await settle();
    expect(heard).toEqual(['current node n1 @2', 'synced @2', 'updated task t1 @3']);
  });

  test('when it names an id and a kind, then that object alone is told', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    await commit(service('a'), service('b'));
    const { heard } = readAll(watch({ kind: 'service', id: 'id-of-b' }));
    await settle();
    await commit(
      { type: 'service.removed', id: asId('id-of-a') },
      { type: 'service.removed', id: asId('id-of-b') },
    );
    await settle();
    expect(heard).toEqual(['current service id-of-b @2', 'synced @2', 'removed service id-of-b @3']);
  });
});

describe('given a watch, when it is to end', () => {
  test('when its signal aborts, then loop and subscriber come to their end', async () => {
    const { watch, settle } = await aWatchedCluster();
    const abort = new AbortController();
    const seen = watch({ signal: abort.signal });
    const { ended } = readAll(seen);
    let completed = false;
    seen.subscribe({
      complete: () => {
        completed = true;
      },
    });
    await settle();
    abort.abort();
    await ended;
    expect(completed).toBe(true);
  });

  test('when its signal was aborted before, then nothing is told', async () => {
    const { watch } = await aWatchedCluster();
    const { heard, ended } = readAll(watch({ signal: AbortSignal.abort() }));
    await ended;
    expect(heard).toEqual([]);
  });

  test('when the cluster closes, then it ends, and so does one that begins later', async () => {
    const { watch, lifetime, settle } = await aWatchedCluster();
    const { ended } = readAll(watch());
    await settle();
    lifetime.end(new ClosedError('the cluster'));
    await ended;
    await readAll(watch()).ended;
  });

  test('when a reader leaves or unsubscribes, then it is told nothing more', async () => {
    const { watch, commit, settle } = await aWatchedCluster();
    for await (const event of watch()) if (event.type === 'synced') break;
    const pushed: string[] = [];
    const subscription = watch().subscribe((event) => {
      pushed.push(told(event));
      if (event.type === 'synced') subscription.unsubscribe();
    });
    await settle();
    await commit(service('a'));
    await settle();
    expect(pushed).toEqual(['current cluster cluster @1', 'synced @1']);
  });
});

test('given a subscriber that throws, when changes come, then others and the cluster go on', async () => {
  const { watch, commit, settle } = await aWatchedCluster();
  // RxJS hands what a subscriber throws to the host, in a later turn: once for each of three events.
  const reported = new Promise<void>((resolve) => {
    let count = 0;
    rxjs.onUnhandledError = () => {
      count += 1;
      if (count === 3) resolve();
    };
  });
  try {
    watch().subscribe(() => {
      throw new Error("the subscriber's own fault");
    });
    const { heard } = readAll(watch({ kind: 'service' }));
    await settle();
    await commit(service('a'));
    await settle();
    expect(heard).toEqual(['synced @1', 'created service id-of-a @2']);
    await reported;
  } finally {
    rxjs.onUnhandledError = null;
  }
});

test('given a secret, when it is made and removed, then its value is in no event and no change set, and is forgotten', async () => {
  const { watch, commit, settle, feed } = await aWatchedCluster();
  const value = new TextEncoder().encode('hunter2');
  const events: WatchEvent[] = [];
  watch().subscribe((event) => events.push(event));
  await commit(
    { type: 'vault.stored', digest: 'digest', data: value },
    {
      type: 'secret.created',
      id: asId('s'),
      spec: { name: 'key', labels: {} },
      digest: 'digest',
      sizeBytes: 7,
    },
  );
  expect(feed.state.roots.vault.get('digest')).toEqual(value);
  await commit({ type: 'secret.removed', id: asId('s') }, { type: 'vault.removed', digests: ['digest'] });
  await settle();
  expect(events.map(told).slice(2)).toEqual(['created secret s @2', 'removed secret s @3']);
  const everything = JSON.stringify([events, feed.at(1)?.changes, feed.at(2)?.changes, feed.at(3)?.changes]);
  expect(everything).toContain('"digest":"digest"');
  for (const spelling of ['hunter2', value.join(), JSON.stringify(value), 'digestKey']) {
    expect(everything).not.toContain(spelling);
  }
  expect(feed.state.roots.vault.size).toBe(0);
  expect([feed.at(2)?.changes.forgets, feed.at(3)?.changes.forgets]).toEqual([false, true]);
});
