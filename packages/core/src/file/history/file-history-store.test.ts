import { describe, expect, it } from 'vitest';
import type { ClusterEvent, Transaction } from '../../events/event.ts';
import { all, HistoryFixture, textOf } from '../../history/history-fixture.ts';
import { asId } from '../../model/ids.ts';
import { clusterSpecSchema, secretSpecSchema } from '../../model/other-specs.ts';
import { parseServiceSpec } from '../../model/parse-spec.ts';
import { seededRandom } from '../../runtime/random.ts';
import type { SimulatedClock } from '../../testing/simulated-clock.ts';
import { SimulatedDisk } from '../simulated-disk.ts';
import { FileHistoryStore } from './file-history-store.ts';

const key = () => ({ id: 'test', key: new Uint8Array(32).fill(7) });
const keyProvider = { currentKey: async () => key(), keyById: async () => key().key };
const HOUR_MS = 3_600_000;

function aDisk(seed = 1) {
  const disk = new SimulatedDisk(seededRandom(seed));
  let salts = seed;
  const store = () => {
    salts += 1;
    return new FileHistoryStore({ dir: '/history', disk, keyProvider, random: seededRandom(salts) });
  };
  return { disk, store };
}

function change(number: number): ClusterEvent {
  if (number % 2 === 1) return { type: 'service.removed', id: asId(`service-${number - 1}`) };
  const spec = parseServiceSpec({ name: `web-${number}`, task: { image: 'web' } });
  return { type: 'service.created', id: asId(`service-${number}`), spec };
}

/** The cluster is formed, then in each transaction, one an hour, a service is created or the last one removed. */
function transactions(clock: SimulatedClock, count: number, from = 1): Transaction[] {
  return Array.from({ length: count }, (_, offset) => {
    const index = from + offset;
    const formed: ClusterEvent = {
      type: 'cluster.created',
      id: asId('cluster'),
      spec: clusterSpecSchema.parse({}),
      digestKey: new Uint8Array(32).fill(9),
    };
    const at = clock.now() + (index - 1000) * HOUR_MS;
    return { index, at, actor: { kind: 'user' }, events: [index === 1 ? formed : change(index)] };
  });
}

/** The same, decided later. */
function later(past: readonly Transaction[]): Transaction[] {
  return past.map((transaction) => ({ ...transaction, at: transaction.at + 1 }));
}

function ofAnotherCluster([formed, ...past]: readonly Transaction[]): Transaction[] {
  const events = formed?.events.map((event) => ({ ...event, id: asId('other') })) as ClusterEvent[];
  return formed === undefined ? past : [{ ...formed, events }, ...past];
}

const BOUNDS = { checkpointEvery: 10, maxAgeMs: Number.POSITIVE_INFINITY };

