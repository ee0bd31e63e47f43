/**
 * The way from a node to the managers, whichever of them answers: one channel to one of them at a time, another one
 * when that fails. A call that certainly was not carried out is made again elsewhere; what may have been is not.
 */

import { type Clock, type ClusterId, OutcomeUnknownError, type Random, UnavailableError } from '@skep/core';
import { sleep } from '@skep/core/member';
import { isNodeError, NodeError } from '../errors.ts';
import type { Credentials } from '../security/credentials.ts';
import { type CallOptions, RpcChannel } from './channel.ts';
import type { Method } from './method.ts';

/** What a link is made of. */
export interface ManagerLinkParts {
  readonly clusterId: ClusterId;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly random: Random;
  /** Addresses of managers, in any order. Not empty. */
  readonly managers: readonly string[];
}

/** Codes that say that another manager may do better, and that nothing was done. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'UNREACHABLE',
  'NOT_LEADER',
  'BUSY',
  'WRONG_ROLE',
  'WRONG_NODE',
  'UNKNOWN_METHOD',
]);

/** Between two rounds of a call that is patient, in ms. */
const AGAIN_MS = 100;

/** The way to the managers. */
export class ManagerLink {
  readonly #parts: ManagerLinkParts;
  readonly #stopFollowing: () => void;
  #managers: readonly string[];
  #channel: RpcChannel | undefined;
  #isClosed = false;

  constructor(parts: ManagerLinkParts) {
    this.#parts = parts;
    this.#managers = parts.managers;
    this.#stopFollowing = parts.credentials.onChange(() => this.#channel?.renew());
  }

  get managers(): readonly string[] {
    return this.#managers;
  }

  /** Where the managers are from now on. An empty list says nothing and changes nothing. */
  setManagers(addresses: readonly string[]): void {
    if (addresses.length > 0) this.#managers = addresses;
  }

  /** Asks one manager after the other until one answers. @throws the last one's error; NodeError `CLOSED`. */
  async unary<Request, Response>(
    method: Method<'unary', Request, Response>,
    request: Request,
    options: CallOptions & {
      /** The address of one who is not to be asked. */
      readonly except?: string;
      /** Begins anew for so long while none of them could carry it out, as while leadership changes, in ms. Default 0. */
      readonly patienceMs?: number;
      /** Done twice it is the same as done once: it begins anew also when it is open whether it was done. */
      readonly isRepeatable?: boolean;
    } = {},
  ): Promise<Response> {
    const { except, patienceMs = 0, isRepeatable = false, ...rest } = options;
    const { clock } = this.#parts;
    const end = clock.monotonic() + patienceMs;
    for (;;) {
      try {
        return await this.#anywhere((channel) => channel.unary(method, request, rest), except);
      } catch (error) {
        const mayAgain = isElsewhere(error) || (isRepeatable && isOpenWhether(error));
        if (!mayAgain || clock.monotonic() >= end) throw error;
        await sleep(clock, AGAIN_MS, rest.signal);
      }
    }
  }

  /** Follows a stream of one manager. Whoever reads it begins anew when it ends. */
  async serverStream<Request, Response>(
    method: Method<'server-stream', Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<AsyncIterable<Response>> {
    const channel = await this.connected();
    return this.#watched(channel, channel.serverStream(method, request, options));
  }

  /** A stream both ways with one manager. */
  async duplex<Request, Response>(
    method: Method<'duplex', Request, Response>,
    requests: AsyncIterable<Request>,
    options: CallOptions = {},
  ): Promise<AsyncIterable<Response>> {
    const channel = await this.connected();
    return this.#watched(channel, channel.duplex(method, requests, options));
  }

  /** A channel to a manager that answers. @throws NodeError of the last one that was tried. */
  connected(): Promise<RpcChannel> {
    return this.#anywhere(async (channel) => {
      await channel.connect();
      return channel;
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#stopFollowing();
    this.#channel?.close();
  }

  async #anywhere<T>(ask: (channel: RpcChannel) => Promise<T>, except?: string): Promise<T> {
    const tried = new Set<string>(except === undefined ? [] : [except]);
    let last: unknown = new NodeError('UNREACHABLE', 'no manager is known');
    for (let turn = 0; turn <= this.#managers.length; turn++) {
      const channel = this.#next(tried);
      if (channel === undefined) break;
      tried.add(channel.address);
      try {
        return await ask(channel);
      } catch (error) {
        last = error;
        // What a manager has refused for good is no fault of the way to it.
        if (isNodeError(error) || isElsewhere(error)) this.#drop(channel);
        if (!isElsewhere(error)) throw error;
      }
    }
    throw last;
  }

  async *#watched<T>(channel: RpcChannel, stream: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
    try {
      yield* stream;
    } catch (error) {
      this.#drop(channel);
      throw error;
    }
  }

  /** The channel that is there, or one to a manager that was not tried yet. */
  #next(tried: ReadonlySet<string>): RpcChannel | undefined {
    if (this.#isClosed) throw new NodeError('CLOSED', 'the node is closed');
    if (this.#channel !== undefined && !tried.has(this.#channel.address)) return this.#channel;
    const { clusterId, credentials, clock, random } = this.#parts;
    const left = this.#managers.filter((address) => !tried.has(address));
    const address = left[Math.floor(random.next() * left.length)];
    if (address === undefined) return undefined;
    this.#channel = new RpcChannel({
      address,
      context: () => credentials.context,
      expected: { kind: 'manager', clusterId },
      clock,
    });
    return this.#channel;
  }

  /** Calls that go on over it end by themselves; the next call takes another one. */
  #drop(channel: RpcChannel): void {
    if (this.#channel !== channel) return;
    this.#channel = undefined;
    channel.renew();
  }
}

function isElsewhere(error: unknown): boolean {
  if (isNodeError(error)) return ELSEWHERE.has(error.code);
  // Not carried out: a leader that hands over takes no commands any more.
  return error instanceof UnavailableError && error.retryable;
}

/** It was done, or was not. */
function isOpenWhether(error: unknown): boolean {
  return error instanceof OutcomeUnknownError || (isNodeError(error) && error.code === 'CONNECTION_LOST');
}
