/** The way of one connection: from the client that was accepted to a target that takes it. */

import { connect, type Socket } from 'node:net';
import { CookieSetter, readCookie, readHead } from './http-cookie.ts';
import { joinSockets } from './join-sockets.ts';
import { plainAddress, proxyHeaderV1, proxyHeaderV2 } from './proxy-header.ts';
import { type PooledTarget, TargetPool } from './target-pool.ts';
import type { TcpLimits, TcpPolicy } from './tcp-balancer.ts';

const KEEP_ALIVE_MS = 60_000;
const COOKIE_NAME = 'skep';

/** One client's connection. */
export class Passage {
  readonly #client: Socket;
  readonly #policy: TcpPolicy;
  readonly #limits: TcpLimits;
  #tried: Set<string> | undefined;
  /** What the client said before there was a target. */
  #said: Buffer | undefined;
  /** What its cookie says of the target that it had. */
  #token: string | undefined;

  constructor(client: Socket, policy: TcpPolicy, limits: TcpLimits) {
    this.#client = client;
    this.#policy = policy;
    this.#limits = limits;
  }

  begin(): void {
    this.#client.on('error', ignore);
    if (this.#policy.stickiness !== 'cookie') {
      this.#connect();
      return;
    }
    readHead(this.#client, this.#limits, (said) => {
      if (said === undefined) {
        this.#client.destroy();
        return;
      }
      this.#said = said;
      this.#token = readCookie(said, this.#cookieName);
      this.#connect();
    });
  }

  get #cookieName(): string {
    return this.#policy.cookieName ?? COOKIE_NAME;
  }

  /** Tries targets until one takes the connection. */
  #connect(): void {
    const client = this.#client;
    if (client.destroyed) return;
    const { pool, stickiness } = this.#policy;
    const target = pool.acquire({
      ...(stickiness === 'client-address' && { client: plainAddress(client.remoteAddress ?? '') }),
      ...(this.#token !== undefined && { token: this.#token }),
      ...(this.#tried && { except: this.#tried }),
    });
    if (target === undefined) {
      client.resetAndDestroy();
      return;
    }
    const upstream = connect({
      ...{ host: target.host, port: target.port, allowHalfOpen: true, noDelay: true },
      ...{ keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
    });
    const { clock, connectTimeoutMs } = this.#limits;
    const stopWaiting = clock.setTimer(connectTimeoutMs, () => upstream.destroy(new Error('no answer')));
    const onClientGone = () => upstream.destroy();
    client.once('close', onClientGone);
    const onFailure = () => {
      if (!client.destroyed) this.#next(target);
    };
    upstream.once('error', onFailure);
    upstream.once('connect', () => {
      stopWaiting();
      client.off('close', onClientGone);
      upstream.off('error', onFailure);
      this.#join(upstream, target);
    });
    upstream.once('close', () => {
      stopWaiting();
      client.off('close', onClientGone);
      pool.release(target);
    });
  }

  #next(target: PooledTarget): void {
    this.#policy.pool.avoid(target);
    this.#tried ??= new Set();
    this.#tried.add(target.id);
    this.#connect();
  }

  #join(upstream: Socket, target: PooledTarget): void {
    const client = this.#client;
    const header = this.#proxyHeader();
    if (header) upstream.write(header);
    if (this.#said) upstream.write(this.#said);
    client.off('error', ignore);
    joinSockets(client, upstream, this.#cookieFor(target));
  }

  /** Tells the client which target it has, unless it knows. */
  #cookieFor(target: PooledTarget): CookieSetter | undefined {
    if (this.#policy.stickiness !== 'cookie') return undefined;
    const value = TargetPool.tokenOf(target);
    return this.#token === value ? undefined : new CookieSetter({ name: this.#cookieName, value });
  }

  #proxyHeader(): Buffer | undefined {
    const { proxyProtocol } = this.#policy;
    if (proxyProtocol === undefined) return undefined;
    const { remoteAddress, remotePort, localAddress, localPort } = this.#client;
    const ends = {
      source: { host: remoteAddress ?? '0.0.0.0', port: remotePort ?? 0 },
      destination: { host: localAddress ?? '0.0.0.0', port: localPort ?? 0 },
    };
    return proxyProtocol === 'v1' ? proxyHeaderV1(ends) : proxyHeaderV2(ends, 'tcp');
  }
}

function ignore(): void {}
