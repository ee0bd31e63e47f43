/**
 * One process of the mesh benchmark: what answers, what passes traffic on, or what sends it. Told what by its arguments,
 * it prints one line of JSON: its port, or what it measured.
 */

import { createSocket } from 'node:dgram';
import { type AddressInfo, connect, createServer } from 'node:net';
import { systemClock } from '@skep/core/member';
import { TargetPool, TcpBalancer, UdpBalancer } from '@skep/mesh';

const HOST = '127.0.0.1';
const ANSWER = Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${'x'.repeat(100)}`);
const REQUEST = Buffer.from('GET / HTTP/1.1\r\nHost: bench\r\nConnection: keep-alive\r\n\r\n');
const BLOCK = Buffer.alloc(256 * 1024);
const [role = '', port = '0', seconds = '3'] = process.argv.slice(2);
const say = (value: object) => console.log(JSON.stringify(value));
const target = { id: 'a', host: HOST, port: Number(port) };

const roles: Readonly<Record<string, () => unknown>> = {
  /** A byte `B` asks for bytes without end, anything else is a request. */
  answerer() {
    const server = createServer({ noDelay: true }, (socket) => {
      socket.on('error', () => {});
      socket.once('data', (first) => {
        if (first[0] === 0x42) {
          const fill = () => {
            while (!socket.destroyed && socket.write(BLOCK));
          };
          socket.on('drain', fill);
          fill();
        } else {
          socket.write(ANSWER);
          socket.on('data', () => socket.write(ANSWER));
        }
      });
    });
    server.listen(0, HOST, () => say({ port: (server.address() as AddressInfo).port }));
  },
  async balancer() {
    const pool = poolOf();
    say({ port: (await TcpBalancer.listen({ pool }, { host: HOST, port: 0 })).port });
  },
  /** Keep-alive requests, one at a time on each connection. */
  async requests() {
    const connections = 64;
    let done = 0;
    for (let at = 0; at < connections; at++) {
      const socket = connect({ host: HOST, port: Number(port), noDelay: true });
      let heard = 0;
      socket.on('connect', () => socket.write(REQUEST));
      socket.on('data', ({ length }) => {
        heard += length;
        if (heard < ANSWER.length) return;
        heard = 0;
        done++;
        socket.write(REQUEST);
      });
    }
    await measured(() => done);
  },
  async bulk() {
    let bytes = 0;
    for (let at = 0; at < 2; at++) {
      const socket = connect({ host: HOST, port: Number(port) });
      socket.on('connect', () => socket.write('B'));
      socket.on('data', ({ length }) => {
        bytes += length;
      });
    }
    await measured(() => bytes);
  },
  echo() {
    const socket = createSocket('udp4');
    socket.on('message', (data, from) => socket.send(data, from.port, from.address));
    socket.bind(0, HOST, () => say({ port: socket.address().port }));
  },
  async datagrams() {
    say({ port: (await UdpBalancer.listen({ pool: poolOf() }, { host: HOST, port: 0 })).port });
  },
  /** The least that passes datagrams on with Node: a socket for each client, and nothing else. */
  forwarder() {
    const socket = createSocket('udp4');
    const clients = new Map<number, ReturnType<typeof createSocket>>();
    socket.on('message', (data, from) => {
      const known = clients.get(from.port);
      if (known) {
        known.send(data);
        return;
      }
      const own = createSocket('udp4');
      own.on('message', (answer) => socket.send(answer, from.port, from.address));
      own.connect(target.port, HOST, () => own.send(data));
      clients.set(from.port, own);
    });
    socket.bind(0, HOST, () => say({ port: socket.address().port }));
  },
  /** Clients that send the next datagram when the last one has come back. */
  async pings() {
    let done = 0;
    for (let at = 0; at < 32; at++) {
      const socket = createSocket('udp4');
      socket.on('message', () => {
        done++;
        socket.send(REQUEST);
      });
      socket.connect(Number(port), HOST, () => socket.send(REQUEST));
    }
    await measured(() => done);
  },
};

function poolOf(): TargetPool {
  const pool = new TargetPool('least-connections', systemClock);
  pool.update([target], 'least-connections');
  return pool;
}

/** A second to warm up, then so many. */
async function measured(count: () => number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  const [from, start] = [count(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, Number(seconds) * 1_000));
  say({ perSecond: ((count() - from) * 1_000) / (performance.now() - start) });
  process.exit(0);
}

await roles[role]?.();
