import { describe, expect, it } from 'vitest';
import type { ProposalOutcome } from './proposals.ts';
import { NodeCluster } from './test-support/node-cluster.ts';

interface Told {
  readonly text: string;
  readonly outcome: ProposalOutcome;
}

/** Clients that propose through any member that runs, each its next command once the last one is answered. */
function load(cluster: NodeCluster, clients: number) {
  const told: Told[] = [];
  let isOn = true;
  let number = 0;
  const client = async (name: number) => {
    while (isOn) {
      const members = [...cluster.members.values()];
      const member = members[Math.floor(cluster.random.next() * members.length)];
      if (member === undefined) return;
      number++;
      const text = `${name}.${number}`;
      told.push({ text, outcome: await member.node.propose(new TextEncoder().encode(text)) });
    }
  };
  const all = Promise.all(Array.from({ length: clients }, (_, name) => client(name)));
  return {
    told,
    stop: async () => {
      isOn = false;
      await cluster.clock.run(all, { limitMs: 20_000 });
    },
  };
}

describe('the loss of a leader under load', () => {
  it.each([1, 2, 3])(
    'given seed %i, then a new leader serves within a second, nothing acknowledged is lost, and no outcome lies',
    async (seed) => {
      const cluster = await NodeCluster.started(seed, ['a', 'b', 'c'], { snapshotEntries: 200 });
      const { told, stop } = load(cluster, 6);
      for (let round = 0; round < 3; round++) {
        await cluster.clock.advance(700);
        const killed = await cluster.serving();
        await cluster.kill(killed.id);
        const at = cluster.clock.monotonic();
        await cluster.serving(1000);
        expect(cluster.clock.monotonic() - at).toBeLessThan(1000);
        await cluster.clock.advance(500);
        await cluster.start(killed.id);
      }
      await cluster.clock.advance(500);
      await stop();
      await cluster.converged();

      const states = [...cluster.members.values()].map(({ machine }) => machine.applied);
      for (const state of states) expect(state).toEqual(states[0]);
      const texts = states[0]?.map(([, text]) => text) ?? [];
      expect(new Set(texts).size, 'no command is applied twice').toBe(texts.length);
      const present = new Set(texts);
      const of = (kind: string) => told.filter(({ outcome }) => outcome.kind === kind);
      expect(of('committed').filter(({ text }) => !present.has(text))).toEqual([]);
      expect(of('rejected').filter(({ text }) => present.has(text))).toEqual([]);
      const places = new Map(states[0]?.map(([index, text]) => [text, index]));
      for (const { text, outcome } of told) {
        if (outcome.kind === 'committed') expect(outcome.index).toBe(places.get(text));
      }
      expect(of('committed').length).toBeGreaterThan(500);
      await cluster.close();
    },
  );

  it('given a network that loses, doubles and reorders, then each proposal still has one true answer', async () => {
    const cluster = await NodeCluster.started(
      11,
      ['a', 'b', 'c'],
      { snapshotEntries: 300 },
      { loss: 0.03, duplication: 0.1, jitterMs: 20 },
    );
    const { told, stop } = load(cluster, 5);
    await cluster.clock.advance(2000);
    const cutOff = await cluster.serving();
    cluster.network.isolate(cutOff.id);
    await cluster.clock.advance(2000);
    cluster.network.heal();
    await cluster.clock.advance(2000);
    await stop();
    cluster.network.lose(0);
    await cluster.converged();
    const states = [...cluster.members.values()].map(({ machine }) => machine.texts);
    for (const state of states) expect(state).toEqual(states[0]);
    const texts = states[0] ?? [];
    const present = new Set(texts);
    expect(present.size, 'no command is applied twice').toBe(texts.length);
    const wrong = told.filter(
      ({ text, outcome: { kind } }) =>
        (kind === 'committed' && !present.has(text)) || (kind === 'rejected' && present.has(text)),
    );
    expect(wrong).toEqual([]);
    expect(told.filter(({ outcome }) => outcome.kind === 'committed').length).toBeGreaterThan(100);
    await cluster.close();
  });

  it('given a follower that pauses or a hiccup of 300 ms, then nobody new is elected', async () => {
    const cluster = await NodeCluster.started(21, ['a', 'b', 'c']);
    const { leader } = cluster;
    const term = leader?.node.status.term;
    const [follower] = cluster.followers();
    cluster.network.isolate(follower?.id ?? '');
    await cluster.clock.advance(3000);
    cluster.network.heal();
    await cluster.clock.advance(1000);
    cluster.network.isolate(leader?.id ?? '');
    await cluster.clock.advance(300);
    cluster.network.heal();
    await cluster.clock.advance(2000);
    expect(cluster.leader?.id).toBe(leader?.id);
    expect(cluster.leader?.node.status.term).toBe(term);
    await cluster.close();
  });

  it('given a proposal on its way to a leader that dies, then the next leader has it at once', async () => {
    const cluster = await NodeCluster.started(22, ['a', 'b', 'c']);
    const { leader } = cluster;
    const [follower] = cluster.followers();
    if (leader === undefined || follower === undefined) throw new Error('nobody leads');
    const outcome = follower.node.propose(new TextEncoder().encode('on its way'));
    await cluster.kill(leader.id);
    await cluster.serving(1000);
    const servingAt = cluster.clock.monotonic();
    expect((await cluster.clock.run(outcome)).kind).toBe('committed');
    expect(cluster.clock.monotonic() - servingAt).toBeLessThan(50);
    await cluster.close();
  });

  it('given the disks of both followers hang, then nothing is acknowledged until one of them goes on', async () => {
    const cluster = await NodeCluster.started(23, ['a', 'b', 'c']);
    const { leader } = cluster;
    const releases = cluster.followers().map(({ id }) => cluster.disk(id).hold());
    let answer: ProposalOutcome | undefined;
    const outcome = leader?.node.propose(new TextEncoder().encode('x')).then((told) => {
      answer = told;
    });
    await cluster.clock.advance(1000);
    expect(answer).toBeUndefined();
    expect(leader?.machine.texts).toEqual([]);
    for (const release of releases) release();
    await cluster.clock.run(outcome ?? Promise.reject());
    expect(answer?.kind).toBe('committed');
    await cluster.close();
  });
});
