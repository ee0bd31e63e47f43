import { connect } from 'node:net';
import { seededRandom, systemClock } from '@skep/core/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { configurationOf } from '../../core/membership.ts';
import type { InstallSnapshot } from '../../core/message.ts';
import type { RaftMetricLabels, RaftMetrics } from '../../node/ports.ts';
import { RaftNode } from '../../node/raft-node.ts';
import { KeepingMachine } from '../../node/test-support/keeping-machine.ts';
import { MemoryDisk } from '../../storage/memory-storage.ts';
import { framed } from '../../transport/framing.ts';
import type { PeerMessage } from '../../transport/peer-message.ts';
import { TestAuthority } from '../test-support/certificates.ts';
import { encodeGreeting } from './greeting.ts';
import { parseAddress, type TcpTransportOptions, type TcpTransportTls } from './options.ts';
import { TcpTransport } from './tcp-transport.ts';

const closing: (() => Promise<void>)[] = [];
let seed = 0;

afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** Counts, and lets a test wait for a count. */
class AwaitedMetrics implements RaftMetrics {
  readonly counts = new Map<string, number>();
  readonly #waiting = new Map<string, (count: number) => void>();

  count(name: string, by: number, labels: RaftMetricLabels = {}): void {
    const key = [name, ...Object.values(labels)].join(' ');
    const count = (this.counts.get(key) ?? 0) + by;
    this.counts.set(key, count);
    this.#waiting.get(key)?.(count);
  }

  gauge(): void {}

  observe(): void {}

  async counted(key: string, least = 1): Promise<void> {
    if ((this.counts.get(key) ?? 0) >= least) return;
    await new Promise<void>((resolve) => {
      this.#waiting.set(key, (count) => {
        if (count >= least) resolve();
      });
    });
  }
}

/** What arrives, to be awaited one by one. */
class Inbox {
  readonly #messages: PeerMessage[] = [];
  #wake = () => {};

