import { describe, expect, test } from 'vitest';
import { encodeTransaction } from '../events/codec.ts';
import { clusterSpecSchema } from '../model/other-specs.ts';
import { ChangeFeed } from './change-feed.ts';
import { Replica } from './replica.ts';
import { snapshotChunks } from './snapshot.ts';

/** A replica that is fed by hand, one transaction of one change at a time. */
function aFeed(most?: number) {
  const replica = new Replica();
  const feed = new ChangeFeed(replica, most);
  let index = 0;
  const commit = (count = 1, changes = 1) => {
    for (let n = 0; n < count; n++) {
      index += 1;
      const spec = clusterSpecSchema.parse({ labels: { n: `${index}` } });
      const first = { type: 'cluster.created', id: 'c' as never, spec, digestKey: new Uint8Array() } as const;
      const events = Array.from({ length: changes }, () => first);
      const payload = encodeTransaction({ index, at: index, actor: { kind: 'user' }, events });
      replica.apply({ position: index * 10, epoch: 1, sequence: index, at: index, payload });
    }
  };
  return { replica, feed, commit };
}

describe('given a feed', () => {
  test('when transactions commit, then each is found by its index, with the state that it led to', () => {
    const { feed, commit } = aFeed();
    commit(3);
    expect([1, 2, 3].map((index) => feed.at(index)?.changes.index)).toEqual([1, 2, 3]);
    expect(feed.at(2)?.state.cluster?.spec.labels).toEqual({ n: '2' });
    expect(feed.at(4)).toBeUndefined();
    expect(feed.state.index).toBe(3);
  });

  test('when it holds as many changes as it may, then the oldest sets go, and the newest always stays', () => {
    const { feed, commit } = aFeed(6);
    commit(4);
    expect([1, 2, 3, 4].map((index) => feed.at(index) !== undefined)).toEqual([false, true, true, true]);
    commit(1, 50);
    expect([4, 5].map((index) => feed.at(index) !== undefined)).toEqual([false, true]);
    commit(1);
    expect([5, 6].map((index) => feed.at(index) !== undefined)).toEqual([false, true]);
  });

  test('when the state is restored from a snapshot, then nothing before it can be had any more', async () => {
    const { replica, feed, commit } = aFeed();
    commit(3);
    const chunks = [...snapshotChunks(feed.state)];
    let told = 0;
    feed.onAdvance(() => {
      told += 1;
    });
    await replica.restore(
      30,
      (async function* () {
        yield* chunks;
      })(),
    );
    expect(feed.at(3)).toBeUndefined();
    expect(feed.state.index).toBe(3);
    expect(told).toBe(1);
  });

  test('when a listener stops, then it hears no more, and when the feed closes, then nobody does', () => {
    const { feed, commit } = aFeed();
    const heard: string[] = [];
    const stop = feed.onAdvance(() => heard.push('a'));
    feed.onAdvance(() => heard.push('b'));
    commit();
    stop();
    commit();
    feed.close();
    commit();
    expect(heard).toEqual(['a', 'b', 'b', 'b']);
    expect(feed.at(3)).toBeUndefined();
  });
});
