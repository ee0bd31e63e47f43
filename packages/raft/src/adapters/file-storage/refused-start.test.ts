import { describe, expect, it } from 'vitest';
import { RaftNode } from '../../node/raft-node.ts';
import { TestCluster } from '../../node/test-support/cluster.ts';
import { KeepingMachine } from '../../node/test-support/keeping-machine.ts';
import { KeyRing } from './keys.ts';
import { batchOf, commands, hardState, StorageFixture } from './storage-fixture.ts';

/** A disk with a log on it, and all bytes of all its files. */
async function written() {
  const fixture = new StorageFixture(1);
  const storage = await fixture.opened();
  await storage.persist(batchOf(1, { hardState: hardState(1), entries: commands(1, 3) }));
  await storage.close();
  const bytes = () => fixture.disk.paths().map((path) => [path, Buffer.from(fixture.disk.contents(path))]);
  return { fixture, bytes };
}

describe('a node on a log that it can not use', () => {
  it.each([
    [
      'of another key',
      'wrong-key',
      (fixture: StorageFixture) => ({ keys: new KeyRing({ id: 'other', key: fixture.bytes(32) }) }),
    ],
    [
      'of a newer version',
      'unsupported-version',
      (fixture: StorageFixture) => {
        fixture.makeNewer(fixture.segments[0] ?? '');
        return {};
      },
    ],
    [
      'with a hole in it',
      'corrupt',
      (fixture: StorageFixture) => {
        const [segment = ''] = fixture.segments;
        const contents = Buffer.from(fixture.disk.contents(segment));
        contents.fill(0, 1030, 1040);
        fixture.disk.replace(segment, contents);
        return {};
      },
    ],
  ])(
    'given one %s, then it does not start, says so by a code, counts it, and changes nothing',
    async (_, code, spoil) => {
      const { fixture, bytes } = await written();
      const options = spoil(fixture);
      const before = bytes();
      const cluster = new TestCluster(1);
      const node = new RaftNode({
        ...cluster.parts('a', ['a']),
        machine: new KeepingMachine(),
        storage: fixture.storage(options),
      });
      await expect(node.start()).rejects.toMatchObject({ name: 'FileStorageError', code });
      expect(cluster.metrics.counts.get(`raft_start_failures_total ${code}`)).toBe(1);
      await node.close();
      expect(bytes()).toEqual(before);
    },
  );
});
