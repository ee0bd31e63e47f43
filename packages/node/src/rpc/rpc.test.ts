import { connect } from 'node:tls';
import { PreconditionError, VersionConflictError } from '@skep/core';
import { systemClock } from '@skep/core/member';
import { SimulatedClock } from '@skep/core/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { formatJoinToken } from '../security/join-token.ts';
import { until } from '../test-support/machines.ts';
import { codeOf, TestCluster } from '../test-support/test-cluster.ts';
import { parseAddress } from './address.ts';
import type { RpcChannel } from './channel.ts';
import { FRAME } from './frame.ts';
import { decodedBy, type Method, UNARY_DEADLINE_MS } from './method.ts';
import type { NodeCall } from './server.ts';

const text = decodedBy(z.string());
const number = decodedBy(z.number());

const echo: Method<'unary', string, string> = {
  ...{ name: 'test.echo', kind: 'unary', callers: ['manager', 'worker'], answeredBy: 'any' },
  ...{ request: text, response: text },
};
const forManagers: Method<'unary', string, string> = { ...echo, name: 'test.managers', callers: ['manager'] };
const forAnyone: Method<'unary', string, string> = { ...echo, name: 'test.anyone', callers: 'anyone' };
const count: Method<'server-stream', number, number> = {
  ...{ name: 'test.count', kind: 'server-stream', callers: ['manager', 'worker'], answeredBy: 'any' },
  ...{ request: number, response: number },
};
const sum: Method<'duplex', number, number> = { ...count, name: 'test.sum', kind: 'duplex' };
const forManagersOn: Method<'server-stream', number, number> = {
  ...count,
  ...{ name: 'test.on', callers: ['manager'] },
};
const atLeader: Method<'unary', string, string> = { ...echo, name: 'test.leader', answeredBy: 'leader' };

let cluster: TestCluster;

beforeEach(async () => {
  cluster = await TestCluster.create();
});

afterEach(async () => {
  await cluster[Symbol.asyncDispose]();
});

const answer = async (request: string) => `${request}!`;

async function* numbersTo(end: number): AsyncGenerator<number> {
  for (let at = 1; at <= end; at++) yield at;
}

async function bytesOf(stream: AsyncIterable<unknown>): Promise<string> {
  const bytes: Buffer[] = [];
  for await (const chunk of stream) bytes.push(chunk as Buffer);
  return Buffer.concat(bytes).toString();
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of stream) found.push(each);
  return found;
}

