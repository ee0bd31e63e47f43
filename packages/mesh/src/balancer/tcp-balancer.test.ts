import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { systemClock } from '@skep/core/member';
import { afterEach, describe, expect, it } from 'vitest';
import { ask, clientOf, closedPort, heard, namedServer, serverOf } from '../testing/tcp-ends.ts';
import { type Target, TargetPool } from './target-pool.ts';
import { TcpBalancer, type TcpPolicy } from './tcp-balancer.ts';

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function named(id: string) {
  const server = await namedServer(id);
  stops.push(() => server[Symbol.asyncDispose]());
  return server;
}

async function serving(onConnection: (socket: Socket) => void) {
  const server = await serverOf('a', onConnection);
  stops.push(() => server[Symbol.asyncDispose]());
  return server;
}

async function balancerTo(targets: readonly Target[], policy: Partial<TcpPolicy> = {}) {
  const pool = new TargetPool('round-robin', systemClock);
  pool.update(targets, 'round-robin');
  const balancer = await TcpBalancer.listen({ pool, ...policy }, { host: '127.0.0.1', port: 0 });
  stops.push(() => balancer.destroy());
  return { pool, balancer, port: balancer.port };
}

/** Resolves once all connections are accounted for as ended. */
async function settled({ pool, balancer }: { pool: TargetPool; balancer: TcpBalancer }): Promise<void> {
  const isBusy = () => balancer.connections > 0 || pool.targets.some(({ connections }) => connections > 0);
  while (isBusy()) await new Promise((resolve) => setImmediate(resolve));
}

describe('given a TCP balancer', () => {
  it('when connections come, then they are spread, and none is left when they have ended', async () => {
    const to = await balancerTo([await named('a'), await named('b')]);
    expect([await ask(to.port, '1'), await ask(to.port, '2'), await ask(to.port, '3')]).toEqual([
      'a:1',
      'b:2',
      'a:3',
    ]);
    await settled(to);
  });

  it('when a target refuses, then the next one takes the connection with all that was said', async () => {
    const dead = { id: 'dead', host: '127.0.0.1', port: await closedPort() };
    const to = await balancerTo([dead, await named('b')]);
    expect(await Promise.all(['1', '2', '3'].map((text) => ask(to.port, text)))).toEqual([
      'b:1',
      'b:2',
      'b:3',
    ]);
    await settled(to);
  });

  it('when nobody takes a connection, then it is reset, and the balancer goes on', async () => {
    const to = await balancerTo([{ id: 'dead', host: '127.0.0.1', port: await closedPort() }]);
    await expect(ask(to.port, 'x')).rejects.toThrow(/ECONNRESET/);
    to.pool.update([], 'round-robin');
    await expect(ask(to.port, 'x')).rejects.toThrow(/ECONNRESET/);
    to.pool.update([await named('b')], 'round-robin');
    expect(await ask(to.port, 'x')).toBe('b:x');
  });

  it('when a target leaves, then its connections go on, and new ones go elsewhere at once', async () => {
    const echo = await serving((socket) => socket.pipe(socket));
    const to = await balancerTo([echo]);
    const client = await clientOf(to.port);
    client.write('before');
    expect(String((await once(client, 'data'))[0])).toBe('before');
    to.pool.update([await named('b')], 'round-robin');
    expect(await ask(to.port, 'x')).toBe('b:x');
    to.balancer.close();
    client.write('after');
    expect(String((await once(client, 'data'))[0])).toBe('after');
    client.end();
    expect(await heard(client)).toBe('');
    await settled(to);
  });

  it('when one side ends, then the other direction goes on', async () => {
    const late = await serving((socket) => {
      let said = '';
      socket.on('data', (chunk) => {
        said += chunk;
      });
      socket.on('end', () => socket.end(`you said ${said}`));
    });
    const to = await balancerTo([late]);
    expect(await ask(to.port, 'all of it')).toBe('you said all of it');
    const first = await serving((socket) => {
      socket.end('bye');
      socket.on('data', (chunk) => to.pool.update([{ ...late, id: String(chunk) }], 'round-robin'));
    });
    to.pool.update([first], 'round-robin');
    const client = await clientOf(to.port);
    expect(await heard(client)).toBe('bye');
    client.end('still here');
    while (!to.pool.has('still here')) await new Promise((resolve) => setImmediate(resolve));
    await settled(to);
  });

  it('when one side resets, then the other is reset', async () => {
    const to = await balancerTo([
      await serving((socket) => socket.once('data', () => socket.resetAndDestroy())),
    ]);
    await expect(ask(to.port, 'x')).rejects.toThrow(/ECONNRESET/);
    const errors: Promise<unknown[]>[] = [];
    const taken: (() => void)[] = [];
    to.pool.update(
      [
        await serving((socket) => {
          errors.push(once(socket, 'error').catch((error: unknown) => [error]));
          socket.once('data', () => taken.shift()?.());
        }),
      ],
      'round-robin',
    );
    const client = await clientOf(to.port);
    const isTaken = new Promise<void>((resolve) => taken.push(resolve));
    client.write('x');
    await isTaken;
    client.resetAndDestroy();
    expect(await errors[0]).toMatchObject([{ code: 'ECONNRESET' }]);
    await settled(to);
  });

  it('when much is sent to somebody slow, then nothing is lost, and no more is held than fits', async () => {
    const total = 64 * 2 ** 20;
    const block = randomBytes(2 ** 20);
    let read = 0;
    const digest = createHash('sha256');
    const slow = await serving((socket) => {
      socket.pause();
      socket.on('data', (chunk) => {
        read += chunk.length;
        digest.update(chunk);
        socket.pause();
        setImmediate(() => socket.resume());
      });
      socket.on('end', () => socket.end(digest.digest('hex')));
      socket.resume();
    });
    const to = await balancerTo([slow]);
    const client = await clientOf(to.port);
    const expected = createHash('sha256');
    let mostAhead = 0;
    for (let sent = 0; sent < total; sent += block.length) {
      expected.update(block);
      if (!client.write(block)) await once(client, 'drain');
      mostAhead = Math.max(mostAhead, sent + block.length - read);
    }
    client.end();
    expect(await heard(client)).toBe(expected.digest('hex'));
    // What the system's buffers hold is what it is; the balancer adds no more than a few chunks.
    expect(mostAhead).toBeLessThan(total / 2);
    await settled(to);
  });

  it('when it is closed, then its port is free at once', async () => {
    const to = await balancerTo([await named('a')]);
    const { port } = to;
    to.balancer.close();
    const again = await TcpBalancer.listen({ pool: to.pool }, { host: '127.0.0.1', port });
    stops.push(() => again.destroy());
    expect(await ask(port, 'x')).toBe('a:x');
    await expect(TcpBalancer.listen({ pool: to.pool }, { host: '127.0.0.1', port })).rejects.toThrow(
      /EADDRINUSE/,
    );
  });
});