  readonly take = async (): Promise<PeerMessage> => {
    for (;;) {
      const message = this.#messages.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  };

  readonly put = (message: PeerMessage): void => {
    this.#messages.push(message);
    this.#wake();
  };
}

function transport(id: string, options: Partial<TcpTransportOptions> = {}) {
  const metrics = new AwaitedMetrics();
  const made = new TcpTransport({
    id,
    cluster: 'test',
    listen: { host: '127.0.0.1', port: 0 },
    clock: systemClock,
    random: seededRandom(++seed),
    retryMsMin: 5,
    retryMsMax: 20,
    metrics,
    ...options,
  });
  closing.push(() => made.close());
  return { transport: made, metrics };
}

async function member(id: string, options: Partial<TcpTransportOptions> = {}) {
  const { transport: made, metrics } = transport(id, options);
  const inbox = new Inbox();
  const snapshots: Uint8Array[] = [];
  await made.start({
    message: inbox.put,
    snapshot: async (_, chunks) => {
      const parts: Uint8Array[] = [];
      for await (const chunk of chunks) parts.push(chunk);
      snapshots.push(Buffer.concat(parts));
    },
    unreachable: () => {},
  });
  return { id, transport: made, metrics, inbox, snapshots, address: await made.listen() };
}

function heartbeat(from: string, to: string, round = 0): PeerMessage {
  return { type: 'heartbeat', from, to, term: 1, commit: 0, round, sent: 0 };
}

function tlsOf(authority: TestAuthority, certified: string): TcpTransportTls {
  const context = authority.contextOf(certified);
  return { context: () => context, isMember: (id, { subject }) => subject?.CN === id };
}

describe.each(['plain TCP', 'mutual TLS'])('over %s', (kind) => {
  const authority = new TestAuthority();
  const secured = (id: string): Partial<TcpTransportOptions> =>
    kind === 'mutual TLS' ? { tls: tlsOf(authority, id) } : {};

  it('given two members, then messages pass in order, and the one that was dialled can answer', async () => {
    const a = await member('a', secured('a'));
    const b = await member('b', secured('b'));
    a.transport.setAddress('b', b.address);
    for (let round = 0; round < 100; round++) a.transport.send(heartbeat('a', 'b', round));
    for (let round = 0; round < 100; round++)
      expect(await b.inbox.take()).toEqual(heartbeat('a', 'b', round));
    b.transport.send(heartbeat('b', 'a'));
    expect(await a.inbox.take()).toEqual(heartbeat('b', 'a'));
  });

  it('given a snapshot, then it arrives whole', async () => {
    const a = await member('a', secured('a'));
    const b = await member('b', secured('b'));
    a.transport.setAddress('b', b.address);
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, index) => index % 251);
    const message: InstallSnapshot = {
      type: 'install-snapshot',
      from: 'a',
      to: 'b',
      term: 1,
      snapshot: { index: 5, term: 1, configuration: configurationOf(['a', 'b']) },
    };
    await a.transport.sendSnapshot(
      message,
      (async function* () {
        for (let at = 0; at < bytes.length; at += 100_000) yield bytes.subarray(at, at + 100_000);
      })(),
    );
    expect(Buffer.compare(b.snapshots[0] ?? new Uint8Array(0), bytes)).toBe(0);
  });

  it('given a member that comes back elsewhere, then it is dialled again at its new address', async () => {
    const a = await member('a', secured('a'));
    const b = await member('b', secured('b'));
    a.transport.setAddress('b', b.address);
    a.transport.send(heartbeat('a', 'b'));
    await b.inbox.take();
    await b.transport.close();
    await a.metrics.counted('raft_connections_total lost');
    const again = await member('b', secured('b'));
    a.transport.setAddress('b', again.address);
    a.transport.send(heartbeat('a', 'b', 2));
    expect(await again.inbox.take()).toEqual(heartbeat('a', 'b', 2));
  });

  it('given a member that comes back at the same address, then it is dialled until it is there', async () => {
    const a = await member('a', secured('a'));
    const b = await member('b', secured('b'));
    a.transport.setAddress('b', b.address);
    a.transport.send(heartbeat('a', 'b'));
    await b.inbox.take();
    await b.transport.close();
    await a.metrics.counted('raft_connections_total lost');
    a.metrics.counts.delete('raft_connections_total made');
    const again = await member('b', { ...secured('b'), listen: parseAddress(b.address) });
    await a.metrics.counted('raft_connections_total made');
    a.transport.send(heartbeat('a', 'b', 3));
    expect(await again.inbox.take()).toEqual(heartbeat('a', 'b', 3));
  });

  it('given a member of another cluster, then it is refused, and both sides know why', async () => {
    const a = await member('a', { ...secured('a'), cluster: 'other' });
    const b = await member('b', secured('b'));
    a.transport.setAddress('b', b.address);
    await b.metrics.counted('raft_messages_refused_total wrong-cluster');
    await a.metrics.counted('raft_connections_total wrong-cluster');
  });

  it('given a member that speaks for another, then its connection ends', async () => {
    const a = await member('a', secured('a'));
    const b = await member('b', secured('b'));
    a.transport.setAddress('b', b.address);
    a.transport.send({ ...heartbeat('c', 'b') });
    await b.metrics.counted('raft_messages_refused_total stranger');
  });

  it('given three nodes that lose their leader, then another serves, and nothing acknowledged is lost', async () => {
    const ids = ['a', 'b', 'c'];
    const transports = ids.map((id) => transport(id, secured(id)).transport);
    const addresses = await Promise.all(transports.map((each) => each.listen()));
    const bootstrap = configurationOf(
      ids,
      [],
      Object.fromEntries(ids.map((id, at) => [id, addresses[at] ?? ''])),
    );
    const nodes = transports.map((each, at) => {
      const machine = new KeepingMachine();
      const node = new RaftNode({
        id: ids[at] ?? '',
        machine,
        storage: new MemoryDisk().open(),
        transport: each,
        clock: systemClock,
        random: seededRandom(++seed),
        bootstrap,
      });
      closing.push(() => node.close());
      return { node, machine };
    });
    const leading = (among: typeof nodes) =>
      new Promise<(typeof nodes)[number]>((resolve) => {
        for (const each of among) {
          if (each.node.status.isServing) resolve(each);
          each.node.onStatus(({ isServing }) => isServing && resolve(each));
        }
      });
    await Promise.all(nodes.map(({ node }) => node.start()));
    const first = await leading(nodes);
    const [follower] = nodes.filter((each) => each !== first);
    const texts = Array.from({ length: 50 }, (_, index) => `command ${index}`);
    const outcomes = await Promise.all(
      texts.map((text) => follower?.node.propose(new TextEncoder().encode(text))),
    );
    expect(outcomes.every((outcome) => outcome?.kind === 'committed')).toBe(true);
    await first.node.close();
    const survivors = nodes.filter((each) => each !== first);
    const second = await leading(survivors);
    await second.node.readBarrier();
    expect([...second.machine.texts].sort()).toEqual([...texts].sort());
  });
});

describe('the identity of members', () => {
  it.each(['the one who dials', 'the one who is dialled'])(
    'given a certificate of another member at %s, then it is refused',
    async (where) => {
      const authority = new TestAuthority();
      const isDialler = where === 'the one who dials';
      const a = await member('a', { tls: tlsOf(authority, isDialler ? 'x' : 'a') });
      const b = await member('b', { tls: tlsOf(authority, isDialler ? 'b' : 'x') });
      a.transport.setAddress('b', b.address);
      await a.metrics.counted('raft_connections_total stranger');
      if (isDialler) await b.metrics.counted('raft_messages_refused_total stranger');
      expect(b.metrics.counts.get('raft_connections_total made')).toBeUndefined();
    },
  );

  it('given a certificate of another authority, then the handshake fails and is counted', async () => {
    const a = await member('a', { tls: tlsOf(new TestAuthority('other'), 'a') });
    const b = await member('b', { tls: tlsOf(new TestAuthority(), 'b') });
    a.transport.setAddress('b', b.address);
    await a.metrics.counted('raft_connections_total lost');
    expect(a.metrics.counts.get('raft_connections_total made')).toBeUndefined();
  });
});

