import { describe, expect, it } from 'vitest';
import { configurationOf } from '../core/membership.ts';
import { RaftNode } from './raft-node.ts';
import { KeepingMachine } from './test-support/keeping-machine.ts';
import { NodeCluster } from './test-support/node-cluster.ts';

const THREE = ['a', 'b', 'c'];
const bytes = (text: string) => new TextEncoder().encode(text);

describe('proposing', () => {
  it('given a follower, then its proposal is committed, and applied there before it is answered', async () => {
    const cluster = await NodeCluster.started(1, THREE);
    const [follower] = cluster.followers();
    const outcome = await cluster.clock.run(follower?.node.propose(bytes('x')) ?? Promise.reject());
    expect(outcome).toMatchObject({ kind: 'committed', repeated: false });
    expect(follower?.machine.texts).toEqual(['x']);
    await cluster.close();
  });

  it('given the same id on two members, then the command is applied once, and both are told where', async () => {
    const cluster = await NodeCluster.started(2, THREE);
    const [first, second] = cluster.followers();
    const id = first?.node.newProposalId();
    if (id === undefined || first === undefined || second === undefined) throw new Error('no followers');
    const one = await cluster.clock.run(first.node.propose(bytes('once'), { id }));
    await cluster.converged();
    const two = await cluster.clock.run(second.node.propose(bytes('once'), { id }));
    expect(one).toMatchObject({ kind: 'committed', repeated: false });
    expect(two).toEqual({ ...one, repeated: true });
    await cluster.converged();
    for (const { machine } of cluster.members.values()) expect(machine.texts).toEqual(['once']);
    await cluster.close();
  });

  it('given an id that was used before a snapshot and a restart of all, then it is still known', async () => {
    const cluster = await NodeCluster.started(3, THREE);
    const leader = await cluster.serving();
    const id = leader.node.newProposalId();
    await cluster.clock.run(leader.node.propose(bytes('once'), { id }));
    await cluster.converged();
    for (const { node } of cluster.members.values())
      await cluster.clock.run(node.snapshot({ discard: true }));
    for (const name of THREE) await cluster.kill(name);
    for (const name of THREE) await cluster.start(name);
    const next = await cluster.serving();
    expect(await cluster.clock.run(next.node.propose(bytes('once'), { id }))).toMatchObject({
      repeated: true,
    });
    expect(next.machine.texts).toEqual(['once']);
    await cluster.close();
  });

  it('given no quorum, then a proposal that nobody took is rejected and one that was taken is unknown', async () => {
    const cluster = await NodeCluster.started(4, THREE);
    const leader = await cluster.serving();
    cluster.network.isolate(leader.id);
    const taken = leader.node.propose(bytes('taken'));
    await cluster.clock.advance(1000);
    const refused = leader.node.propose(bytes('refused'));
    expect(await cluster.clock.run(taken)).toMatchObject({ kind: 'unknown', reason: 'timeout' });
    expect(await cluster.clock.run(refused)).toMatchObject({ kind: 'rejected', reason: 'no-leader' });
    await cluster.close();
  });

  it('given a command over the limit or too many at once, then they are refused and nothing is proposed', async () => {
    const cluster = await NodeCluster.started(5, THREE, { pendingProposalsMax: 5 });
    const [follower] = cluster.followers();
    if (follower === undefined) throw new Error('no follower');
    const large = new Uint8Array(follower.node.commandBytesMax + 1);
    expect(await follower.node.propose(large)).toMatchObject({ kind: 'rejected', reason: 'too-large' });
    const many = Array.from({ length: 8 }, (_, index) => follower.node.propose(bytes(`${index}`)));
    const kinds = (await cluster.clock.run(Promise.all(many))).map(({ kind }) => kind);
    expect(kinds).toEqual([...Array(5).fill('committed'), ...Array(3).fill('rejected')]);
    expect(cluster.metrics.counts.get('raft_proposals_not_committed_total rejected too-large')).toBe(1);
    expect(cluster.metrics.counts.get('raft_proposals_not_committed_total rejected busy')).toBe(3);
    await cluster.close();
  });

  it('given proposals in flight, when the node is closed, then each ends', async () => {
    const cluster = await NodeCluster.started(6, THREE);
    const leader = await cluster.serving();
    const sent = [leader.node.propose(bytes('x')), leader.node.propose(bytes('y'))];
    await leader.node.close();
    for (const outcome of await Promise.all(sent))
      expect(outcome).toMatchObject({ kind: 'unknown', reason: 'closed' });
    expect(await leader.node.propose(bytes('z'))).toMatchObject({ kind: 'rejected', reason: 'closed' });
    await cluster.close();
  });
});

