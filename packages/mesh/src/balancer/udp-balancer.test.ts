import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { systemClock } from '@skep/core/member';
import { SimulatedClock } from '@skep/core/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { type Target, TargetPool } from './target-pool.ts';
import { UdpBalancer, type UdpPolicy } from './udp-balancer.ts';

const HOST = '127.0.0.1';
const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function socketAt(onMessage?: (data: Buffer, answer: (text: string | Buffer) => void) => void) {
  const socket = createSocket('udp4');
  socket.bind(0, HOST);
  await once(socket, 'listening');
  socket.on('message', (data, from) =>
    onMessage?.(data, (text) => socket.send(text, from.port, from.address)),
  );
  stops.push(() => new Promise<void>((resolve) => socket.close(() => resolve())));
  return { socket, port: socket.address().port };
}

async function named(id: string): Promise<Target> {
  const { port } = await socketAt((data, answer) => answer(`${id}:${data}`));
  return { id, host: HOST, port };
}

async function balancerTo(
  targets: readonly Target[],
  policy: Partial<UdpPolicy> = {},
  more: { clock?: SimulatedClock; idleMs?: number; sessionsMax?: number } = {},
) {
  const pool = new TargetPool('round-robin', systemClock);
  pool.update(targets, 'round-robin');
  const balancer = await UdpBalancer.listen({ pool, ...policy }, { host: HOST, port: 0, ...more });
  stops.push(() => balancer.close());
  return { pool, balancer };
}

async function client() {
  const { socket } = await socketAt();
  return socket;
}

async function ask(from: Socket, { port }: UdpBalancer, text: string): Promise<Buffer> {
  const answer = once(from, 'message');
  from.send(text, port, HOST);
  const [data] = (await answer) as [Buffer];
  return data;
}

describe('given a UDP balancer', () => {
  it('when clients send, then each stays with its target, and gets its answers', async () => {
    const { balancer } = await balancerTo([await named('a'), await named('b')]);
    const [one, other] = [await client(), await client()];
    expect(String(await ask(one, balancer, '1'))).toBe('a:1');
    expect(String(await ask(other, balancer, '2'))).toBe('b:2');
    expect(String(await ask(one, balancer, '3'))).toBe('a:3');
    expect(balancer.sessions).toBe(2);
  });

  it('when a target leaves, then the next datagram of its clients goes elsewhere', async () => {
    const [a, b] = [await named('a'), await named('b')];
    const { pool, balancer } = await balancerTo([a, b]);
    const one = await client();
    expect(String(await ask(one, balancer, '1'))).toBe('a:1');
    pool.update([b], 'round-robin');
    expect(String(await ask(one, balancer, '2'))).toBe('b:2');
    expect(pool.targets.map(({ connections }) => connections)).toEqual([1]);
  });

  it('when nobody listens at a target, then a datagram after the refusal goes to another', async () => {
    const gone = createSocket('udp4');
    gone.bind(0, HOST);
    await once(gone, 'listening');
    const dead = { id: 'dead', host: HOST, port: gone.address().port };
    gone.close();
    const { balancer } = await balancerTo([dead, await named('b')]);
    const one = await client();
    const answer = once(one, 'message');
    let isAnswered = false;
    void answer.then(() => {
      isAnswered = true;
    });
    // As a client of UDP does: it asks again until it hears something.
    while (!isAnswered) {
      one.send('x', balancer.port, HOST);
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(String((await answer)[0])).toBe('b:x');
  });

  it('when a client is silent, then its session ends; when there are too many, then the oldest', async () => {
    const clock = new SimulatedClock();
    const { pool, balancer } = await balancerTo(
      [await named('a')],
      {},
      { clock, idleMs: 1_000, sessionsMax: 2 },
    );
    const clients = [await client(), await client(), await client()];
    for (const each of clients) await ask(each, balancer, 'x');
    expect(balancer.sessions).toBe(2);
    await clock.advance(1_500);
    expect(balancer.sessions).toBe(0);
    expect(pool.targets[0]?.connections).toBe(0);
  });

  it('when it is asked for, then each datagram says who the client is', async () => {
    const { port } = await socketAt((data, answer) => answer(data));
    const { balancer } = await balancerTo([{ id: 'a', host: HOST, port }], { proxyProtocol: 'v2' });
    const one = await client();
    for (const text of ['first', 'second']) {
      const said = await ask(one, balancer, text);
      expect(said.subarray(12, 16).toString('hex')).toBe('2112000c');
      expect(said.readUInt16BE(24)).toBe(one.address().port);
      expect(String(said.subarray(28))).toBe(text);
    }
  });

  it('when the port is taken, then it says so', async () => {
    const { balancer, pool } = await balancerTo([]);
    const again = UdpBalancer.listen({ pool }, { host: HOST, port: balancer.port });
    await expect(again).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});
