/**
 * The side that answers. It takes connections whose handshake is done, finds out who is at the other end, and carries
 * out the calls that the method's declaration lets that caller make; a call that only the leader may answer goes on to
 * the leader.
 */

import {
  type ClientHttp2Stream,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { TLSSocket } from 'node:tls';
import type { Clock, Logger } from '@skep/core';
import { silentLogger } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import { type CallHead, callHeaders, readCallHead } from './call-headers.ts';
import { authorize, type Caller, checkValidity, type Membership, type Peer, peerOf } from './caller.ts';
import { keepAlive } from './keep-alive.ts';
import { MessageWriter, readMessages } from './message-stream.ts';
import { type AnyMethod, deadlineOf, type Method, messageBytesMax } from './method.ts';
import { type LeaderRoute, relay } from './relay.ts';

/** One call, as its handler sees it. */
export interface ServerCall {
  /** Undefined for a stranger, who gets as far as a handler only where anyone may call. */
  readonly caller: Caller | undefined;
  /** The other end of the connection: the caller, or the manager that has passed the call on. */
  readonly peer: Peer;
  /** Aborted when the caller gives up, the time is over, or this side closes. Its reason is a NodeError. */
  readonly signal: AbortSignal;
}

/** The same where the declaration lets no stranger in. */
export interface NodeCall extends ServerCall {
  readonly caller: Caller;
}

type CallOf<M> = M extends { readonly callers: 'anyone' } ? ServerCall : NodeCall;

/** What answers a method. */
export type Handler<M extends AnyMethod> =
  M extends Method<infer Kind, infer Request, infer Response>
    ? Kind extends 'unary'
      ? (request: Request, call: CallOf<M>) => Promise<Response>
      : Kind extends 'server-stream'
        ? (request: Request, call: CallOf<M>) => AsyncIterable<Response>
        : (requests: AsyncIterable<Request>, call: CallOf<M>) => AsyncIterable<Response>
    : never;

/** What a server is made of. */
export interface RpcServerParts {
  readonly clock: Clock;
  readonly membership: Membership;
  readonly leader: LeaderRoute;
  readonly logger?: Logger;
}

/** Calls that one connection may have open at once. */
const CALLS_MAX = 1024;
/** The same for a stranger, and how many strangers may be connected at once. */
const STRANGERS_CALLS_MAX = 4;
const STRANGERS_MAX = 256;
/** A node that is connected is asked for a sign of life so often, in ms. */
const PING_MS = 30_000;
/** A stranger has so long to say what it wants, and to be done, in ms. */
const STRANGER_MS = 15_000;

interface Served {
  readonly method: AnyMethod;
  readonly run: (requests: AsyncIterable<unknown>, call: ServerCall) => AsyncIterable<unknown>;
}

/** Answers calls. */
export class RpcServer {
  readonly #parts: RpcServerParts;
  readonly #logger: Logger;
  readonly #methods = new Map<string, Served>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /**
   * Calls under way. There may be thousands, and a signal that all of them listen to would look through all its
   * listeners for each.
   */
  readonly #calls = new Set<AbortController>();
  /** Those among them that go on, and are for managers alone. */
  readonly #managersCalls = new Map<AbortController, Caller>();
  #isClosed = false;
  #strangers = 0;

  constructor(parts: RpcServerParts) {
    this.#parts = parts;
    this.#logger = parts.logger ?? silentLogger;
  }

  /** Answers a method from now on. */
  serve<M extends AnyMethod>(method: M, handler: Handler<M>): void {
    const answer = handler as (given: unknown, call: ServerCall) => unknown;
    this.#methods.set(method.name, { method, run: runnerOf(method, answer) });
  }

  /** What it answers. */
  get methods(): readonly AnyMethod[] {
    return [...this.#methods.values()].map(({ method }) => method);
  }

  /** Takes over a connection that speaks `h2` and whose handshake is done. */
  accept(socket: TLSSocket): void {
    const peer = peerOf(socket);
    const isStranger = peer.kind === 'stranger';
    if (this.#isClosed || (isStranger && this.#strangers >= STRANGERS_MAX)) {
      socket.destroy();
      return;
    }
    const session = performServerHandshake(socket, {
      settings: { maxConcurrentStreams: isStranger ? STRANGERS_CALLS_MAX : CALLS_MAX, enablePush: false },
    });
    this.#sessions.add(session);
    if (isStranger) this.#strangers++;
    const cancelTimer = isStranger
      ? this.#parts.clock.setTimer(STRANGER_MS, () => session.destroy())
      : () => {};
    const stopPinging = isStranger ? () => {} : keepAlive(session, this.#parts.clock, PING_MS);
    session.on('close', () => {
      cancelTimer();
      stopPinging();
      this.#sessions.delete(session);
      if (isStranger) this.#strangers--;
    });
    session.on('error', (error) => this.#logger.debug({ err: error }, 'a connection failed'));
    session.on('stream', (stream, headers) => {
      stream.on('error', (error) => this.#logger.debug({ err: error }, 'a call failed'));
      void this.#answer(peer, stream, () => readCallHead(headers));
    });
  }

  /** The list of nodes has changed: calls that go on, and whose caller is no manager any more, end. */
  recheck(): void {
    const { membership } = this.#parts;
    for (const [call, { identity }] of this.#managersCalls) {
      if (membership.roleOf(identity.nodeId) === 'manager') continue;
      call.abort(new NodeError('WRONG_ROLE', `node ${identity.nodeId} is no manager any more`));
    }
  }

  /** Ends every call and connection. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const call of [...this.#calls]) call.abort(new NodeError('CLOSED', 'this node closes'));
    for (const session of this.#sessions) session.destroy();
  }

  async #answer(peer: Peer, stream: ServerHttp2Stream, readHead: () => CallHead): Promise<void> {
    const call = new AbortController();
    const stop = (reason: NodeError) => call.abort(reason);
    stream.on('close', () => stop(new NodeError('CANCELLED', 'the caller has given up')));
    this.#calls.add(call);
    let cancelDeadline = () => {};
    let writer = new MessageWriter(stream, 0);
    try {
      if (!stream.destroyed) stream.respond({ ':status': 200, 'content-type': 'application/skep' });
      const head = readHead();
      const served = this.#methods.get(head.method);
      if (served === undefined) throw new NodeError('UNKNOWN_METHOD', `there is no method ${head.method}`);
      const { method } = served;
      writer = new MessageWriter(stream, messageBytesMax(method));
      const timeoutMs = smaller(head.timeoutMs, deadlineOf(method));
      if (timeoutMs !== undefined) {
        const late = () =>
          stop(new NodeError('DEADLINE_EXCEEDED', `${method.name} took more than ${timeoutMs} ms`));
        cancelDeadline = this.#parts.clock.setTimer(timeoutMs, late);
      }
      const caller = await this.#callerOf(peer, head, method);
      if (caller !== undefined && isForManagers(method)) this.#managersCalls.set(call, caller);
      const onward = await this.#onwardOf(method, caller, timeoutMs, call.signal);
      if (onward !== undefined) {
        await relay(stream, onward, call.signal);
        return;
      }
      const requests = readMessages(stream, {
        decode: method.request,
        bytesMax: messageBytesMax(method),
        cutOff: () => new NodeError('CANCELLED', 'the caller has gone'),
      });
      await untilAborted(call.signal, async () => {
        for await (const response of served.run(requests, { caller, peer, signal: call.signal })) {
          if (call.signal.aborted) return;
          await writer.message(response);
        }
      });
      writer.end();
    } catch (error) {
      this.#logger.debug({ err: error }, 'a call ended with an error');
      writer.fail(error);
    } finally {
      cancelDeadline();
      // What the caller has still to say does not matter any more, and must not hold the stream open.
      if (!stream.destroyed) stream.resume();
      this.#calls.delete(call);
      this.#managersCalls.delete(call);
      call.abort(new NodeError('CANCELLED', 'the call is over'));
    }
  }

  /** A stream to the leader for a call that is the leader's to answer; undefined if it is to be answered here. */
  async #onwardOf(
    method: AnyMethod,
    caller: Caller | undefined,
    timeoutMs: number | undefined,
    signal: AbortSignal,
  ): Promise<ClientHttp2Stream | undefined> {
    const { leader } = this.#parts;
    if (method.answeredBy === 'any' || leader.isLeader) return undefined;
    if (caller?.via !== undefined) throw new NodeError('NOT_LEADER', 'this manager does not lead any more');
    const headers = callHeaders({ method: method.name, timeoutMs, onBehalfOf: caller?.identity });
    try {
      return await leader.open(headers, signal);
    } catch (error) {
      // The election has ended, and this is who leads now.
      if (leader.isLeader) return undefined;
      throw error;
    }
  }

  async #callerOf(peer: Peer, head: CallHead, method: AnyMethod): Promise<Caller | undefined> {
    const { clock, membership } = this.#parts;
    if (peer.kind === 'stranger') {
      if (method.callers !== 'anyone') throw peer.refusal;
      return undefined;
    }
    checkValidity(peer.validity, clock.now());
    const { onBehalfOf } = head;
    if (onBehalfOf === undefined) {
      await authorize(peer.identity, method, membership);
      return { identity: peer.identity };
    }
    // Only a manager may speak for another, and what it asks is judged by the other's role.
    await authorize(peer.identity, { ...method, callers: ['manager'] }, membership);
    await authorize(onBehalfOf, method, membership);
    return { identity: onBehalfOf, via: peer.identity.nodeId };
  }
}

function isForManagers({ callers, kind }: AnyMethod): boolean {
  return kind !== 'unary' && callers !== 'anyone' && !callers.includes('worker');
}

function runnerOf(method: AnyMethod, handler: (given: unknown, call: ServerCall) => unknown): Served['run'] {
  if (method.kind === 'duplex') return (requests, call) => handler(requests, call) as AsyncIterable<unknown>;
  return async function* (requests, call) {
    const request = await firstOf(requests);
    if (method.kind === 'unary') yield await handler(request, call);
    else yield* handler(request, call) as AsyncIterable<unknown>;
  };
}

async function firstOf(requests: AsyncIterable<unknown>): Promise<unknown> {
  for await (const request of requests) return request;
  throw new NodeError('MALFORMED', 'the call came without its message');
}

/** Runs to the end, or to the abort of the signal, whichever comes first. */
async function untilAborted(signal: AbortSignal, run: () => Promise<void>): Promise<void> {
  signal.throwIfAborted();
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([run(), aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
    aborted.catch(() => {});
  }
}

function smaller(one: number | undefined, other: number | undefined): number | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return Math.min(one, other);
}
