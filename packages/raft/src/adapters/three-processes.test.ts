import { connect } from 'node:net';
import { seededRandom } from '@skep/core/testing';
import { afterEach, describe, expect, it } from 'vitest';
import type { RaftOptions } from '../core/options.ts';
import { parseAddress } from './tcp-transport/options.ts';
import { ProcessClients } from './test-support/process-clients.ts';
import { ProcessCluster } from './test-support/process-cluster.ts';

const PROGRAM = new URL('test-support/keeping-member.ts', import.meta.url);

/** Processes take their time to start on a busy machine. */
const TIMEOUT_MS = 180_000;

/** Patient enough that a machine which is busy with other things elects nobody by itself. */
const PATIENT = { electionTicksMin: 150, electionTicksMax: 240 };

/** Longer than any of those. */
const PAUSE_MS = 4000;

type History = readonly (readonly [index: number, text: string])[];

let running: ProcessCluster | undefined;

afterEach(async () => {
  await running?.close();
  running = undefined;
});

async function threeProcesses(raft: Partial<RaftOptions> = {}): Promise<ProcessCluster> {
  running = await ProcessCluster.start({
    ids: ['a', 'b', 'c'],
    program: PROGRAM,
    options: { snapshotEntries: 2000, raft },
  });
  return running;
}

/** What each member has applied, once all are as far as a barrier at each of them says. */
async function histories(cluster: ProcessCluster): Promise<History[]> {
  const members = [...cluster.members.values()];
  for (const member of members) await member.call('read');
  return Promise.all(members.map((member) => member.call<History>('applied')));
}

/** Every member tells the same, every acknowledged command is there once, and where its client was told it is. */
async function expectConsistent(cluster: ProcessCluster, clients: ProcessClients): Promise<void> {
  const [first = [], ...others] = await histories(cluster);
  for (const other of others) expect(other).toEqual(first);
  const texts = first.map(([, text]) => text);
  expect(new Set(texts).size).toBe(texts.length);
  const indexes = new Map(first.map(([index, text]) => [text, index]));
  for (const { text, index } of clients.acknowledged) expect(indexes.get(text)).toBe(index);
  expect(clients.staleReads).toEqual([]);
}

describe('three processes on sealed disks, over mutual TLS', { timeout: TIMEOUT_MS }, () => {
  it('given load, when leaders are killed, twice in a row too, then nothing acknowledged is lost or done twice', async () => {
    const cluster = await threeProcesses();
    const clients = new ProcessClients(cluster, seededRandom(1), 16);
    for (let round = 0; round < 3; round++) {
      await clients.more(400);
      const first = await cluster.serving();
      await cluster.kill(first.id);
      const second = await cluster.serving(first.id);
      await clients.more(200);
      // The one that comes back has to help to elect the next: the new leader goes before it is up to date.
      await cluster.start(first.id);
      await cluster.kill(second.id);
      await cluster.serving(second.id);
      await clients.more(200);
      await cluster.start(second.id);
    }
    await clients.more(200);
    await clients.stop();
    await expectConsistent(cluster, clients);
    expect(clients.acknowledged.length).toBeGreaterThanOrEqual(3000);
    expect(clients.reads).toBeGreaterThan(0);
  });

  it('given all are killed at once amid writes, when they come back, then all that was acknowledged is there', async () => {
    const cluster = await threeProcesses();
    const clients = new ProcessClients(cluster, seededRandom(2), 16);
    await clients.more(500);
    await Promise.all(['a', 'b', 'c'].map((id) => cluster.kill(id)));
    await Promise.all(['a', 'b', 'c'].map((id) => cluster.start(id)));
    await clients.more(500);
    await clients.stop();
    await expectConsistent(cluster, clients);
  });

  it('given a follower that stands still for 300 ms, or for long, then nobody new is elected', async () => {
    const cluster = await threeProcesses(PATIENT);
    const clients = new ProcessClients(cluster, seededRandom(3), 4);
    await clients.more(100);
    const leader = await cluster.serving();
    const term = leader.status?.term;
    const [follower] = cluster.followers;
    if (follower === undefined) expect.fail('nobody follows');
    for (const ms of [300, 300, PAUSE_MS]) {
      follower.signal('SIGSTOP');
      await leader.call('pass', ms);
      follower.signal('SIGCONT');
      await clients.more(100);
      await leader.call('pass', 300);
    }
    await clients.stop();
    await expectConsistent(cluster, clients);
    for (const { status } of cluster.members.values())
      expect(status).toMatchObject({ term, leader: leader.id });
  });

  it('given a leader that stands still, then another serves, and the old one follows when it wakes', async () => {
    const cluster = await threeProcesses();
    const clients = new ProcessClients(cluster, seededRandom(4), 4);
    await clients.more(100);
    const old = await cluster.serving();
    old.signal('SIGSTOP');
    const next = await cluster.serving(old.id);
    old.signal('SIGCONT');
    await cluster.until(() => old.status?.leader === next.id);
    await clients.more(100);
    await clients.stop();
    await expectConsistent(cluster, clients);
  });

  it('given bytes of strangers, then they are refused and counted, and nothing changes', async () => {
    const cluster = await threeProcesses(PATIENT);
    const clients = new ProcessClients(cluster, seededRandom(5), 4);
    await clients.more(50);
    const leader = await cluster.serving();
    const { term } = leader.status ?? {};
    const random = seededRandom(6);
    for (const { address = '' } of cluster.members.values()) {
      for (let attempt = 0; attempt < 5; attempt++) {
        const garbage = Uint8Array.from({ length: 2000 }, () => Math.floor(random.next() * 256));
        await untilRefused(address, garbage);
      }
    }
    await clients.more(50);
    await clients.stop();
    await expectConsistent(cluster, clients);
    for (const member of cluster.members.values()) {
      const counts = await member.call<ReadonlyMap<string, number>>('counts');
      expect(counts.get('raft_messages_refused_total stranger')).toBeGreaterThanOrEqual(5);
      expect(member.status).toMatchObject({ term, leader: leader.id });
    }
  });

  it('given a member that comes back elsewhere, when its address is changed, then each leader finds it there', async () => {
    const cluster = await threeProcesses();
    const clients = new ProcessClients(cluster, seededRandom(7), 4);
    await clients.more(100);
    const leader = await cluster.serving();
    const [moved, other] = cluster.followers;
    if (moved === undefined || other === undefined) expect.fail('nobody follows');
    await cluster.kill(moved.id);
    const back = await cluster.start(moved.id, { port: 0 });
    expect(back.address).not.toBe(moved.address);
    const change = [{ kind: 'set-address', member: moved.id, address: back.address }];
    expect(await leader.call('changeMembers', change)).toMatchObject({ kind: 'committed' });
    await back.call('read');
    await cluster.kill(leader.id);
    await cluster.serving(leader.id);
    await clients.more(100);
    await cluster.start(leader.id);
    await clients.stop();
    await expectConsistent(cluster, clients);
    for (const { id, status } of cluster.members.values()) {
      if (id !== moved.id) expect(status?.configuration.addresses[moved.id]).toBe(back.address);
    }
  });
});

/** Sends bytes that are no TLS, and waits until the other side has ended the connection. */
function untilRefused(address: string, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(parseAddress(address), () => socket.write(bytes));
    socket.on('error', () => {});
    socket.on('data', () => {});
    socket.on('close', () => resolve());
  });
}
