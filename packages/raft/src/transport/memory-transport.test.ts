import { SimulatedClock, seededRandom } from '@skep/core/testing';
import { describe, expect, it } from 'vitest';
import { configurationOf } from '../core/membership.ts';
import type { InstallSnapshot } from '../core/message.ts';
import { CountingMetrics } from '../node/test-support/cluster.ts';
import { encodeFrame } from './frame.ts';
import { MemoryNetwork, type MemoryNetworkOptions } from './memory-transport.ts';
import type { PeerMessage } from './peer-message.ts';

const HEARTBEAT = { type: 'heartbeat', from: 'a', to: 'b', term: 1, commit: 0, round: 0, sent: 0 } as const;
const INSTALL: InstallSnapshot = {
  type: 'install-snapshot',
  from: 'a',
  to: 'b',
  term: 1,
  snapshot: { index: 5, term: 1, configuration: configurationOf(['a', 'b']) },
};

async function two(options: Partial<MemoryNetworkOptions> = {}) {
  const clock = new SimulatedClock();
  const network = new MemoryNetwork({ clock, random: seededRandom(1), ...options });
  const metrics = new CountingMetrics();
  const a = network.join('a');
  const b = network.join('b', metrics);
  const seen: PeerMessage[] = [];
  const lost: string[] = [];
  let received: Uint8Array = new Uint8Array(0);
  let attempts = 0;
  await a.start({ message: () => {}, snapshot: async () => {}, unreachable: (member) => lost.push(member) });
  await b.start({
    message: (message) => seen.push(message),
    snapshot: async (_, chunks) => {
      attempts++;
      const parts: number[] = [];
      for await (const chunk of chunks) parts.push(...chunk);
      received = Uint8Array.from(parts);
    },
    unreachable: () => {},
  });
  return { clock, network, metrics, a, b, seen, lost, received: () => received, attempts: () => attempts };
}

async function* inChunks(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const BYTES = Uint8Array.from({ length: 50_000 }, (_, index) => (index * 7) % 256);

describe('the memory transport', () => {
  it('given a message, then it arrives after the latency', async () => {
    const { clock, a, seen } = await two({ latencyMs: 5 });
    a.send(HEARTBEAT);
    await clock.advance(4);
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual([HEARTBEAT]);
  });

  it('given garbled, oversized and forged frames, then they are refused and counted, and the next one arrives', async () => {
    const { clock, network, metrics, a, seen } = await two({ frameBytesMax: 1000 });
    network.carry('a', 'b', Uint8Array.of(0xc1, 1, 2));
    network.carry('a', 'b', new Uint8Array(1001));
    network.carry('a', 'b', encodeFrame({ ...HEARTBEAT, from: 'c' }));
    a.send(HEARTBEAT);
    await clock.advance(10);
    expect(seen).toEqual([HEARTBEAT]);
    expect([...metrics.counts]).toEqual([
      ['raft_messages_refused_total garbled-frame', 1],
      ['raft_messages_refused_total frame-too-large', 1],
      ['raft_messages_refused_total stranger', 1],
    ]);
  });

  it('given a member that is gone, then its sender is told', async () => {
    const { clock, a, b, lost } = await two();
    await b.close();
    a.send(HEARTBEAT);
    await clock.advance(10);
    expect(lost).toEqual(['b']);
  });

  it.each([0, 0.2])('given a snapshot and a loss of %s, then it arrives whole', async (loss) => {
    const shipping = { chunkBytes: 1000, windowBytes: 8000 };
    const { clock, a, received } = await two({ loss, shipping, duplication: 0.1 });
    await clock.run(a.sendSnapshot(INSTALL, inChunks(BYTES, 1700)), { limitMs: 600_000 });
    expect(received()).toEqual(BYTES);
  });

  it('given a link that is cut for long, then a second shipping goes on where the first one stopped', async () => {
    const shipping = { chunkBytes: 1000, windowBytes: 4000, giveUpMs: 3000 };
    const { clock, network, a, received, attempts } = await two({ shipping });
    const first = a.sendSnapshot(INSTALL, inChunks(BYTES, 1700)).catch((error) => error.code);
    await clock.advance(15);
    network.isolate('b');
    expect(await clock.run(first)).toBe('undelivered');
    network.heal();
    await clock.run(a.sendSnapshot(INSTALL, inChunks(BYTES, 1700)));
    expect(received()).toEqual(BYTES);
    expect(attempts()).toBe(1);
  });

  it('given a receiver that refuses, then the sender is told', async () => {
    const { clock, a, b } = await two();
    await b.start({
      message: () => {},
      snapshot: () => Promise.reject(new Error('no room')),
      unreachable: () => {},
    });
    const shipped = a.sendSnapshot(INSTALL, inChunks(BYTES, 1700)).catch((error) => error.code);
    expect(await clock.run(shipped)).toBe('undelivered');
  });
});