describe('given a manager and a node of its cluster', () => {
  it('when the node asks, then it is answered, on one connection again and again', async () => {
    const { address } = await cluster.serve([[echo, answer]]);
    const channel = cluster.channel(address, await cluster.credentialsOf({ nodeId: 'w', role: 'worker' }));
    expect(await channel.unary(echo, 'one')).toBe('one!');
    expect(await Promise.all(['two', 'three'].map((word) => channel.unary(echo, word)))).toEqual([
      'two!',
      'three!',
    ]);
  });

  it('when streams go one way or both, then all messages come in order', async () => {
    const { address } = await cluster.serve([
      [count, numbersTo],
      [
        sum,
        async function* (numbers: AsyncIterable<number>) {
          let total = 0;
          for await (const each of numbers) {
            total += each;
            yield total;
          }
        },
      ],
    ]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    expect(await all(channel.serverStream(count, 5))).toEqual([1, 2, 3, 4, 5]);
    expect(await all(channel.duplex(sum, numbersTo(4)))).toEqual([1, 3, 6, 10]);
  });

  it('when the reader is slow, then the writer waits', async () => {
    let written = 0;
    const large = 'x'.repeat(100_000);
    const many: Method<'server-stream', number, string> = { ...count, name: 'test.many', response: text };
    const { address } = await cluster.serve([
      [
        many,
        async function* (end: number) {
          for (; written < end; written++) yield large;
        },
      ],
    ]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    const stream = channel.serverStream(many, 1000);
    await stream.next();
    // One turn of a call there and back: what could be written without room for it would be by now.
    await channel.unary({ ...echo, name: 'test.absent' }, '').catch(() => {});
    expect(written).toBeLessThan(100);
    await stream.return();
  });

  it('when the one who answers is slow to read, then the one who asks waits', async () => {
    let said = 0;
    const large = 'x'.repeat(100_000);
    const many: Method<'duplex', string, number> = { ...sum, name: 'test.upload', request: text };
    const { address } = await cluster.serve([
      [
        many,
        async function* (given: AsyncIterable<string>, { signal }: NodeCall) {
          for await (const { length } of given) {
            yield length;
            await new Promise((resolve) => signal.addEventListener('abort', resolve));
          }
        },
      ],
    ]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    const answers = channel.duplex(
      many,
      (async function* () {
        for (; said < 1000; said++) yield large;
      })(),
    );
    expect((await answers.next()).value).toBe(100_000);
    await channel.unary({ ...echo, name: 'test.absent' }, '').catch(() => {});
    expect(said).toBeLessThan(100);
    await answers.return();
  });

  it('when a caller names no time and says nothing more, then the call ends at its own deadline', async () => {
    const clock = new SimulatedClock({ startAt: Date.now() });
    await using later = await TestCluster.create('cluster-1', clock);
    const { address } = await later.serve([[echo, answer]]);
    const channel = later.channel(address, await later.credentialsOf());
    const stream = await channel.open({ ':method': 'POST', ':path': '/skep/1/test.echo' });
    const told = bytesOf(stream);
    // The head of the answer comes when the call has begun.
    await new Promise((resolve) => stream.once('response', resolve));
    await clock.advance(UNARY_DEADLINE_MS);
    expect(await told).toContain('DEADLINE_EXCEEDED');
  });

  it('when a frame announces more than is allowed, then it is refused before its body is there', async () => {
    const { address } = await cluster.serve([[{ ...echo, messageBytesMax: 1000 }, answer]]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    const stream = await channel.open({ ':method': 'POST', ':path': '/skep/1/test.echo' });
    stream.write(Uint8Array.of(FRAME.message, 0x7f, 0xff, 0xff, 0xff));
    expect(await bytesOf(stream)).toContain('TOO_LARGE');
  });

  it('when a handler throws an error of ours, then it comes with class, code and fields', async () => {
    const { address } = await cluster.serve([
      [
        echo,
        async (request: string) => {
          if (request === 'conflict') throw new VersionConflictError('service', 'id', 1, 2);
          if (request === 'precondition') throw new PreconditionError('not now');
          throw new Error('a secret is in here');
        },
      ],
    ]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    const conflict = await channel.unary(echo, 'conflict').catch((error: unknown) => error);
    expect(conflict).toBeInstanceOf(VersionConflictError);
    expect(conflict).toMatchObject({ code: 'VERSION_CONFLICT', expected: 1, actual: 2, kind: 'service' });
    await expect(channel.unary(echo, 'precondition')).rejects.toThrow('not now');
    const other = await channel.unary(echo, 'other').catch((error: unknown) => error);
    expect(other).toMatchObject({ code: 'INTERNAL', message: 'the other node failed' });
  });

  it('when the time is over or the caller gives up, then both sides hear of it', async () => {
    const reasons: Promise<string>[] = [];
    let onAsked = () => {};
    const { address } = await cluster.serve([
      [
        echo,
        (_: string, { signal }: NodeCall) => {
          const reason = new Promise<string>((resolve) => {
            signal.addEventListener('abort', () => resolve(signal.reason.code));
          });
          reasons.push(reason);
          onAsked();
          return reason;
        },
      ],
    ]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    expect(await codeOf(channel.unary(echo, '', { timeoutMs: 100 }))).toBe('DEADLINE_EXCEEDED');
    const controller = new AbortController();
    const isAsked = new Promise<void>((resolve) => {
      onAsked = resolve;
    });
    const asked = codeOf(channel.unary(echo, '', { signal: controller.signal }));
    await isAsked;
    controller.abort();
    expect(await asked).toBe('CANCELLED');
    expect(await reasons.at(-1)).toBe('CANCELLED');
  });

  it('when a message is over the limit or of another shape, then it is refused', async () => {
    const { address } = await cluster.serve([[{ ...echo, messageBytesMax: 1000 }, answer]]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    expect(await codeOf(channel.unary(echo, 'x'.repeat(2000)))).toBe('TOO_LARGE');
    const untyped = { ...echo, request: number } as unknown as Method<'unary', number, string>;
    expect(await codeOf(channel.unary(untyped, 7))).toBe('MALFORMED');
    expect(await codeOf(channel.unary({ ...echo, name: 'test.none' }, ''))).toBe('UNKNOWN_METHOD');
  });

  it('when the manager goes, then the call ends as lost, and the next one as unreachable', async () => {
    const { address, server } = await cluster.serve([[echo, () => new Promise(() => {})]]);
    const channel = cluster.channel(address, await cluster.credentialsOf());
    await channel.connect();
    const asked = codeOf(channel.unary(echo, ''));
    await new Promise((resolve) => setImmediate(resolve));
    await server.close();
    expect(['CONNECTION_LOST', 'CLOSED']).toContain(await asked);
  });
});

describe('given callers that are not what they should be', () => {
  const ask = (channel: RpcChannel, method: Method<'unary', string, string>) =>
    codeOf(channel.unary(method, 'x'));

  it('when one has no certificate, then it gets what anyone may have and nothing else', async () => {
    const { address } = await cluster.serve([
      [echo, answer],
      [forAnyone, answer],
    ]);
    const stranger = cluster.channel(address);
    expect(await ask(stranger, echo)).toBe('CERTIFICATE_MISSING');
    expect(await stranger.unary(forAnyone, 'x')).toBe('x!');
  });

  it('when a worker asks what is for managers, then its role is refused', async () => {
    const { address } = await cluster.serve([[forManagers, answer]]);
    const worker = cluster.channel(address, await cluster.credentialsOf({ nodeId: 'w', role: 'worker' }));
    expect(await ask(worker, forManagers)).toBe('WRONG_ROLE');
  });

  it('when a manager was demoted since, then its old certificate does not help', async () => {
    const { address } = await cluster.serve([[forManagers, answer]]);
    const manager = cluster.channel(address, await cluster.credentialsOf({ nodeId: 'm' }));
    expect(await manager.unary(forManagers, 'x')).toBe('x!');
    cluster.roles.set('m', 'worker');
    expect(await ask(manager, forManagers)).toBe('WRONG_ROLE');
  });

  it('when a node was removed, then it is refused on the connection that it has', async () => {
    const { address } = await cluster.serve([[echo, answer]]);
    const node = cluster.channel(address, await cluster.credentialsOf({ nodeId: 'w', role: 'worker' }));
    expect(await node.unary(echo, 'x')).toBe('x!');
    cluster.roles.delete('w');
    expect(await ask(node, echo)).toBe('NODE_REMOVED');
  });

  it('when a certificate is of another CA, expired, of tomorrow, or of another cluster, then each is told', async () => {
    const { address } = await cluster.serve([[echo, answer]]);
    await using other = await TestCluster.create('cluster-2');
    const { privateKey, chain } = (await other.credentialsOf()).texts;
    const own = await cluster.credentialsOf({ nodeId: 'mixed' });
    own.replace({ privateKey, chain });
    expect(await ask(cluster.channel(address, own), echo)).toBe('CERTIFICATE_UNTRUSTED');
    const day = 86_400_000;
    const expired = await cluster.credentialsOf({ issuedAt: Date.now() - 3 * day, validityMs: day });
    expect(await ask(cluster.channel(address, expired), echo)).toBe('CERTIFICATE_EXPIRED');
    const early = await cluster.credentialsOf({ issuedAt: Date.now() + day });
    expect(await ask(cluster.channel(address, early), echo)).toBe('CERTIFICATE_NOT_YET_VALID');
    const elsewhere = await cluster.credentialsOf({ clusterId: 'cluster-2' });
    expect(await ask(cluster.channel(address, elsewhere), echo)).toBe('WRONG_CLUSTER');
  });

  it('when who answers is no manager, of another CA, or not there, then nothing is asked of it', async () => {
    const worker = await cluster.credentialsOf({ nodeId: 'w', role: 'worker' });
    const { address } = await cluster.serve([[echo, answer]], { credentials: worker });
    const manager = await cluster.credentialsOf();
    expect(await ask(cluster.channel(address, manager), echo)).toBe('WRONG_ROLE');
    await using other = await TestCluster.create('cluster-2');
    const { address: strange } = await other.serve([[echo, answer]]);
    expect(await ask(cluster.channel(strange, manager), echo)).toBe('CERTIFICATE_UNTRUSTED');
    expect(await ask(cluster.channel('127.0.0.1:1', manager), echo)).toBe('UNREACHABLE');
  });
});

describe('given two managers, one of which leads', () => {
  async function both(handler: (request: string, call: NodeCall) => Promise<string>) {
    const leader = await cluster.serve([[atLeader, handler]]);
    const followersOwn = await cluster.credentialsOf({ nodeId: 'follower' });
    const onward = cluster.channel(leader.address, followersOwn);
    const follower = await cluster.serve([[atLeader, () => Promise.reject(new Error('it follows'))]], {
      credentials: followersOwn,
      leader: { isLeader: false, open: (headers, signal) => onward.open(headers, signal) },
    });
    return { leader, follower };
  }

  it('when a worker asks the one that follows, then the leader answers, and knows who asks', async () => {
    const { follower } = await both(async (request, { caller }) => {
      return `${request} ${caller.identity.nodeId} ${caller.identity.role} ${caller.via}`;
    });
    const worker = cluster.channel(
      follower.address,
      await cluster.credentialsOf({ nodeId: 'w', role: 'worker' }),
    );
    expect(await worker.unary(atLeader, 'hello')).toBe('hello w worker follower');
  });

  it('when the reader is slow, then the leader waits as well, though another manager is between them', async () => {
    let written = 0;
    const many: Method<'server-stream', number, string> = {
      ...{ ...count, name: 'test.many', response: text, answeredBy: 'leader' },
    };
    const leader = await cluster.serve([
      [
        many,
        async function* (end: number) {
          for (; written < end; written++) yield 'x'.repeat(100_000);
        },
      ],
    ]);
    const own = await cluster.credentialsOf({ nodeId: 'follower' });
    const onward = cluster.channel(leader.address, own);
    const follower = await cluster.serve([[many, () => Promise.reject(new Error('it follows'))]], {
      credentials: own,
      leader: { isLeader: false, open: (headers, signal) => onward.open(headers, signal) },
    });
    const worker = await cluster.credentialsOf({ nodeId: 'w', role: 'worker' });
    const channel = cluster.channel(follower.address, worker);
    const stream = channel.serverStream(many, 1000);
    await stream.next();
    for (const each of [channel, onward]) {
      await each.unary({ ...echo, name: 'test.absent' }, '').catch(() => {});
    }
    expect(written).toBeLessThan(150);
    await stream.return();
  });

  it('when the leader refuses, then the refusal comes back unchanged', async () => {
    const { follower } = await both(() => Promise.reject(new PreconditionError('not now')));
    const worker = cluster.channel(
      follower.address,
      await cluster.credentialsOf({ nodeId: 'w', role: 'worker' }),
    );
    expect(await codeOf(worker.unary(atLeader, 'hello'))).toBe('PRECONDITION_FAILED');
  });

  it('when a call was passed on to one that does not lead, then it goes no further', async () => {
    const first = await cluster.credentialsOf({ nodeId: 'first' });
    const second = await cluster.serve([[atLeader, answer]], {
      credentials: await cluster.credentialsOf({ nodeId: 'second' }),
      leader: { isLeader: false, open: () => Promise.reject(new Error('it would go round')) },
    });
    const onward = cluster.channel(second.address, first);
    const { address } = await cluster.serve([[atLeader, answer]], {
      credentials: first,
      leader: { isLeader: false, open: (headers, signal) => onward.open(headers, signal) },
    });
    const worker = cluster.channel(address, await cluster.credentialsOf({ nodeId: 'w', role: 'worker' }));
    expect(await codeOf(worker.unary(atLeader, 'hello'))).toBe('NOT_LEADER');
  });

  it('when a worker claims to speak for a manager, then it is refused', async () => {
    const { leader } = await both(answer);
    const worker = cluster.channel(
      leader.address,
      await cluster.credentialsOf({ nodeId: 'w', role: 'worker' }),
    );
    const stream = await worker.open({
      ':method': 'POST',
      ':path': '/skep/1/test.leader',
      'skep-caller': `server,manager,${cluster.clusterId}`,
    });
    expect(await bytesOf(stream)).toContain('WRONG_ROLE');
  });
});

describe('given a stream for managers alone that goes on', () => {
  it('when its caller is demoted or removed, then it ends, and the streams of others go on', async () => {
    const endless = async function* (first: number, { signal }: NodeCall) {
      yield first;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    };
    const { address, server } = await cluster.serve([[forManagersOn, endless]]);
    const open = async (nodeId: string) => {
      const channel = cluster.channel(address, await cluster.credentialsOf({ nodeId }));
      const stream = channel.serverStream(forManagersOn, 1);
      expect(await stream.next()).toMatchObject({ value: 1 });
      return { channel, end: codeOf(stream.next()) };
    };
    const [demoted, removed, stays] = await Promise.all(['a', 'b', 'c'].map(open));
    cluster.roles.set('a', 'worker');
    cluster.roles.delete('b');
    server.recheck();
    expect([await demoted?.end, await removed?.end]).toEqual(['WRONG_ROLE', 'WRONG_ROLE']);
    stays?.channel.close();
    expect(await stays?.end).toBe('CLOSED');
  });
});

describe('given a connection whose other side says nothing any more', () => {
  it('when it has given no sign of life for long, then the manager ends it', async () => {
    const timers: { readonly ms: number; readonly run: () => void }[] = [];
    const clock = {
      ...systemClock,
      setTimer: (ms: number, run: () => void) => {
        const timer = { ms, run };
        timers.push(timer);
        return () => void timers.splice(timers.indexOf(timer), timers.includes(timer) ? 1 : 0);
      },
    };
    await using quiet = await TestCluster.create('cluster-2', clock);
    const { address } = await quiet.serve([[echo, answer]]);
    const { context } = await quiet.credentialsOf({ nodeId: 'w', role: 'worker' });
    const { host, port } = parseAddress(address);
    const socket = connect({
      host,
      port,
      secureContext: context,
      ALPNProtocols: ['h2'],
      checkServerIdentity: () => undefined,
    });
    socket.on('error', () => {});
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    // A greeting of HTTP/2, and not another word.
    socket.write(
      Buffer.concat([
        Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
        Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
      ]),
    );
    socket.resume();
    for (let turn = 0; turn < 2; turn++) {
      await until(() => timers.some(({ ms }) => ms === 30_000));
      timers.find(({ ms }) => ms === 30_000)?.run();
      timers.splice(0, timers.length, ...timers.slice(1));
    }
    await closed;
  });
});

describe('given an address', () => {
  it('when a token or a key stands in its place, then it is refused without being shown', () => {
    const token = formatJoinToken({ rootDigest: new Uint8Array(32).fill(9), secret: 's'.repeat(25) });
    for (const text of [token, `${token}:2377`, 'SWMKEY-1-abcdef']) {
      expect(() => parseAddress(text, 'remote')).toThrow('remote must be host:port, not a token or a key');
    }
  });
});
