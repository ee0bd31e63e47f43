/** Listens for datagrams at an address, and passes those of each client on to one target of a pool, and answers back. */

import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { Clock } from '@skep/core';
import { systemClock } from '@skep/core/member';
import { plainAddress, proxyHeaderV2 } from './proxy-header.ts';
import type { PooledTarget, TargetPool } from './target-pool.ts';

/** How datagrams are passed on. May be changed while they are. */
export interface UdpPolicy {
  readonly pool: TargetPool;
  /** Each datagram begins with a header of the PROXY protocol's version 2. Version 1 has none for UDP. */
  readonly proxyProtocol?: 'v2';
  /** By it a client gets the same target after its session has ended, too. */
  readonly stickiness?: 'client-address';
}

/** Where to listen, and how long a client is remembered. */
export interface UdpListening {
  /** Address of this machine. */
  readonly host: string;
  /** 0: a free one. */
  readonly port: number;
  /** A session ends when nothing came from either side for this long. Default 30 s. */
  readonly idleMs?: number;
  /** Clients at a time. One more ends the session that has been idle for longest. Default 4,096. */
  readonly sessionsMax?: number;
  /** Default: the system's. */
  readonly clock?: Clock;
}

const IDLE_MS = 30_000;
const SESSIONS_MAX = 4_096;
/** Datagrams that wait for a session's socket. More are dropped, as a network would. */
const WAITING_MAX = 64;
/** A burst waits here while the process is busy. The system may give less. */
const BUFFER_BYTES = 4 * 2 ** 20;

/** Balances UDP: one client's datagrams go to one target until it leaves, or the client has been silent. */
export class UdpBalancer {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #idleMs: number;
  readonly #sessionsMax: number;
  readonly #clock: Clock;
  /** By the client's address and port, the longest idle ones first, as far as the last sweep knew. */
  readonly #sessions = new Map<string, UdpSession>();
  #policy: UdpPolicy;
  #cancelSweep: (() => void) | undefined;
  #isClosed = false;

  private constructor(policy: UdpPolicy, { host, ...listening }: UdpListening) {
    this.#policy = policy;
    this.#host = host;
    this.#idleMs = listening.idleMs ?? IDLE_MS;
    this.#sessionsMax = listening.sessionsMax ?? SESSIONS_MAX;
    this.#clock = listening.clock ?? systemClock;
    this.#socket = createSocket({
      type: isIPv6(host) ? 'udp6' : 'udp4',
      recvBufferSize: BUFFER_BYTES,
      // Clients are told by address; nothing is to be looked up for each answer.
      lookup: (address, _options, callback) => callback(null, address, isIPv6(address) ? 6 : 4),
    });
    this.#socket.on('message', (data, from) => this.#take(data, from));
  }

  /** @throws the system's error when it can't listen there: `EADDRINUSE`, `EACCES`, `EADDRNOTAVAIL` */
  static async listen(policy: UdpPolicy, listening: UdpListening): Promise<UdpBalancer> {
    const balancer = new UdpBalancer(policy, listening);
    const socket = balancer.#socket;
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address: listening.host, port: listening.port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        // An answer that can't be delivered concerns its client alone.
        socket.on('error', () => {});
        resolve();
      });
    });
    return balancer;
  }

  get port(): number {
    return this.#socket.address().port;
  }

  /** Clients that are remembered now. */
  get sessions(): number {
    return this.#sessions.size;
  }

  /** Goes for the next datagram. */
  setPolicy(policy: UdpPolicy): void {
    this.#policy = policy;
  }

  /** Lets go of everything at once: datagrams have no end to be waited for. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelSweep?.();
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
    this.#socket.close();
  }

  #take(data: Buffer, from: RemoteInfo): void {
    const key = `${from.address} ${from.port}`;
    let session = this.#sessions.get(key);
    // Whoever left gets nothing new: the client's next datagram goes elsewhere.
    if (session && !session.mayGoOn(this.#policy.pool)) {
      session.close();
      session = undefined;
      this.#sessions.delete(key);
    }
    session ??= this.#open(key, from);
    if (!session) return;
    session.isIdle = false;
    session.send(this.#policy.proxyProtocol ? Buffer.concat([this.#header(from), data]) : data);
  }

  #open(key: string, from: RemoteInfo): UdpSession | undefined {
    const { pool, stickiness } = this.#policy;
    const target = pool.acquire(stickiness ? { client: plainAddress(from.address) } : {});
    if (!target) return undefined;
    if (this.#sessions.size >= this.#sessionsMax) this.#endOldest();
    const session = new UdpSession(target, pool, (answer) => {
      session.isIdle = false;
      if (!this.#isClosed) this.#socket.send(answer, from.port, from.address);
    });
    this.#sessions.set(key, session);
    this.#sweepLater();
    return session;
  }

  #endOldest(): void {
    for (const [key, session] of this.#sessions) {
      session.close();
      this.#sessions.delete(key);
      return;
    }
  }

  /** Twice within the idle time, so that no datagram has to read the clock. */
  #sweepLater(): void {
    this.#cancelSweep ??= this.#clock.setTimer(this.#idleMs / 2, () => {
      this.#cancelSweep = undefined;
      const busy: [string, UdpSession][] = [];
      for (const [key, session] of this.#sessions) {
        if (!session.isIdle) {
          session.idleSweeps = 0;
          session.isIdle = true;
          busy.push([key, session]);
        } else if (++session.idleSweeps >= 2) {
          session.close();
          this.#sessions.delete(key);
        }
      }
      for (const [key, session] of busy) {
        this.#sessions.delete(key);
        this.#sessions.set(key, session);
      }
      if (this.#sessions.size > 0) this.#sweepLater();
    });
  }

  #header(from: RemoteInfo): Buffer {
    const source = { host: from.address, port: from.port };
    return proxyHeaderV2({ source, destination: { host: this.#host, port: this.port } }, 'udp');
  }
}

/** One client's way to one target: a socket of its own, so that answers find back. */
class UdpSession {
  /** Nothing came since the last sweep. */
  isIdle = false;
  idleSweeps = 0;
  readonly #target: PooledTarget;
  readonly #pool: TargetPool;
  readonly #socket: Socket;
  #waiting: Buffer[] | undefined = [];
  #hasFailed = false;
  #isClosed = false;
  /** Under load a refusal is told to the sender, and no more as an event. */
  readonly #onSent = (error: Error | null) => {
    if (error && !this.#isClosed) this.#fail();
  };

  constructor(target: PooledTarget, pool: TargetPool, onAnswer: (data: Buffer) => void) {
    this.#target = target;
    this.#pool = pool;
    this.#socket = createSocket(isIPv6(target.host) ? 'udp6' : 'udp4');
    this.#socket.on('message', onAnswer);
    // Nobody listens there: the next datagram goes to another target.
    this.#socket.on('error', () => this.#fail());
    this.#socket.connect(target.port, target.host, () => {
      if (this.#isClosed) return;
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      for (const data of waiting) this.send(data);
    });
  }

  mayGoOn(pool: TargetPool): boolean {
    return !this.#hasFailed && pool.holds(this.#target);
  }

  send(data: Buffer): void {
    if (this.#waiting) {
      if (this.#waiting.length < WAITING_MAX) this.#waiting.push(data);
      return;
    }
    this.#socket.send(data, this.#onSent);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#pool.release(this.#target);
    this.#socket.close();
  }

  #fail(): void {
    this.#hasFailed = true;
    this.#pool.avoid(this.#target);
  }
}
