/** Passes questions on to the node's own resolvers, as they came, and the answers back. */

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { Clock } from '@skep/core';
import { readFrames, writeFrame } from './tcp-frames.ts';

/** Where a resolver is. */
export interface Resolver {
  readonly host: string;
  readonly port: number;
}

/** For how long one resolver is waited for before the next one is asked, in ms. */
const PATIENCE_MS = 2_000;
/** Questions under way. Who asks more is told to try again. */
const UNDER_WAY_MAX = 512;
const DNS_PORT = 53;

/** Reads what Node's `dns.getServers` tells: `10.0.0.1`, `[::1]:5353`, `10.0.0.1:5353`. */
export function parseResolver(text: string): Resolver {
  const [, six, sixPort] = /^\[(.*)\](?::(\d+))?$/.exec(text) ?? [];
  if (six !== undefined) return { host: six, port: Number(sixPort ?? DNS_PORT) };
  const [host = text, port, more] = text.split(':');
  if (more !== undefined) return { host: text, port: DNS_PORT };
  return { host, port: Number(port ?? DNS_PORT) };
}

/** Asks others. */
export class Forwarder {
  readonly #resolvers: readonly Resolver[];
  readonly #clock: Clock;
  #underWay = 0;

  constructor(resolvers: readonly Resolver[], clock: Clock) {
    this.#resolvers = resolvers;
    this.#clock = clock;
  }

  /** The answer of the first resolver that gives one, with the question's own id. Undefined: none did. */
  async ask(query: Buffer, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    if (this.#underWay >= UNDER_WAY_MAX) return undefined;
    this.#underWay++;
    try {
      for (const resolver of this.#resolvers) {
        // One that nobody else knows, so that a stranger's answer does not pass for the resolver's.
        const sent = Buffer.from(query);
        sent.writeUInt16BE(randomInt(0x1_0000), 0);
        const answer = await (transport === 'udp'
          ? this.#byUdp(sent, resolver)
          : this.#byTcp(sent, resolver));
        if (answer === undefined) continue;
        const own = Buffer.from(answer);
        query.copy(own, 0, 0, 2);
        return own;
      }
      return undefined;
    } finally {
      this.#underWay--;
    }
  }

  #byUdp(query: Buffer, { host, port }: Resolver): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
      let isDone = false;
      const done = (answer?: Buffer) => {
        if (isDone) return;
        isDone = true;
        stopWaiting();
        socket.close();
        resolve(answer);
      };
      const stopWaiting = this.#clock.setTimer(PATIENCE_MS, () => done());
      socket.on('error', () => done());
      socket.on('message', (answer) => {
        if (answers(answer, query)) done(answer);
      });
      // Connected, so that only the resolver's own address is heard.
      socket.connect(port, host, () => {
        if (!isDone) socket.send(query, (error) => error && done());
      });
    });
  }

  #byTcp(query: Buffer, { host, port }: Resolver): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host, port });
      const done = (answer?: Buffer) => {
        stopWaiting();
        socket.destroy();
        resolve(answer);
      };
      const stopWaiting = this.#clock.setTimer(PATIENCE_MS, () => done());
      socket.on('error', () => done());
      socket.on('close', () => done());
      readFrames(socket, (answer) => {
        if (answers(answer, query)) done(answer);
      });
      writeFrame(socket, query);
    });
  }
}

function answers(answer: Buffer, query: Buffer): boolean {
  return (
    answer.length >= 12 &&
    ((answer[2] ?? 0) & 0x80) !== 0 &&
    answer.subarray(0, 2).equals(query.subarray(0, 2))
  );
}
