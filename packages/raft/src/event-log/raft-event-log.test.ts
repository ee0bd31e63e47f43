import type { AppendOutcome } from '@skep/core/log';
import { RecordingMachine } from '@skep/core/log/conformance';
import { describe, expect, it } from 'vitest';
import { TestCluster } from '../node/test-support/cluster.ts';
import { RaftEventLog } from './raft-event-log.ts';

const VOTERS = ['a', 'b', 'c'];

interface Managed {
  readonly log: RaftEventLog;
  readonly machine: RecordingMachine;
  sequence: number;
}

async function threeLogs(seed: number) {
  const cluster = new TestCluster(seed);
  const logs = new Map<string, Managed>();
  for (const id of VOTERS) {
    const log = new RaftEventLog(cluster.parts(id, VOTERS));
    const machine = new RecordingMachine();
    logs.set(id, { log, machine, sequence: 0 });
    await log.open(machine);
  }
  const leading = () => [...logs].filter(([, { log }]) => log.leadership().role === 'leader');
  const leader = async () => {
    await cluster.clock.runUntil(() => leading().length > 0);
    const [id, managed] =
      leading().sort(([, a], [, b]) => b.log.leadership().epoch - a.log.leadership().epoch)[0] ?? [];
    if (id === undefined || managed === undefined) throw new Error('nobody leads');
    return { id, ...managed };
  };
  const close = async () => {
    for (const { log } of logs.values()) await log.close();
  };
  return { cluster, logs, leader, close };
}

function send(log: RaftEventLog, epoch: number, from: number, count: number): Promise<AppendOutcome>[] {
  return Array.from({ length: count }, (_, index) =>
    log.append({
      at: 1,
      payload: new TextEncoder().encode(`${epoch}/${from + index}`),
      epoch,
      sequence: from + index,
    }),
  );
}

describe('an event log of three members', () => {
  it('given a leader cut off under load, then its outcomes are true, and another serves within a second', async () => {
    const { cluster, logs, leader, close } = await threeLogs(31);
    const first = await leader();
    const { epoch } = first.log.leadership();
    const acknowledged = await cluster.clock.run(Promise.all(send(first.log, epoch, 1, 200)));
    const ended: string[] = [];
    first.log.whileLeader(async ({ signal }) => {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
      ended.push('aborted');
    });
    cluster.network.isolate(first.id);
    const cutOffAt = cluster.clock.monotonic();
    const inFlight = send(first.log, epoch, 201, 100);
    const others = [...logs].filter(([id]) => id !== first.id).map(([, managed]) => managed);
    await cluster.clock.runUntil(() => others.some(({ log }) => log.leadership().role === 'leader'));
    expect(cluster.clock.monotonic() - cutOffAt).toBeLessThan(1000);
    const second = others.find(({ log }) => log.leadership().role === 'leader');
    if (second === undefined) throw new Error('nobody leads');
    const outcomes = await cluster.clock.run(Promise.all(inFlight));
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['unknown']));
    expect(ended).toEqual(['aborted']);
    expect((await send(first.log, epoch, 301, 1)[0])?.kind).toBe('rejected');
    const next = second.log.leadership().epoch;
    expect(next).toBeGreaterThan(epoch);
    await cluster.clock.run(Promise.all(send(second.log, next, 1, 50)));
    cluster.network.heal();
    await cluster.clock.runUntil(() => first.machine.count === second.machine.count);
    expect(acknowledged.every(({ kind }) => kind === 'committed')).toBe(true);
    const digests = [...logs.values()].map(({ machine }) => machine.digest());
    expect(new Set(digests).size).toBe(1);
    expect(first.machine.count).toBe(250);
    await close();
  });

  it('given a follower, then it refuses appends, follows the leader, and its barrier sees what was acknowledged', async () => {
    const { cluster, logs, leader, close } = await threeLogs(32);
    const first = await leader();
    const { epoch } = first.log.leadership();
    const [follower] = [...logs.values()].filter(({ log }) => log !== first.log);
    if (follower === undefined) throw new Error('no follower');
    const [last] = await cluster.clock.run(Promise.all(send(first.log, epoch, 1, 1)));
    await cluster.clock.run(follower.log.barrier());
    expect(follower.machine.position).toBe(last?.kind === 'committed' ? last.position : -1);
    expect(follower.log.leadership()).toEqual({ role: 'follower', epoch, leader: first.id });
    expect(
      await follower.log.append({ at: 0, payload: new Uint8Array(1), epoch, sequence: 1 }),
    ).toMatchObject({
      kind: 'rejected',
      reason: 'not-leader',
    });
    await close();
  });

  it('given a disk that hangs at the leader, then an append that only the others have committed is unknown in time', async () => {
    const { cluster, leader, close } = await threeLogs(33);
    const first = await leader();
    const { epoch } = first.log.leadership();
    const release = cluster.disk(first.id).hold();
    const [append] = send(first.log, epoch, 1, 1);
    expect(await cluster.clock.run(append ?? Promise.reject())).toMatchObject({ kind: 'unknown' });
    release();
    await close();
  });

  it('given a full disk at the leader, then appends are refused, reads go on, and with room nothing is lost', async () => {
    const { cluster, leader, close, logs } = await threeLogs(35);
    const first = await leader();
    const { epoch } = first.log.leadership();
    const [before] = send(first.log, epoch, 1, 1);
    await cluster.clock.run(before ?? Promise.reject());
    const free = cluster.disk(first.id).fill();
    const [inFlight] = send(first.log, epoch, 2, 1);
    await cluster.clock.advance(50);
    const [refused] = send(first.log, epoch, 3, 1);
    expect(await refused).toMatchObject({ kind: 'rejected', reason: 'disk-full' });
    expect(first.log.status().failure?.reason).toBe('disk-full');
    const read: number[] = [];
    for await (const { sequence } of first.log.read({ after: 0 })) read.push(sequence);
    expect(read).toEqual([1]);
    free();
    expect(await cluster.clock.run(inFlight ?? Promise.reject())).toMatchObject({ kind: 'committed' });
    expect(first.log.status().failure).toBeUndefined();
    const [next] = send(first.log, epoch, 3, 1);
    expect(await cluster.clock.run(next ?? Promise.reject())).toMatchObject({ kind: 'committed' });
    await cluster.clock.runUntil(() => [...logs.values()].every(({ machine }) => machine.count === 3));
    await close();
  });

  it('then its capabilities say what it is made of', async () => {
    const { close, logs } = await threeLogs(34);
    expect(logs.get('a')?.log.capabilities).toMatchObject({
      durable: false,
      replicated: true,
      membership: true,
      transfer: true,
      leaseReads: false,
    });
    await close();
  });
});