describe('what is no member', () => {
  /** Connects, sends, and resolves when the other side has ended it. */
  function raw(address: string, ...frames: readonly Uint8Array[]): Promise<void> {
    return new Promise((resolve) => {
      const socket = connect(parseAddress(address), () => {
        socket.write(framed(frames));
      });
      socket.on('error', () => {});
      socket.on('data', () => {});
      socket.on('close', () => resolve());
    });
  }

  const greeting = encodeGreeting({ cluster: 'test', from: 'z', to: 'b', address: '127.0.0.1:1' });

  it.each([
    ['bytes that are no greeting', [Uint8Array.of(1, 2, 3)], 'garbled-frame'],
    ['a greeting that is too long', [new Uint8Array(5000)], 'frame-too-large'],
    ['a greeting and then garbage', [greeting, Uint8Array.of(0xc1)], 'garbled-frame'],
    [
      'a greeting for another',
      [encodeGreeting({ cluster: 'test', from: 'z', to: 'q', address: 'h:1' })],
      'stranger',
    ],
    [
      'a greeting from nowhere',
      [encodeGreeting({ cluster: 'test', from: 'z', to: 'b', address: 'nowhere' })],
      'garbled-frame',
    ],
  ])('given %s, then it is refused with a typed error and counted', async (_, frames, code) => {
    const b = await member('b');
    await raw(b.address, ...frames);
    await b.metrics.counted(`raft_messages_refused_total ${code}`);
  });

  it('given a connection that says nothing, then it is refused in time and counted', async () => {
    const b = await member('b', { greetingTimeoutMs: 20 });
    await raw(b.address);
    await b.metrics.counted('raft_messages_refused_total silent');
  });

  it('given any number of strangers, then a bounded number is taken, nobody is dialled whose connection is over, and a member still gets in', async () => {
    const b = await member('b');
    const strangers = Array.from({ length: 100 }, (_, at) => {
      const socket = connect(parseAddress(b.address), () => {
        const hello = encodeGreeting({ cluster: 'test', from: `z${at}`, to: 'b', address: '127.0.0.1:1' });
        socket.write(framed([hello]));
      });
      socket.on('error', () => {});
      socket.resume();
      return socket;
    });
    await b.metrics.counted('raft_messages_refused_total busy', 36);
    const a = await member('a');
    b.transport.setAddress('a', a.address);
    a.transport.setAddress('b', b.address);
    a.transport.send(heartbeat('a', 'b'));
    expect(await b.inbox.take()).toEqual(heartbeat('a', 'b'));
    for (const socket of strangers) socket.destroy();
    const c = await member('c');
    c.transport.setAddress('b', b.address);
    await c.metrics.counted('raft_connections_total made');
    for (let at = 0; at < strangers.length; ) {
      const before = b.metrics.counts.get('raft_messages_dropped_total no-address') ?? 0;
      b.transport.send(heartbeat('b', `z${at}`));
      const after = b.metrics.counts.get('raft_messages_dropped_total no-address') ?? 0;
      if (after > before) at++;
      else await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it('given a member that was removed, when it comes back, then it is refused as a stranger', async () => {
    const b = await member('b');
    b.transport.setAddress('z', '127.0.0.1:1');
    b.transport.setAddress('z', undefined);
    await raw(b.address, greeting);
    await b.metrics.counted('raft_messages_refused_total stranger');
  });

  it('given connections that never begin a handshake, then they are refused in time, and hold up no close', async () => {
    const options = { tls: tlsOf(new TestAuthority(), 'b') };
    const patient = await member('b', options);
    const left = new Promise<void>((resolve) => {
      const socket = connect(parseAddress(patient.address), () => void patient.transport.close());
      socket.on('error', () => {});
      socket.on('close', () => resolve());
    });
    await left;
    await patient.transport.close();
    const hasty = await member('b', { ...options, greetingTimeoutMs: 20 });
    await raw(hasty.address);
    await hasty.metrics.counted('raft_messages_refused_total stranger');
  });

  it('given a header that announces more than the limit, then nothing of it is awaited', async () => {
    const b = await member('b', { frameBytesMax: 10_000 });
    const oversized = new Uint8Array(10_001);
    await raw(b.address, greeting, oversized);
    await b.metrics.counted('raft_messages_refused_total frame-too-large');
  });

  it.each(['nowhere', 'host:0', 'host:70000', ':1', 'a:b:1'])(
    'given the address %s, then it is refused',
    (address) => {
      expect(() => parseAddress(address)).toThrow(expect.objectContaining({ code: 'invalid-argument' }));
    },
  );
});