describe('reading', () => {
  it('given a write acknowledged by one member, then a barrier on another holds until it is applied there', async () => {
    const cluster = await NodeCluster.started(7, THREE);
    const [one, other] = cluster.followers();
    for (let round = 0; round < 10; round++) {
      await cluster.clock.run(one?.node.propose(bytes(`${round}`)) ?? Promise.reject());
      const readers = Array.from({ length: 50 }, () => other?.node.readBarrier());
      await cluster.clock.run(Promise.all(readers));
      expect(other?.machine.texts.at(-1)).toBe(`${round}`);
    }
    await cluster.close();
  });

  it('given a leader that is cut off, then its barrier is never confirmed there', async () => {
    const cluster = await NodeCluster.started(8, THREE);
    const leader = await cluster.serving();
    cluster.network.isolate(leader.id);
    const barrier = leader.node.readBarrier({ timeoutMs: 3000 }).then(
      () => 'confirmed',
      (error: { code?: unknown }) => error.code,
    );
    expect(await cluster.clock.run(barrier)).toBe('unavailable');
    await cluster.close();
  });

  it('given a lease, then the leader answers without a message, and one cut off for longer does not', async () => {
    const cluster = await NodeCluster.started(9, THREE, { raft: { leaseTicks: 40 } });
    const leader = await cluster.serving();
    await cluster.clock.advance(500);
    const before = cluster.clock.monotonic();
    await cluster.clock.run(leader.node.readBarrier({ mode: 'lease' }));
    expect(cluster.clock.monotonic()).toBe(before);
    cluster.network.isolate(leader.id);
    await cluster.clock.advance(450);
    const late = leader.node.readBarrier({ mode: 'lease', timeoutMs: 1000 }).catch((error) => error.code);
    expect(await cluster.clock.run(late)).toBe('unavailable');
    await cluster.close();
  });
});