describe('given a service that asks for the PROXY protocol', () => {
  it.each(['v1', 'v2'] as const)(
    'when a client connects, then %s tells where from',
    async (proxyProtocol) => {
      const to = await balancerTo(
        [await serving((socket) => socket.once('data', (said) => socket.end(said)))],
        {
          proxyProtocol,
        },
      );
      const client = await clientOf(to.port);
      const { localPort = 0 } = client;
      client.end('x');
      const said = Buffer.from(await heard(client), 'latin1');
      if (proxyProtocol === 'v1') {
        expect(String(said)).toMatch(`PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${to.port}\r\n`);
      } else {
        expect(said.subarray(0, 16).toString('hex')).toBe('0d0a0d0a000d0a515549540a2111000c');
        expect([...said.subarray(16, 24)]).toEqual([127, 0, 0, 1, 127, 0, 0, 1]);
        expect([said.readUInt16BE(24), said.readUInt16BE(26)]).toEqual([localPort, to.port]);
      }
    },
  );
});

describe('given stickiness by cookie', () => {
  const http = (id: string, body: string) => (socket: Socket) => {
    socket.once('data', (said) => {
      const interim = /expect/i.test(String(said)) ? 'HTTP/1.1 100 Continue\r\n\r\n' : '';
      // In pieces, so that heads are cut anywhere.
      const answer = `${interim}HTTP/1.1 200 OK\r\nServer: ${id}\r\n\r\n${body}`;
      for (const letter of answer) socket.write(letter);
      socket.end();
    });
  };
  const cookieIn = (answer: string) => /Set-Cookie: (skep=[0-9a-f]{16});/.exec(answer)?.[1] ?? '';

  it('when a client brings the cookie back, then it gets the same task, until that leaves', async () => {
    const [a, b] = [
      { ...(await serving(http('a', 'one\r\n\r\n'))), id: 'a' },
      { ...(await serving(http('b', 'two'))), id: 'b' },
    ];
    const to = await balancerTo([a, b], { stickiness: 'cookie' });
    const first = await ask(to.port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    expect(first).toMatch(/^HTTP\/1.1 200 OK\r\nServer: a\r\nSet-Cookie: .*\r\n\r\none\r\n\r\n$/);
    const cookie = cookieIn(first);
    for (let round = 0; round < 3; round++) {
      const again = await ask(to.port, `GET / HTTP/1.1\r\nCookie: x=1; ${cookie}\r\n\r\n`);
      expect(again).toBe('HTTP/1.1 200 OK\r\nServer: a\r\n\r\none\r\n\r\n');
    }
    to.pool.update([b], 'round-robin');
    const other = await ask(to.port, `GET / HTTP/1.1\r\nExpect: 100-continue\r\nCookie: ${cookie}\r\n\r\n`);
    expect(other).toMatch(/^HTTP\/1.1 100 Continue\r\n\r\nHTTP\/1.1 200 OK\r\nServer: b\r\nSet-Cookie: /);
    expect(cookieIn(other)).not.toBe(cookie);
    await settled(to);
  });

  it('when what comes is no HTTP, then it is passed on as it is', async () => {
    const to = await balancerTo([await named('a')], { stickiness: 'cookie' });
    expect(await ask(to.port, '\x16\x03\x01 a hello of TLS')).toBe('a:\x16\x03\x01 a hello of TLS');
    expect(await ask(to.port, 'GET half of a head')).toBe('a:GET half of a head');
    await settled(to);
  });

  it('when a client never ends its head, then it is cut off', async () => {
    const pool = new TargetPool('round-robin', systemClock);
    pool.update([await named('a')], 'round-robin');
    const policy: TcpPolicy = { pool, stickiness: 'cookie' };
    const balancer = await TcpBalancer.listen(policy, { host: '127.0.0.1', port: 0, headTimeoutMs: 1 });
    stops.push(() => balancer.destroy());
    const client = await clientOf(balancer.port);
    client.write('GET / HTTP/1.1\r\nHost: ');
    await heard(client).catch(() => {});
    await settled({ pool, balancer });
  });
});
