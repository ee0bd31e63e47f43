import { describe, expect, it } from 'vitest';
import { RaftNode } from '../../node/raft-node.ts';
import { KeepingMachine } from '../../node/test-support/keeping-machine.ts';
import { NodeCluster } from '../../node/test-support/node-cluster.ts';
import { StorageFixture } from './storage-fixture.ts';

const ENTRIES = 3000;
const raft = { compactionReserve: 0 };

describe('a node that receives a snapshot', () => {
  it.each(['its process dies', 'its power is cut', 'it is closed'])(
    'given that %s amid a shipping, when it comes back, then it goes on with what is on its disk',
    async (how) => {
      const cluster = await NodeCluster.started(
        71,
        ['a', 'b'],
        { raft },
        { shipping: { chunkBytes: 1000, windowBytes: 4000 } },
      );
      const leader = await cluster.serving();
      const bytes = (text: string) => new TextEncoder().encode(text);
      const many = Array.from({ length: ENTRIES }, (_, index) =>
        leader.node.propose(bytes(`command ${index}`)),
      );
      await cluster.clock.run(Promise.all(many));
      await cluster.clock.run(leader.node.snapshot({ discard: true }));

      const fixture = new StorageFixture(71);
      const start = async () => {
        const machine = new KeepingMachine();
        const storage = fixture.storage({ segmentBytes: 65_536 });
        const node = new RaftNode({ ...cluster.parts('c', []), raft, machine, storage });
        await cluster.clock.run(node.start());
        return { node, machine };
      };
      const first = await start();
      const adding = leader.node.addMember('c');
      const partial = () =>
        fixture.disk.paths().find((path) => path.includes('snapshots/') && path.endsWith('.partial'));
      const arrived = () => {
        const path = partial();
        return path === undefined ? 0 : fixture.disk.contents(path).length;
      };
      await cluster.clock.runUntil(() => arrived() > 30_000);
      expect(first.machine.restores).toBe(0);
      if (how === 'its process dies') fixture.disk.kill();
      else if (how === 'its power is cut') fixture.disk.crash();
      cluster.network.join('c');
      await cluster.clock.run(first.node.close());
      fixture.disk.boot();

      const second = await start();
      expect((await cluster.clock.run(adding)).kind).toBe('committed');
      await cluster.clock.runUntil(() => second.machine.texts.length === ENTRIES);
      expect(second.machine.restores).toBe(1);
      if (how !== 'its power is cut')
        expect(cluster.metrics.counts.get('raft_snapshots_resumed_total')).toBe(1);
      expect(fixture.audit.reused).toEqual([]);
      await cluster.clock.run(second.node.close());
      await cluster.close();
    },
  );
});
