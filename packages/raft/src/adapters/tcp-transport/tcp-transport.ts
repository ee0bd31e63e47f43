/**
 * Members that reach each other over TCP, with mutual TLS if a context is given. Each way has its own connection: what
 * a member sends goes over the one it has dialled, and what it receives comes over those it has accepted.
 */

import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import type { InstallSnapshot } from '../../core/message.ts';
import type { MemberId } from '../../core/types.ts';
import type { CancelTimer } from '../../node/ports.ts';
import { TransportError, type TransportErrorCode } from '../../transport/errors.ts';
import { decodeFrame, encodeFrame, type Frame } from '../../transport/frame.ts';
import { FrameEndpoint } from '../../transport/frame-endpoint.ts';
import type { PeerMessage } from '../../transport/peer-message.ts';
import type { RaftTransport, TransportEvents } from '../../transport/transport.ts';
import { FramedSocket } from './framed-socket.ts';
import { decodeGreeting, encodeAnswer, GREETING_BYTES_MAX } from './greeting.ts';
import {
  formatAddress,
  type TcpTransportOptions,
  type TcpTransportSettings,
  withTcpDefaults,
} from './options.ts';
import { PeerLink } from './peer-link.ts';

/** How often an accepted connection gives a sign of life, in ms. */
const PULSE_MS = 1000;
const PULSE = new Uint8Array(0);

/** Strangers that may be connected at once, before they have greeted, and before the handshake of TLS. */
const UNGREETED_MAX = 256;

/** Others that may be connected at once without being known from the configuration: it may be yet to come. */
const GUESTS_MAX = 64;

/** A {@link RaftTransport} over TCP. */
export class TcpTransport implements RaftTransport {
  readonly #settings: TcpTransportSettings;
  readonly #links = new Map<MemberId, PeerLink>();
  readonly #accepted = new Map<MemberId, FramedSocket>();
  /** Those whose address is known from their own greeting alone. They are dialled for as long as they are connected. */
  readonly #guests = new Set<MemberId>();
  /** Those who are never to be spoken to again, unless they are given an address once more. */
  readonly #forgotten = new Set<MemberId>();
  readonly #ungreeted = new Set<FramedSocket>();
  /** All connections to this server, from before their handshake on. */
  readonly #connections = new Set<Socket>();
  #server: Server | undefined;
  #address: string | undefined;
  #listening: Promise<string> | undefined;
  #endpoint: FrameEndpoint | undefined;
  #cancelPulse: CancelTimer = () => {};
  #stopAccepting = () => {};
  #isClosed = false;

  /** @throws TransportError `invalid-argument`, naming the option and its rule. */
  constructor(options: TcpTransportOptions) {
    this.#settings = withTcpDefaults(options);
  }

  get frameBytesMax(): number {
    return this.#settings.frameBytesMax;
  }

  /** Binds the port before the node starts, where the address has to be known earlier. Resolves to `host:port`. */
  listen(): Promise<string> {
    this.#listening ??= this.#listen();
    return this.#listening;
  }

  async start(events: TransportEvents): Promise<void> {
    const { clock, random, shipping } = this.#settings;
    await this.listen();
    const send = (to: MemberId, frame: Frame) => this.#put(to, frame);
    this.#endpoint = new FrameEndpoint({ events, send, clock, random, shipping });
    this.#pulse();
  }

  send(message: PeerMessage): void {
    this.#put(message.to, message);
  }

  async sendSnapshot(message: InstallSnapshot, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#endpoint === undefined) throw new TransportError('closed', 'the transport is closed');
    await this.#endpoint.ship(message, chunks);
  }

  setAddress(member: MemberId, address: string | undefined): void {
    if (this.#isClosed || member === this.#settings.id) return;
    this.#guests.delete(member);
    if (address === undefined) {
      this.#forgotten.add(member);
      this.#unlink(member);
      this.#accepted.get(member)?.destroy();
      return;
    }
    this.#forgotten.delete(member);
    this.#linkTo(member, address);
  }

  #linkTo(member: MemberId, address: string): void {
    let link = this.#links.get(member);
    if (link === undefined) {
      link = new PeerLink({
        settings: this.#settings,
        member,
        ownAddress: () => this.#settings.advertised ?? this.#address ?? '',
        onUnreachable: () => this.#endpoint?.unreachable(member),
      });
      this.#links.set(member, link);
    }
    link.setAddress(address);
  }