describe('members', () => {
  it('given a new member far behind, then it gets a snapshot, learns, and becomes a voter', async () => {
    const cluster = await NodeCluster.started(10, THREE, { raft: { compactionReserve: 0 } });
    const leader = await cluster.serving();
    const many = Array.from({ length: 3000 }, (_, index) => leader.node.propose(bytes(`command ${index}`)));
    await cluster.clock.run(Promise.all(many));
    await cluster.clock.run(leader.node.snapshot({ discard: true }));
    const joined = await cluster.start('d');
    const outcome = await cluster.clock.run(leader.node.addMember('d', { address: 'somewhere' }));
    expect(outcome.kind).toBe('committed');
    expect(joined.machine.restores).toBe(1);
    await cluster.converged();
    expect(joined.machine.applied).toEqual(leader.machine.applied);
    expect(joined.node.status.configuration.voters).toContain('d');
    expect(joined.node.status.configuration.addresses).toEqual({ d: 'somewhere' });
    await cluster.close();
  });

  it('given a snapshot amid a cut of the link, then it goes on where it stopped', async () => {
    const shipping = { chunkBytes: 4000, windowBytes: 16_000 };
    const cluster = await NodeCluster.started(
      12,
      THREE,
      { raft: { compactionReserve: 0 } },
      { shipping, loss: 0.05 },
    );
    const leader = await cluster.serving();
    const many = Array.from({ length: 4000 }, (_, index) =>
      leader.node.propose(bytes(`command number ${index}`)),
    );
    await cluster.clock.run(Promise.all(many));
    await cluster.clock.run(leader.node.snapshot({ discard: true }));
    const joined = await cluster.start('d');
    const adding = leader.node.addMember('d');
    await cluster.clock.advance(60);
    cluster.network.isolate('d');
    await cluster.clock.advance(3000);
    cluster.network.heal();
    expect((await cluster.clock.run(adding)).kind).toBe('committed');
    expect(joined.machine.texts.length).toBe(4000);
    await cluster.close();
  });

  it('given two voters replaced at once, then it goes through a joint configuration and is left', async () => {
    const cluster = await NodeCluster.started(13, THREE);
    const leader = await cluster.serving();
    await cluster.start('d');
    await cluster.start('e');
    const [one, two] = cluster.followers().filter(({ id }) => THREE.includes(id));
    const change = leader.node.changeMembers([
      { kind: 'add-voter', member: 'd' },
      { kind: 'add-voter', member: 'e' },
      { kind: 'remove', member: one?.id ?? '' },
      { kind: 'remove', member: two?.id ?? '' },
    ]);
    expect((await cluster.clock.run(change)).kind).toBe('committed');
    expect([...leader.node.status.configuration.voters].sort()).toEqual(['d', 'e', leader.id].sort());
    expect(leader.node.status.configuration.outgoing).toEqual([]);
    await cluster.close();
  });

  it('given the leader itself is removed, then another takes over', async () => {
    const cluster = await NodeCluster.started(14, THREE);
    const leader = await cluster.serving();
    expect((await cluster.clock.run(leader.node.removeMember(leader.id))).kind).toBe('committed');
    await cluster.kill(leader.id);
    const next = await cluster.serving();
    expect(next.node.status.configuration.voters).not.toContain(leader.id);
    await cluster.close();
  });

  it('given a follower, then it refuses to change members, and says who leads', async () => {
    const cluster = await NodeCluster.started(15, THREE);
    const [follower] = cluster.followers();
    const outcome = await follower?.node.removeMember('a');
    expect(outcome).toMatchObject({ kind: 'rejected', reason: 'not-leader', leader: cluster.leader?.id });
    await cluster.close();
  });

  it('given a planned hand-over, then the new leader serves within 100 ms', async () => {
    const cluster = await NodeCluster.started(16, THREE);
    const leader = await cluster.serving();
    const before = cluster.clock.monotonic();
    const outcome = await cluster.clock.run(leader.node.transferLeadership());
    expect(outcome.kind).toBe('transferred');
    await cluster.clock.runUntil(() => cluster.leader !== undefined && cluster.leader.id !== leader.id);
    expect(cluster.clock.monotonic() - before).toBeLessThan(100);
    await cluster.close();
  });
});

describe('failing', () => {
  it('given a disk that fails, then the node stops loudly and the others go on', async () => {
    const cluster = await NodeCluster.started(17, THREE);
    const leader = await cluster.serving();
    cluster.disk(leader.id).failWrites(new Error('EIO'));
    const outcome = await cluster.clock.run(leader.node.propose(bytes('x')));
    expect(outcome).toMatchObject({ kind: 'unknown', reason: 'closed' });
    expect(leader.node.status).toMatchObject({ state: 'failed', isServing: false });
    expect(leader.node.status.failure?.message).toContain('EIO');
    await expect(leader.node.readBarrier()).rejects.toMatchObject({ code: 'failed' });
    cluster.members.delete(leader.id);
    await cluster.serving(2000);
    await cluster.close();
  });

  it('given a command that one state machine refuses, then that node alone stops', async () => {
    const cluster = await NodeCluster.started(18, THREE);
    const leader = await cluster.serving();
    const [victim] = cluster.followers();
    if (victim === undefined) throw new Error('no follower');
    victim.machine.beforeApply = (text) => {
      if (text === 'poison') throw new Error('not that');
    };
    expect((await cluster.clock.run(leader.node.propose(bytes('poison')))).kind).toBe('committed');
    await cluster.clock.runUntil(() => victim.node.status.state === 'failed');
    expect((await cluster.clock.run(leader.node.propose(bytes('more')))).kind).toBe('committed');
    await cluster.close();
  });

  it('given an option that breaks its rule, then it is refused by name', () => {
    const cluster = new NodeCluster(19, ['a']);
    const make = (options: object) => () =>
      new RaftNode({ ...cluster.parts('a', ['a']), machine: new KeepingMachine(), ...options });
    expect(make({ tickMs: 0 })).toThrow(/tickMs/);
    expect(make({ id: '' })).toThrow(/id/);
    expect(make({ raft: { heartbeatTicks: 100 } })).toThrow(/heartbeatTicks/);
    expect(make({ bootstrap: configurationOf([]) })).toThrow(/bootstrap/);
  });
});
