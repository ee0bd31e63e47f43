import { describe, expect, it } from 'vitest';
import { configurationOf } from '../core/membership.ts';
import { NodeCluster } from './test-support/node-cluster.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** What an outsider could have changed. */
function standing({ node, machine }: Awaited<ReturnType<NodeCluster['serving']>>) {
  const { term, lastIndex, committed, configuration } = node.coreStatus;
  return { term, lastIndex, committed, configuration, texts: [...machine.texts] };
}

/** Someone with a certificate of this cluster who is no member of it, or who has taken the place of one. */
async function outsider({ network }: NodeCluster, id = 'z') {
  const transport = network.join(id);
  await transport.start({ message: () => {}, snapshot: async () => {}, unreachable: () => {} });
  return transport;
}

describe('bad input', () => {
  it('given a command over the limit, then it is refused by either way in, counted, and nothing is changed', async () => {
    const cluster = await NodeCluster.started(31, ['a', 'b', 'c']);
    const leader = await cluster.serving();
    const before = standing(leader);
    const large = new Uint8Array(leader.node.commandBytesMax + 1);
    expect(await leader.node.propose(large)).toMatchObject({ kind: 'rejected', reason: 'too-large' });
    const huge = new Uint8Array(leader.node.commandBytesMax + 1000);
    expect(leader.node.proposeInTerm(before.term, huge)).toBe('too-large');
    expect(cluster.metrics.counts.get('raft_proposals_not_committed_total rejected too-large')).toBe(2);
    await cluster.clock.advance(100);
    expect(standing(leader)).toEqual(before);
    await cluster.close();
  });

  it.each([
    ['a text for bytes', 'hello', {}, 'command'],
    ['a time-out that is no number', bytes('x'), { timeoutMs: Number.NaN }, 'timeoutMs'],
    ['a time-out in the past', bytes('x'), { timeoutMs: -1 }, 'timeoutMs'],
    ['an id without a number', bytes('x'), { id: { session: 's', base: 0 } }, 'id.number'],
    ['an id without a base', bytes('x'), { id: { session: 's', number: 1 } }, 'id.base'],
    ['an id without a session', bytes('x'), { id: { session: '', number: 1, base: 0 } }, 'id.session'],
    [
      'too long a session',
      bytes('x'),
      { id: { session: 'ä'.repeat(128), number: 1, base: 0 } },
      'id.session',
    ],
  ])(
    'given %s, when it is proposed, then the error names the argument, and nothing is changed',
    async (_, command, options, argument) => {
      const cluster = await NodeCluster.started(34, ['a']);
      const leader = await cluster.serving();
      const before = standing(leader);
      // As a program without types would call it.
      const proposed: unknown = Reflect.apply(leader.node.propose, leader.node, [command, options]);
      await expect(proposed).rejects.toMatchObject({
        code: 'invalid-argument',
        message: expect.stringContaining(argument),
      });
      await cluster.clock.advance(100);
      expect(standing(leader)).toEqual(before);
      await cluster.close();
    },
  );

  it.each([
    ['proposeInTerm', [1, 'hello'], 'command'],
    ['readBarrier', [{ timeoutMs: Number.NaN }], 'timeoutMs'],
    ['readBarrier', [{ mode: 'quick' }], 'mode'],
    ['waitApplied', [Number.NaN], 'index'],
    ['waitApplied', [-1], 'index'],
  ] as const)('given %s of %j, then the error names the argument', async (method, given, argument) => {
    const cluster = await NodeCluster.started(40, ['a']);
    const { node } = await cluster.serving();
    const before = node.status;
    // As a program without types would call it.
    const called = async () => Reflect.apply(node[method], node, given);
    await expect(called()).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(argument),
    });
    await cluster.clock.advance(100);
    expect(node.status).toEqual(before);
    await cluster.close();
  });

  it.each([
    ['changeMembers', [undefined], 'list'],
    ['changeMembers', [[null]], 'object'],
    ['changeMembers', [[{ kind: 'add-learner', member: 'b' }], 'at once'], 'at once'],
    ['addMember', ['b', { as: 'witness' }], 'witness'],
    ['addMember', ['b', { timeoutMs: Number.NaN }], 'timeoutMs'],
  ] as const)(
    'given %s of %j, then it is refused by the rule, and nobody joins',
    async (method, given, rule) => {
      const cluster = await NodeCluster.started(41, ['a']);
      const { node } = await cluster.serving();
      const before = node.status;
      const outcome: unknown = await cluster.clock.run(Reflect.apply(node[method], node, given));
      expect(outcome).toMatchObject({
        kind: 'rejected',
        reason: 'invalid',
        message: expect.stringContaining(rule),
      });
      await cluster.clock.advance(100);
      expect(node.status).toEqual(before);
      await cluster.close();
    },
  );

  it.each([
    [{ proposalBytesMax: 8 * 1024 * 1024 }, 'raft.proposalBytesMax'],
    [{ appendBytesMax: 9 * 1024 * 1024 }, 'raft.appendBytesMax'],
    [{ proposalBytesMax: 100 }, 'raft.proposalBytesMax'],
  ])('given %j, which the transport could not carry, then no node is made', async (raft, option) => {
    const cluster = new NodeCluster(42, ['a'], { raft });
    await expect(cluster.start('a')).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(option),
    });
    await cluster.close();
  });

  it.each([
    ['nobody', configurationOf([]), 'at least one voter'],
    ['a voter twice', configurationOf(['a', 'a', 'b']), 'named twice'],
    ['a voter that is a learner too', configurationOf(['a', 'b'], ['b']), 'named twice'],
    ['an empty id', configurationOf(['a', '']), 'id'],
    ['an empty address', configurationOf(['a'], [], { a: '' }), 'address'],
  ])('given first members with %s, then no node is made', async (_, bootstrap, rule) => {
    const cluster = new NodeCluster(35, ['a'], { bootstrap });
    await expect(cluster.start('a')).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining(rule),
    });
    await cluster.close();
  });

  it('given a member of the longest id, then it proposes like any other', async () => {
    const id = '\u{20ac}'.repeat(255);
    const cluster = await NodeCluster.started(36, [id]);
    const { node } = await cluster.serving();
    expect(await cluster.clock.run(node.propose(bytes('x')))).toMatchObject({ kind: 'committed' });
    await cluster.close();
  });

  it('given a proposal from a stranger, then it is refused and counted, and nothing is changed', async () => {
    const cluster = await NodeCluster.started(32, ['a']);
    const leader = await cluster.serving();
    const before = standing(leader);
    const stranger = await outsider(cluster);
    stranger.send({ type: 'proposal', from: 'z', to: 'a', attempt: 1, command: bytes('no') });
    await cluster.clock.advance(100);
    expect(cluster.metrics.counts.get('raft_messages_refused_total stranger')).toBe(1);
    expect(standing(leader)).toEqual(before);
    await cluster.close();
  });

  it.each([
    { type: 'append-request', prevIndex: 0, prevTerm: 0, entries: [], commit: 0 },
    { type: 'heartbeat', commit: 0, round: 1, sent: 1 },
    { type: 'vote-request', lastIndex: 1000, lastTerm: 1000, transfer: true },
    { type: 'pre-vote-request', lastIndex: 1000, lastTerm: 1000 },
    { type: 'timeout-now' },
    { type: 'append-accepted', index: 1000 },
    { type: 'append-rejected', index: 1, hintIndex: 0, hintTerm: 0 },
    { type: 'heartbeat-response', round: 1000, sent: 1000 },
    { type: 'vote-response', granted: true },
    { type: 'pre-vote-response', granted: true },
    { type: 'transfer-refused' },
    { type: 'read-request', attempt: { incarnation: 1, number: 1 }, lease: false },
    { type: 'read-response', attempt: { incarnation: 1, number: 1 }, index: 1000 },
    { type: 'read-refused', attempt: { incarnation: 1, number: 1 } },
  ] as const)(
    'given a $type of a later term from a stranger, when the leader and a follower get it, then it is refused and counted, and nothing is changed',
    async (message) => {
      const cluster = await NodeCluster.started(37, ['a', 'b', 'c']);
      const leader = await cluster.serving();
      await cluster.converged();
      const [follower = leader] = cluster.followers();
      const before = [leader, follower].map(standing);
      const stranger = await outsider(cluster);
      for (const { id } of [leader, follower]) {
        stranger.send({ ...message, from: 'z', to: id, term: leader.node.coreStatus.term + 5 });
      }
      await cluster.clock.advance(1000);
      expect(cluster.metrics.counts.get('raft_messages_refused_total stranger')).toBe(2);
      expect(leader.node.coreStatus.role).toBe('leader');
      expect([leader, follower].map(standing)).toEqual(before);
      await cluster.close();
    },
  );

  it('given a snapshot of a later term from a stranger, then none of its bytes are taken, and nothing is changed', async () => {
    const cluster = await NodeCluster.started(38, ['a', 'b', 'c']);
    const leader = await cluster.serving();
    await cluster.converged();
    const [follower = leader] = cluster.followers();
    const before = standing(follower);
    const stranger = await outsider(cluster);
    const snapshot = { index: 1000, term: 1000, configuration: configurationOf(['z']) };
    let isRead = false;
    async function* chunks() {
      isRead = true;
      yield bytes('a state of its own');
    }
    const message = { type: 'install-snapshot', from: 'z', to: follower.id, term: 1000, snapshot } as const;
    await expect(cluster.clock.run(stranger.sendSnapshot(message, chunks()))).rejects.toMatchObject({
      code: 'undelivered',
    });
    expect(cluster.metrics.counts.get('raft_messages_refused_total stranger')).toBe(1);
    expect(isRead).toBe(false);
    expect(standing(follower)).toEqual(before);
    await cluster.close();
  });

  it('given word of a snapshot without its bytes, then it is refused and counted, and nothing is changed', async () => {
    const cluster = await NodeCluster.started(39, ['a', 'b', 'c']);
    const leader = await cluster.serving();
    await cluster.converged();
    const [follower = leader] = cluster.followers();
    const before = standing(follower);
    const { term } = leader.node.coreStatus;
    const snapshot = { index: 1000, term, configuration: configurationOf(['a', 'b', 'c']) };
    const sender = await outsider(cluster, leader.id);
    sender.send({ type: 'install-snapshot', from: leader.id, to: follower.id, term, snapshot });
    await cluster.clock.advance(50);
    expect(cluster.metrics.counts.get('raft_messages_refused_total garbled-frame')).toBe(1);
    expect(standing(follower)).toEqual(before);
    await cluster.close();
  });

  it('given proposals in flight, when the leadership is lost, then each outcome says whether it may still commit', async () => {
    const cluster = await NodeCluster.started(33, ['a', 'b', 'c']);
    const leader = await cluster.serving();
    const { term } = leader.node.coreStatus;
    cluster.network.isolate(leader.id);
    const inTerm = leader.node.proposeInTerm(term, bytes('in this term'));
    if (typeof inTerm === 'string') throw new Error(inTerm);
    const repeated = leader.node.propose(bytes('whoever leads'));
    const unanswered = leader.node.propose(bytes('not for long'), { timeoutMs: 1500 });
    await cluster.clock.advance(1000);
    // It has given way. Nobody can say yet what becomes of the entry.
    expect(await inTerm).toEqual({ kind: 'unknown', reason: 'leadership-lost' });
    expect(leader.node.proposeInTerm(term, bytes('too late'))).toBe('not-leader');
    await cluster.clock.advance(1000);
    expect(await unanswered).toMatchObject({ kind: 'unknown', reason: 'timeout' });
    expect(cluster.metrics.counts.get('raft_proposals_not_committed_total unknown timeout')).toBe(1);
    cluster.network.heal();
    expect(await cluster.clock.run(repeated)).toMatchObject({ kind: 'committed' });
    await cluster.close();
  });
});
