/** Answers questions for names over UDP and TCP: its own at once, others by the node's resolvers. */

import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { getServers } from 'node:dns';
import { createServer, isIPv6, type Server, type Socket } from 'node:net';
import type { Clock } from '@skep/core';
import { systemClock } from '@skep/core/member';
import type { MeshNode } from '../data-plane.ts';
import type { MeshIndex } from '../mesh-index.ts';
import { encodeAnswer, findAnswer, RCODE, readQuestion } from './answer.ts';
import { askerAt } from './asker.ts';
import { Forwarder, parseResolver, type Resolver } from './forwarder.ts';
import type { NameTable } from './name-table.ts';
import { readFrames, writeFrame } from './tcp-frames.ts';

/** What it answers by. */
export interface DnsServerOptions {
  readonly node: MeshNode;
  readonly index: MeshIndex;
  readonly names: NameTable;
  /** Who knows all other names. Default: the machine's resolvers. */
  readonly resolvers?: readonly Resolver[];
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** A connection that asks nothing for so long is closed, in ms. */
const IDLE_MS = 10_000;
const CONNECTIONS_MAX = 256;

/** A DNS server for the tasks of a node. */
export class DnsServer {
  readonly #options: DnsServerOptions;
  readonly #forwarder: Forwarder;
  readonly #udp = new Set<UdpSocket>();
  readonly #tcp = new Set<Server>();
  readonly #sockets = new Set<Socket>();
  #turn = 0;

  constructor(options: DnsServerOptions) {
    const { resolvers = getServers().map(parseResolver), clock = systemClock } = options;
    this.#options = options;
    this.#forwarder = new Forwarder(resolvers, clock);
  }

  /**
   * Listens for both transports at an address of this machine. Neither is left if one can't be had.
   *
   * @returns the port, which is a free one for 0
   * @throws the system's error: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL`
   */
  async listen(host: string, port: number): Promise<number> {
    const udp = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    server.maxConnections = CONNECTIONS_MAX;
    try {
      await new Promise<void>((resolve, reject) => {
        udp.once('error', reject).bind({ address: host, port, exclusive: true }, resolve);
      });
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject).listen({ host, port: udp.address().port, exclusive: true }, resolve);
      });
    } catch (error) {
      udp.close();
      throw error;
    }
    udp.removeAllListeners('error').on('error', () => {});
    server.removeAllListeners('error').on('error', () => {});
    udp.on('message', (query, from) => {
      void this.answer(query, from.address, 'udp').then((answer) => {
        if (answer && this.#udp.has(udp)) udp.send(answer, from.port, from.address);
      });
    });
    this.#udp.add(udp);
    this.#tcp.add(server);
    return udp.address().port;
  }

  close(): void {
    for (const socket of this.#udp) socket.close();
    for (const server of this.#tcp) server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#udp.clear();
    this.#tcp.clear();
  }

  /** The answer to a packet. Undefined: it gets none. Never throws, whatever the packet holds. */
  async answer(bytes: Buffer, from: string, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    try {
      return await this.#answer(bytes, from, transport);
    } catch {
      // A name that can be read and not be written.
      return undefined;
    }
  }

  async #answer(bytes: Buffer, from: string, transport: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const read = readQuestion(bytes);
    if (read === undefined || 'refusal' in read) return read?.refusal;
    const { query, question } = read;
    const { index, node, names } = this.#options;
    // Who is not of this cluster is told nothing, and nobody is asked for them.
    const asker = askerAt(from, index, node);
    if (!asker) return encodeAnswer(query, { code: RCODE.refused }, transport);
    this.#turn = (this.#turn + 1) % 0x1_0000;
    const finding = findAnswer(question, names, asker, this.#turn);
    if (finding.kind === 'answers') {
      return encodeAnswer(query, { code: RCODE.none, answers: finding.answers }, transport);
    }
    if (finding.kind === 'code') return encodeAnswer(query, { code: finding.code }, transport);
    const answer = await this.#forwarder.ask(bytes, transport);
    return answer ?? encodeAnswer(query, { code: RCODE.serverFailure }, transport);
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    socket.setTimeout(IDLE_MS, () => socket.destroy());
    const from = socket.remoteAddress ?? '';
    let last: Promise<void> = Promise.resolve();
    let waiting = 0;
    readFrames(socket, (query) => {
      // Whoever asks faster than it is answered has to wait.
      if (++waiting > 1) socket.pause();
      last = last.then(async () => {
        const answer = await this.answer(query, from, 'tcp');
        if (answer && !socket.destroyed) writeFrame(socket, answer);
        if (--waiting === 0) socket.resume();
      });
    });
  }
}
