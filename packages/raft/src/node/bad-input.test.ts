import { describe, expect, it } from 'vitest';
import { NodeCluster } from './test-support/node-cluster.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

/** What an outsider could have changed. */
function standing({ node, machine }: Awaited<ReturnType<NodeCluster['serving']>>) {
  const { term, lastIndex, committed, configuration } = node.coreStatus;
  return { term, lastIndex, committed, configuration, texts: [...machine.texts] };
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

  it('given a proposal from a stranger, then it is refused and counted, and nothing is changed', async () => {
    const cluster = await NodeCluster.started(32, ['a']);
    const leader = await cluster.serving();
    const before = standing(leader);
    const stranger = cluster.network.join('z');
    await stranger.start({ message: () => {}, snapshot: async () => {}, unreachable: () => {} });
    stranger.send({ type: 'proposal', from: 'z', to: 'a', attempt: 1, command: bytes('no') });
    await cluster.clock.advance(100);
    expect(cluster.metrics.counts.get('raft_messages_refused_total stranger')).toBe(1);
    expect(standing(leader)).toEqual(before);
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
