/**
 * The side that asks: one connection to one node, dialled when it is needed, and again after it was lost. Calls share
 * it; each has its own stream, deadline and end.
 */

import type { OutgoingHttpHeaders } from 'node:http2';
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { NodeError } from '../errors.ts';
import { callHeaders } from './call-headers.ts';
import { type DialOptions, dial } from './dial.ts';
import { keepAlive } from './keep-alive.ts';
import { MessageWriter, readMessages } from './message-stream.ts';
import { type AnyMethodRules, deadlineOf, type Method, messageBytesMax } from './method.ts';

/** What a channel is made of. */
export type RpcChannelParts = Omit<DialOptions, 'signal'>;

/** Options of a call. */
export interface CallOptions {
  /** Gives up when aborted. */
  readonly signal?: AbortSignal;
  /** Gives up after so long, in ms. Default: the method's deadline. */
  readonly timeoutMs?: number;
}

/** How often a connection is asked for a sign of life, in ms. */
const PING_MS = 5_000;

/** The way to one node. */
export class RpcChannel {
  readonly #parts: RpcChannelParts;
  readonly #closing = new AbortController();
  #session: Promise<ClientHttp2Session> | undefined;

  constructor(parts: RpcChannelParts) {
    this.#parts = parts;
  }

  /** Where it leads. */
  get address(): string {
    return this.#parts.address;
  }

  /** Asks and is answered, once each. @throws NodeError, or the error of the other side. */
  async unary<Request, Response>(
    method: Method<'unary', Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): Promise<Response> {
    for await (const response of this.#call(method, once(request), options)) return response;
    throw new NodeError('MALFORMED', `${method.name} was answered without a message`);
  }

  /** Asks once, and is answered for as long as there is something to say. */
  serverStream<Request, Response>(
    method: Method<'server-stream', Request, Response>,
    request: Request,
    options: CallOptions = {},
  ): AsyncGenerator<Response, void, undefined> {
    return this.#call(method, once(request), options);
  }

  /** Both sides speak. The answers end when the other side says so; the requests may go on or end before. */
  duplex<Request, Response>(
    method: Method<'duplex', Request, Response>,
    requests: AsyncIterable<Request>,
    options: CallOptions = {},
  ): AsyncGenerator<Response, void, undefined> {
    return this.#call(method, requests, options);
  }

  /** Opens a stream with this head, and nothing in it. @throws NodeError as {@link dial} */
  async open(headers: OutgoingHttpHeaders, signal?: AbortSignal): Promise<ClientHttp2Stream> {
    signal?.throwIfAborted();
    const session = await this.#connected();
    signal?.throwIfAborted();
    return session.request(headers);
  }

  /** Connects if it is not connected. @throws NodeError as {@link dial} */
  async connect(): Promise<void> {
    await this.#connected();
  }

  /** The next call gets a connection of its own, with the certificates of then. Calls under way go on. */
  renew(): void {
    const before = this.#session;
    this.#session = undefined;
    before?.then((session) => session.close()).catch(() => {});
  }

  /** Ends the connection and every call on it. */
  close(): void {
    this.#closing.abort(new NodeError('CLOSED', 'the channel is closed'));
    this.#session?.then((session) => session.destroy()).catch(() => {});
  }

  async *#call<Request, Response>(
    method: AnyMethodRules & {
      readonly request: (value: unknown) => Request;
      readonly response: (value: unknown) => Response;
    },
    requests: AsyncIterable<Request>,
    { signal, timeoutMs = deadlineOf(method) }: CallOptions,
  ): AsyncGenerator<Response, void, undefined> {
    const { clock } = this.#parts;
    const call = new AbortController();
    const onAbort = () => call.abort(new NodeError('CANCELLED', 'the caller has given up', signal?.reason));
    if (signal?.aborted) onAbort();
    signal?.addEventListener('abort', onAbort, { once: true });
    const cancelDeadline =
      timeoutMs === undefined
        ? () => {}
        : clock.setTimer(timeoutMs, () => {
            call.abort(new NodeError('DEADLINE_EXCEEDED', `${method.name} took more than ${timeoutMs} ms`));
          });
    let stream: ClientHttp2Stream | undefined;
    try {
      const headers = callHeaders({ method: method.name, timeoutMs, onBehalfOf: undefined });
      stream = await raced(this.open(headers), call.signal);
      yield* this.#exchange(stream, method, requests, call.signal);
    } finally {
      cancelDeadline();
      signal?.removeEventListener('abort', onAbort);
      if (stream !== undefined && !stream.closed) stream.close(constants.NGHTTP2_CANCEL);
    }
  }

  async *#exchange<Request, Response>(
    stream: ClientHttp2Stream,
    method: AnyMethodRules & { readonly response: (value: unknown) => Response },
    requests: AsyncIterable<Request>,
    signal: AbortSignal,
  ): AsyncGenerator<Response, void, undefined> {
    const bytesMax = messageBytesMax(method);
    let failure: unknown;
    // Its end shows in reading, too.
    stream.on('error', () => {});
    const cancel = () => stream.close(constants.NGHTTP2_CANCEL);
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    void send(stream, requests, bytesMax).catch((error: unknown) => {
      failure = error;
      cancel();
    });
    const cutOff = () => {
      if (signal.aborted) return signal.reason;
      if (failure !== undefined) return failure;
      if (this.#closing.signal.aborted) return this.#closing.signal.reason;
      return new NodeError('CONNECTION_LOST', `the connection was lost before ${method.name} was answered`);
    };
    try {
      yield* readMessages(stream, { decode: method.response, bytesMax, cutOff });
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  #connected(): Promise<ClientHttp2Session> {
    if (this.#closing.signal.aborted) return Promise.reject(this.#closing.signal.reason);
    const opening = this.#session ?? this.#dial();
    this.#session = opening;
    return opening;
  }

  #dial(): Promise<ClientHttp2Session> {
    const opening = dial({ ...this.#parts, signal: this.#closing.signal }).then((socket) => {
      const session = connect(`https://${this.#parts.address}`, {
        createConnection: () => socket,
        settings: { enablePush: false },
      });
      session.on('error', () => {});
      const stopPinging = keepAlive(session, this.#parts.clock, PING_MS);
      session.on('close', () => {
        stopPinging();
        forget();
      });
      session.on('goaway', () => forget());
      return session;
    });
    const forget = () => {
      if (this.#session === opening) this.#session = undefined;
    };
    opening.catch(forget);
    return opening;
  }
}

async function send<T>(
  stream: ClientHttp2Stream,
  requests: AsyncIterable<T>,
  bytesMax: number,
): Promise<void> {
  const writer = new MessageWriter(stream, bytesMax);
  for await (const request of requests) {
    if (!stream.writable) return;
    await writer.message(request);
  }
  writer.end();
}

async function* once<T>(value: T): AsyncGenerator<T, void, undefined> {
  yield value;
}

/** The result, or the signal's reason if that comes first. */
function raced<T extends { close(code?: number): void }>(
  result: Promise<T>,
  signal: AbortSignal,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => {
      reject(signal.reason);
      result.then((late) => late.close(constants.NGHTTP2_CANCEL)).catch(() => {});
    };
    if (signal.aborted) return onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort));
  });
}
