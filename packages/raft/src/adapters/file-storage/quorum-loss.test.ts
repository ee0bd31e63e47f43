import { describe, expect, it } from 'vitest';
import { forceNewClusterOn } from '../../node/quorum-loss.ts';
import { RaftNode } from '../../node/raft-node.ts';
import { KeepingMachine } from '../../node/test-support/keeping-machine.ts';
import { NodeCluster } from '../../node/test-support/node-cluster.ts';
import { StorageFixture } from './storage-fixture.ts';

const THREE = ['a', 'b', 'c'];
const bytes = (text: string) => new TextEncoder().encode(text);

describe('the loss of a majority', () => {
  it('given one disk of three that is left, when a new cluster is forced on it, then it serves all that was acknowledged, and takes new members', async () => {
    const cluster = new NodeCluster(81, THREE, { snapshotEntries: 40 });
    const fixture = new StorageFixture(81);
    const survivor = async () => {
      const machine = new KeepingMachine();
      const storage = fixture.storage({ segmentBytes: 65_536 });
      const node = new RaftNode({ ...cluster.parts('c', THREE), machine, storage, snapshotEntries: 40 });
      await cluster.clock.run(node.start());
      return { node, machine };
    };
    const before = await survivor();
    await cluster.start('a');
    await cluster.start('b');
    const texts = Array.from({ length: 100 }, (_, index) => `command ${index}`);
    const outcomes = texts.map((text) => before.node.propose(bytes(text)));
    for (const { kind } of await cluster.clock.run(Promise.all(outcomes))) expect(kind).toBe('committed');
    await cluster.kill('a');
    await cluster.kill('b');
    await cluster.clock.run(before.node.close());

    const forced = await cluster.clock.run(forceNewClusterOn(fixture.storage(), 'c'));
    expect(forced.configuration).toMatchObject({ voters: ['c'], removed: ['a', 'b'] });
    const after = await survivor();
    await cluster.clock.run(after.node.readBarrier());
    expect(after.node.status).toMatchObject({ isServing: true, configuration: forced.configuration });
    expect([...after.machine.texts].sort()).toEqual([...texts].sort());

    const joined = await cluster.start('d');
    expect((await cluster.clock.run(after.node.addMember('d'))).kind).toBe('committed');
    expect((await cluster.clock.run(joined.node.propose(bytes('more')))).kind).toBe('committed');
    expect(await after.node.addMember('a')).toMatchObject({ kind: 'rejected', reason: 'invalid' });
    await cluster.clock.run(after.node.close());
    await cluster.close();
  });

  it('given a disk with nothing on it, or of another member, then it is refused and nothing is written', async () => {
    const fixture = new StorageFixture(82);
    await expect(forceNewClusterOn(fixture.storage(), 'a')).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    const cluster = new NodeCluster(82, ['a']);
    const node = new RaftNode({
      ...cluster.parts('a', ['a']),
      machine: new KeepingMachine(),
      storage: fixture.storage(),
    });
    await cluster.clock.run(node.start());
    await cluster.clock.run(node.close());
    await expect(forceNewClusterOn(fixture.storage(), 'z')).rejects.toMatchObject({
      code: 'invalid-stored-state',
    });
  });
});
