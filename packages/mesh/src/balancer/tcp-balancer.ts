/** Listens at an address, and passes each connection on to one target of a pool. */

import { createServer, type Server, type Socket } from 'node:net';
import type { Clock } from '@skep/core';
import { systemClock } from '@skep/core/member';
import type { Stickiness } from '../data-plane.ts';
import type { TargetPool } from './target-pool.ts';
import { Passage } from './tcp-passage.ts';

/** How connections are passed on. May be changed while they are. */
export interface TcpPolicy {
  readonly pool: TargetPool;
  /** The target is told the client's address so. Absent: it sees this node's. */
  readonly proxyProtocol?: 'v1' | 'v2';
  readonly stickiness?: Stickiness;
  /** Name of the cookie, for stickiness by cookie. Default: `skep`. */
  readonly cookieName?: string;
}

/** Where to listen, and how long to wait. */
export interface TcpListening {
  /** Address of this machine. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** A target that has not answered by then is given up for the next one. Default 3 s. */
  readonly connectTimeoutMs?: number;
  /** A client that has not sent the head of its request by then is cut off, where a cookie decides. Default 10 s. */
  readonly headTimeoutMs?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
}

/** Limits of a connection, in ms. */
export interface TcpLimits {
  readonly connectTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly clock: Clock;
}

const CONNECT_TIMEOUT_MS = 3_000;
const HEAD_TIMEOUT_MS = 10_000;
/** After that long without a byte the system asks whether the other side is still there. */
const KEEP_ALIVE_MS = 60_000;
/** Connections that wait to be taken while the process is busy. */
const BACKLOG = 4_096;

/** Balances TCP connections. A connection stays with its target, whatever becomes of the pool. */
export class TcpBalancer {
  readonly #server: Server;
  readonly #limits: TcpLimits;
  readonly #clients = new Set<Socket>();
  #policy: TcpPolicy;

  private constructor(policy: TcpPolicy, limits: TcpLimits) {
    this.#policy = policy;
    this.#limits = limits;
    this.#server = createServer(
      {
        allowHalfOpen: true,
        noDelay: true,
        keepAlive: true,
        keepAliveInitialDelay: KEEP_ALIVE_MS,
        // Nothing is read before there is somebody to give it to.
        pauseOnConnect: true,
      },
      (client) => this.#accept(client),
    );
  }

  /** @throws the system's error when it can't listen there: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL` */
  static async listen(policy: TcpPolicy, listening: TcpListening): Promise<TcpBalancer> {
    const { host, port, clock = systemClock } = listening;
    const { connectTimeoutMs = CONNECT_TIMEOUT_MS, headTimeoutMs = HEAD_TIMEOUT_MS } = listening;
    const balancer = new TcpBalancer(policy, { clock, connectTimeoutMs, headTimeoutMs });
    const server = balancer.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host, port, exclusive: true, backlog: BACKLOG }, () => {
        server.off('error', reject);
        // What goes wrong from here on (no file descriptors left) concerns single connections.
        server.on('error', () => {});
        resolve();
      });
    });
    return balancer;
  }

  /** Where it listens. */
  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Connections that are passed on now. */
  get connections(): number {
    return this.#clients.size;
  }

  /** Goes for new connections. */
  setPolicy(policy: TcpPolicy): void {
    this.#policy = policy;
  }

  /** Takes no more connections, from now on. Those that are there go on until one side ends them. */
  close(): void {
    if (this.#server.listening) this.#server.close();
  }

  /** Cuts off all that is there. */
  destroy(): void {
    this.close();
    for (const client of this.#clients) client.destroy();
  }

  #accept(client: Socket): void {
    this.#clients.add(client);
    client.once('close', () => this.#clients.delete(client));
    new Passage(client, this.#policy, this.#limits).begin();
  }
}