  #unlink(member: MemberId): void {
    this.#links.get(member)?.close();
    this.#links.delete(member);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPulse();
    this.#stopAccepting();
    this.#endpoint?.close();
    this.#endpoint = undefined;
    for (const link of this.#links.values()) link.close();
    for (const socket of [...this.#accepted.values(), ...this.#ungreeted]) socket.destroy();
    for (const socket of this.#connections) socket.destroy();
    await this.#listening?.catch(() => {});
    const server = this.#server;
    if (server !== undefined) await new Promise<void>((resolve) => server.close(() => resolve()));
  }

  #listen(): Promise<string> {
    const { listen, tls, greetingTimeoutMs } = this.#settings;
    const accept = (socket: Socket) => this.#accept(socket);
    if ('accept' in listen) {
      this.#stopAccepting = listen.accept(accept);
      this.#address = listen.address;
      return Promise.resolve(listen.address);
    }
    const server =
      tls === undefined
        ? createServer(accept)
        : createTlsServer(
            {
              requestCert: true,
              rejectUnauthorized: true,
              handshakeTimeout: greetingTimeoutMs,
              SNICallback: (_name, done) => {
                try {
                  done(null, tls.context());
                } catch (error) {
                  done(error instanceof Error ? error : new Error(String(error)));
                }
              },
            },
            accept,
          );
    server.on('connection', (socket: Socket) => this.#connected(socket));
    server.on('tlsClientError', (error: unknown, socket: Socket) => {
      // A handshake that takes too long is told, and not ended.
      socket.destroy();
      if (!this.#isClosed) this.#refused('stranger', error);
    });
    this.#server = server;
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen(listen.port, listen.host, () => {
        const bound = server.address();
        const port = typeof bound === 'object' && bound !== null ? bound.port : listen.port;
        this.#address = formatAddress(listen.host, port);
        server.on('error', (error) => this.#settings.logger.error({ err: error }, 'listening failed'));
        resolve(this.#address);
      });
    });
  }

  /** Whoever never ends the handshake of TLS must hold up neither the others nor the close. */
  #connected(socket: Socket): void {
    const isFull = this.#connections.size >= this.#accepted.size + UNGREETED_MAX;
    if (this.#isClosed || isFull) {
      socket.destroy();
      if (!this.#isClosed) this.#refused('busy', tooMany());
      return;
    }
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
  }

  #accept(socket: Socket): void {
    const { clock, greetingTimeoutMs, frameBytesMax } = this.#settings;
    let from: MemberId | undefined;
    const framed: FramedSocket = new FramedSocket(socket, GREETING_BYTES_MAX, clock, {
      frame: (frame) => {
        if (from !== undefined) {
          this.#endpoint?.receive(from, decodeFrame(frame, frameBytesMax));
          return;
        }
        from = this.#greeted(framed, socket, frame);
        if (from !== undefined) this.#ungreeted.delete(framed);
      },
      closed: (error) => {
        this.#ungreeted.delete(framed);
        if (from !== undefined && this.#accepted.get(from) === framed) this.#left(from);
        if (error instanceof TransportError) this.#refused(error.code, error);
      },
    });
    if (this.#isClosed || this.#ungreeted.size >= UNGREETED_MAX) {
      framed.destroy(this.#isClosed ? undefined : tooMany());
      return;
    }
    this.#ungreeted.add(framed);
    framed.expectWithin(greetingTimeoutMs);
  }

  /** Checks who has dialled. @returns undefined if it was refused; the connection is about to end then. */
  #greeted(framed: FramedSocket, socket: Socket, frame: Uint8Array): MemberId | undefined {
    const { frameBytesMax } = this.#settings;
    try {
      const { from, address } = this.#verified(socket, frame);
      framed.expectNothing();
      framed.allow(frameBytesMax);
      framed.send(encodeAnswer());
      this.#accepted.get(from)?.destroy();
      this.#accepted.set(from, framed);
      // A member that joins knows nobody yet: it answers where it was spoken to from. One that has moved says where
      // to, and if its certificate proves that it is the one, that is as good as the news in the log to come.
      if (!this.#links.has(from)) this.#guests.add(from);
      if (this.#guests.has(from) || this.#settings.tls !== undefined) this.#linkTo(from, address);
      return from;
    } catch (error) {
      const code = error instanceof TransportError ? error.code : 'garbled-frame';
      this.#refused(code, error);
      framed.send(encodeAnswer(code));
      framed.end();
      return undefined;
    }
  }

  /** A connection of a member is over. One that is known from nowhere else is known no more. */
  #left(from: MemberId): void {
    this.#accepted.delete(from);
    if (this.#guests.delete(from)) this.#unlink(from);
  }

  #verified(socket: Socket, frame: Uint8Array): { readonly from: MemberId; readonly address: string } {
    const { id, cluster, tls } = this.#settings;
    const greeting = decodeGreeting(frame);
    if (greeting.cluster !== cluster) {
      throw new TransportError('wrong-cluster', 'the other side belongs to another cluster');
    }
    if (greeting.to !== id || greeting.from === id) {
      throw new TransportError('stranger', 'the other side looks for another member');
    }
    if (tls !== undefined) {
      const isTheirs =
        socket instanceof TLSSocket && tls.isMember(greeting.from, socket.getPeerCertificate());
      if (!isTheirs) throw new TransportError('stranger', `the certificate is not that of ${greeting.from}`);
    }
    if (this.#forgotten.has(greeting.from)) {
      throw new TransportError('stranger', `${greeting.from} was removed`);
    }
    if (!this.#links.has(greeting.from) && this.#guests.size >= GUESTS_MAX) throw tooMany();
    return greeting;
  }

  #put(to: MemberId, frame: Frame): void {
    const { frameBytesMax, metrics } = this.#settings;
    const link = this.#links.get(to);
    if (this.#isClosed) return;
    if (link === undefined) {
      metrics.count('raft_messages_dropped_total', 1, { reason: 'no-address' });
      return;
    }
    try {
      link.send(encodeFrame(frame, frameBytesMax));
    } catch (error) {
      // A message may be lost at any time; that this one is too long for the wire must not stop its sender.
      if (!(error instanceof TransportError)) throw error;
      metrics.count('raft_messages_dropped_total', 1, { reason: error.code });
    }
  }

  #pulse(): void {
    if (this.#isClosed) return;
    for (const socket of this.#accepted.values()) socket.send(PULSE);
    this.#cancelPulse = this.#settings.clock.setTimer(PULSE_MS, () => this.#pulse());
  }

  #refused(reason: TransportErrorCode, error: unknown): void {
    const { metrics, logger } = this.#settings;
    metrics.count('raft_messages_refused_total', 1, { reason });
    logger.warn({ err: error, reason }, 'a connection was refused');
  }
}

function tooMany(): TransportError {
  return new TransportError('busy', 'so many connections of others are open that no more is taken');
}