describe('given a history on disk', () => {
  it('when its member is opened again, then it goes on where it was, and each state is there', async () => {
    const { store } = aDisk();
    const first = await new HistoryFixture().open(store(), BOUNDS);
    const past = transactions(first.clock, 35);
    first.commit(...past.slice(0, 25));
    await first.run(first.history.close());
    const second = await new HistoryFixture(first.clock).open(store(), BOUNDS);
    // The log gives all again, as one without a snapshot does.
    second.commit(...past);
    for (const index of [1, 9, 10, 11, 25, 26, 35]) {
      const expected = second.states[index];
      expect(expected && textOf(await second.run(second.history.at(index)))).toBe(
        expected && textOf(expected),
      );
    }
    const story = await second.run(all(second.history.story(undefined)));
    expect(story.map((event) => event.type !== 'gap' && event.index)).toEqual(past.map(({ index }) => index));
    await second.run(second.history.close());
  });

  it('when the log beside it is another, then it begins anew, says why, and sets aside what it had', async () => {
    const { disk, store } = aDisk();
    const first = await new HistoryFixture().open(store(), BOUNDS);
    const past = transactions(first.clock, 30);
    first.commit(...past);
    await first.run(first.history.close());
    const pasts: readonly [string, readonly Transaction[], boolean][] = [
      // A backup from before: the log ends sooner.
      ['log-ends-before', past.slice(0, 20), true],
      // The same, and what was decided since is something else: a log that comes piece by piece.
      ['other-transaction', [...past.slice(0, 25), ...later(past.slice(25))], false],
      ['other-cluster', ofAnotherCluster(past), true],
    ];
    for (const [reason, told, isWhole] of pasts) {
      const beside = disk.clone(seededRandom(9));
      const again = new FileHistoryStore({ dir: '/history', disk: beside, keyProvider });
      const second = await new HistoryFixture(first.clock).open(again, BOUNDS);
      second.commit(...told);
      second.history.compare(isWhole);
      await second.run(second.history.story(undefined).next());
      expect(second.warnings).toMatchObject([{ reason }]);
      const { index } = second.replica.state;
      // Another cluster is known for one with its first transaction, of the other pasts what was before is not known.
      const oldest = reason === 'other-cluster' ? 1 : index;
      expect(second.history.oldest?.index).toBe(oldest);
      const before = second.run(second.history.at(Math.max(1, oldest - 1)));
      await (oldest === 1
        ? expect(before).resolves.toMatchObject({ index: 1 })
        : expect(before).rejects.toMatchObject({ code: 'HISTORY_PRUNED' }));
      expect(beside.paths().filter((path) => path.startsWith('/history/replaced/'))).not.toEqual([]);
      const more = later(transactions(first.clock, 5, index + 1));
      second.commit(...more);
      await second.run(second.history.close());
      // From there on it is one past.
      const third = await new HistoryFixture(first.clock).open(
        new FileHistoryStore({ dir: '/history', disk: beside, keyProvider }),
        BOUNDS,
      );
      third.commit(...told, ...more);
      third.history.compare(true);
      const expected = second.states[index + 3];
      expect(expected && textOf(await third.run(third.history.at(index + 3)))).toBe(
        expected && textOf(expected),
      );
      expect(third.warnings).toEqual([]);
      await third.run(third.history.close());
    }
  });

  it('when power is lost at any moment, then nothing is missing that a snapshot of the log covers', async () => {
    for (let seed = 1; seed <= 40; seed += 1) {
      const { disk, store } = aDisk(seed);
      const first = await new HistoryFixture().open(store(), BOUNDS);
      const past = transactions(first.clock, 30);
      const covered = 5 + (seed % 20);
      first.commit(...past.slice(0, covered));
      // The snapshot is there once its chunks were read to their end.
      const capture = first.replica.capture();
      const chunks = await first.run(all(capture.chunks()));
      disk.cutPowerAfter(seed % 12);
      first.commit(...past.slice(covered, covered + (seed % 7)));
      await first.run(first.history.story(undefined).next()).catch(() => {});
      disk.crash();
      disk.boot();
      const second = await new HistoryFixture(first.clock).open(store(), BOUNDS);
      await second.replica.restore(
        covered,
        (async function* () {
          yield* chunks;
        })(),
      );
      second.commit(...past.slice(covered));
      const story = await second.run(all(second.history.story(undefined)));
      expect(story.map((event) => event.type !== 'gap' && event.index)).toEqual(
        past.map(({ index }) => index),
      );
      const expected = first.states[covered - 1];
      expect(expected && textOf(await second.run(second.history.at(covered - 1)))).toBe(
        expected && textOf(expected),
      );
      expect(second.warnings).toEqual([]);
      await second.run(second.history.close());
    }
  });

  it('when a snapshot from elsewhere takes a member past what it was told, then the gap is told', async () => {
    const { store } = aDisk();
    const leader = await new HistoryFixture().open(aDisk(2).store(), BOUNDS);
    const past = transactions(leader.clock, 40);
    leader.commit(...past.slice(0, 30));
    const chunks = await leader.run(all(leader.replica.capture().chunks()));
    const follower = await new HistoryFixture(leader.clock).open(store(), BOUNDS);
    follower.commit(...past.slice(0, 8));
    await follower.replica.restore(
      30,
      (async function* () {
        yield* chunks;
      })(),
    );
    follower.commit(...past.slice(30));
    const story = await follower.run(all(follower.history.story(undefined)));
    const indexes = story.map((event) => (event.type === 'gap' ? [event.after, event.index] : event.index));
    expect(indexes).toEqual([1, 2, 3, 4, 5, 6, 7, 8, [8, 30], 31, 32, 33, 34, 35, 36, 37, 38, 39, 40]);
    for (const index of [3, 8, 30, 31, 40]) {
      const expected = leader.states[index] ?? follower.states[index];
      expect(expected && textOf(await follower.run(follower.history.at(index)))).toBe(
        expected && textOf(expected),
      );
    }
    await expect(follower.run(follower.history.at(20))).rejects.toMatchObject({
      code: 'HISTORY_PRUNED',
      oldest: { index: 30 },
    });
    await follower.run(follower.history.close());
    await leader.run(leader.history.close());
  });

  it('when it grows over its bytes, then the oldest goes, checkpoint by checkpoint, and says so', async () => {
    const { disk, store } = aDisk();
    const bounds = { ...BOUNDS, maxBytes: 16 * 1024 };
    const kept = store();
    const fixture = await new HistoryFixture().open(kept, bounds);
    for (const transaction of transactions(fixture.clock, 200)) {
      fixture.commit(transaction);
      if (transaction.index % 10 === 0) await fixture.clock.advance(1);
    }
    await fixture.run(fixture.history.story(undefined).next());
    const { oldest } = fixture.history;
    expect(oldest?.index).toBeGreaterThan(100);
    expect(kept.checkpoints[0]).toMatchObject({ ...oldest });
    await expect(fixture.run(fixture.history.at(1))).rejects.toMatchObject({
      code: 'HISTORY_PRUNED',
      oldest,
    });
    await expect(fixture.run(all(fixture.history.story(undefined, { from: 1 })))).rejects.toMatchObject({
      code: 'HISTORY_PRUNED',
    });
    await expect(fixture.run(all(fixture.history.story({ service: 'web-4' })))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await fixture.run(fixture.history.close());
    const files = [...(await disk.list('/history/events')), ...(await disk.list('/history/checkpoints'))];
    expect(files.length).toBeLessThan(20);
  });

  it('when it is older than its bound, then it goes', async () => {
    const { store } = aDisk();
    const fixture = await new HistoryFixture().open(store(), {
      checkpointEvery: 10,
      maxAgeMs: 920 * HOUR_MS,
    });
    for (const transaction of transactions(fixture.clock, 100)) {
      fixture.commit(transaction);
      if (transaction.index % 10 === 0) await fixture.clock.advance(1);
    }
    // Transaction 80 is 920 hours old.
    await fixture.run(fixture.history.story(undefined).next());
    expect(fixture.history.oldest?.index).toBeGreaterThanOrEqual(70);
    expect(fixture.history.oldest?.index).toBeLessThanOrEqual(80);
    await fixture.run(fixture.history.close());
  });

  it('then no secret value, no digest key and no plain text is on the disk, also after its removal', async () => {
    const { disk, store } = aDisk();
    const fixture = await new HistoryFixture().open(store(), { ...BOUNDS, checkpointEvery: 3 });
    const value = new TextEncoder().encode('correct horse battery staple');
    const past = transactions(fixture.clock, 8);
    const at = fixture.clock.now();
    fixture.commit(...past.slice(0, 4));
    fixture.commit({
      index: 5,
      at,
      actor: { kind: 'user' },
      events: [
        { type: 'vault.stored', digest: 'digest', data: value },
        {
          type: 'secret.created',
          id: asId('s'),
          spec: secretSpecSchema.parse({ name: 'key' }),
          digest: 'digest',
          sizeBytes: 28,
        },
      ],
    });
    await fixture.clock.advance(1);
    fixture.commit(...past.slice(5, 7));
    await fixture.clock.advance(1);
    fixture.commit({
      index: 8,
      at,
      actor: { kind: 'user' },
      events: [
        { type: 'secret.removed', id: asId('s') },
        { type: 'vault.removed', digests: ['digest'] },
      ],
    });
    const before = await fixture.run(fixture.history.at(6));
    expect(before.secret(asId('s'))).toMatchObject({ digest: 'digest', sizeBytes: 28 });
    expect([...before.roots.vault.entries()]).toEqual([]);
    expect(before.roots.digestKey).toBeUndefined();
    const story = await fixture.run(all(fixture.history.story({ secret: 'key' })));
    expect(story.map(({ type }) => type)).toEqual(['secret.created', 'secret.removed']);
    expect(JSON.stringify(story)).not.toContain('horse');
    await fixture.run(fixture.history.close());
    // Not sealed, what is to be sealed: nothing that is handed to the disk's owner with the key tells the value.
    const opened = store();
    await opened.open();
    const texts: string[] = [];
    for (const segment of opened.segments) {
      for (const block of await segment.blocks()) {
        for (const { payload } of await block.read()) texts.push(Buffer.from(payload).toString('latin1'));
      }
    }
    for (const checkpoint of opened.checkpoints) {
      const contents = await checkpoint.load();
      if (contents.kind !== 'chunks') throw new Error('a checkpoint on disk is chunks');
      for await (const chunk of contents.chunks) texts.push(Buffer.from(chunk).toString('latin1'));
    }
    expect(texts.length).toBeGreaterThan(8);
    for (const text of texts) {
      expect(text).not.toContain('horse');
      expect(text).not.toContain('\u0009'.repeat(32));
    }
    await opened.close();
    for (const directory of ['/history/events', '/history/checkpoints']) {
      for (const name of await disk.list(directory)) {
        const file = await disk.open(`${directory}/${name}`, 'read');
        const bytes = new Uint8Array(await file.size());
        await file.read(bytes, 0);
        expect(Buffer.from(bytes).includes('web-2')).toBe(false);
        await file.close();
      }
    }
  });

  it('when its key is replaced, then what comes next is sealed under the new one, and it says which ones it needs', async () => {
    const disk = new SimulatedDisk(seededRandom(1));
    const keys = new Map(['old', 'new'].map((id, at) => [id, new Uint8Array(32).fill(at)]));
    let present = 'old';
    const provider = {
      currentKey: async () => ({ id: present, key: keys.get(present) ?? new Uint8Array(32) }),
      keyById: async (id: string) => keys.get(id),
    };
    const store = new FileHistoryStore({
      ...{ dir: '/history', disk, keyProvider: provider, random: seededRandom(2) },
    });
    const fixture = await new HistoryFixture().open(store, BOUNDS);
    const past = transactions(fixture.clock, 9);
    fixture.commit(...past.slice(0, 5));
    await fixture.run(fixture.history.story(undefined).next());
    expect([...(await store.keysInUse())]).toEqual(['old']);
    present = 'new';
    store.replaceKey();
    fixture.commit(...past.slice(5));
    await fixture.run(fixture.history.story(undefined).next());
    expect([...(await store.keysInUse())].sort()).toEqual(['new', 'old']);
    const story = await fixture.run(all(fixture.history.story(undefined)));
    expect(story.map((event) => event.type !== 'gap' && event.index)).toEqual(past.map(({ index }) => index));
    await fixture.run(fixture.history.close());
  });

  it('when another has it open, then opening is refused', async () => {
    const { store } = aDisk();
    const first = store();
    await first.open();
    await expect(new HistoryFixture().open(store())).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      reason: 'locked',
    });
    await first.close();
    await expect(new HistoryFixture().open(store())).resolves.toBeDefined();
  });

  it('when its process dies as it ends a segment, and the power fails later, then what was found in between is still there', async () => {
    const found = new Set<number>();
    for (let seed = 1; seed <= 100; seed++) {
      const { disk, store } = aDisk(seed);
      const first = store();
      await first.open();
      const record = { index: 1, at: 1, payload: new Uint8Array([1]) };
      await first.append({ records: [record], keys: new Uint32Array([1]) });
      disk.cutPowerAfter(1 + (seed % 6));
      await first.endSegment().catch(() => {});
      disk.kill();
      await first.close();
      disk.boot();
      const second = store();
      await second.open();
      await second.sync();
      const last = second.segments.at(-1)?.last ?? 0;
      disk.crash();
      await second.close();
      disk.boot();
      const third = store();
      await third.open();
      expect(third.segments.at(-1)?.last ?? 0, `seed ${seed}`).toBe(last);
      await third.close();
      found.add(last);
    }
    expect(found).toContain(1);
  });
});
