/**
 * A manager's one port. TLS is done here; what is spoken on a connection was agreed on in its handshake, and decides
 * who gets it. Certificates are asked for and not insisted on: a joiner has none yet. Raft gets only connections whose
 * certificate is verified.
 */

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { Clock, Logger } from '@skep/core';
import { silentLogger } from '@skep/core/member';
import { NodeError } from '../errors.ts';
import { type Credentials, tlsOptionsOf } from '../security/credentials.ts';
import { formatAddress, type HostAndPort } from './address.ts';
import { PROTOCOL } from './dial.ts';

/** Takes connections over. */
export type Acceptor = (socket: TLSSocket) => void;

/** What a listener is made of. */
export interface ListenerParts {
  readonly listen: HostAndPort;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly logger?: Logger;
  /** A handshake has so long, in ms. Default 5000. */
  readonly handshakeMs?: number;
}

const HANDSHAKE_MS = 5_000;

/** Connections that may be within their handshake at once. */
const HANDSHAKES_MAX = 256;

/** Listens on one port for all that a manager answers. */
export class Listener {
  readonly #parts: ListenerParts;
  readonly #server: Server;
  readonly #acceptors = new Map<string, Acceptor>();
  readonly #sockets = new Set<TLSSocket>();
  /** All connections, from before their handshake on. */
  readonly #connections = new Set<Socket>();
  readonly #stopFollowing: () => void;
  #address = '';

  private constructor(parts: ListenerParts) {
    const { credentials, logger = silentLogger, handshakeMs = HANDSHAKE_MS } = parts;
    this.#parts = parts;
    this.#server = createServer({
      ...tlsOptionsOf(credentials.texts),
      ALPNProtocols: [PROTOCOL.rpc, PROTOCOL.raft],
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: handshakeMs,
    });
    this.#server.on('connection', (socket: Socket) => this.#connected(socket));
    this.#server.on('secureConnection', (socket) => this.#accept(socket));
    this.#server.on('tlsClientError', (error, socket) => {
      // A handshake that takes too long is told, and not ended.
      socket.destroy();
      logger.debug({ err: error }, 'a handshake failed');
    });
    this.#stopFollowing = credentials.onChange(() => {
      this.#server.setSecureContext(tlsOptionsOf(credentials.texts));
    });
  }

  /** @throws NodeError `INVALID_OPTION` if nothing can listen there. */
  static async open(parts: ListenerParts): Promise<Listener> {
    const listener = new Listener(parts);
    await listener.#listen();
    return listener;
  }

  /** Where it listens, `host:port`. */
  get address(): string {
    return this.#address;
  }

  /** Gives connections that speak this protocol to `acceptor`. Returns the way to stop. */
  on(protocol: string, acceptor: Acceptor): () => void {
    this.#acceptors.set(protocol, acceptor);
    return () => {
      if (this.#acceptors.get(protocol) === acceptor) this.#acceptors.delete(protocol);
    };
  }

  /** Listens no more, and ends what is connected. */
  async close(): Promise<void> {
    this.#stopFollowing();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const socket of [...this.#sockets, ...this.#connections]) socket.destroy();
    await closed;
  }

  /** Whoever never ends the handshake of TLS must hold up neither the others nor the close. */
  #connected(socket: Socket): void {
    if (this.#connections.size >= this.#sockets.size + HANDSHAKES_MAX) {
      const { logger = silentLogger } = this.#parts;
      logger.debug({}, 'a connection was refused: too many are within their handshake');
      socket.destroy();
      return;
    }
    this.#connections.add(socket);
    socket.once('close', () => this.#connections.delete(socket));
  }

  #accept(socket: TLSSocket): void {
    const { alpnProtocol } = socket;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => {});
    const acceptor = typeof alpnProtocol === 'string' ? this.#acceptors.get(alpnProtocol) : undefined;
    const isRefused = alpnProtocol === PROTOCOL.raft && !socket.authorized;
    if (acceptor === undefined || isRefused) socket.destroy();
    else acceptor(socket);
  }

  #listen(): Promise<void> {
    const { host, port } = this.#parts.listen;
    const { logger = silentLogger } = this.#parts;
    return new Promise((resolve, reject) => {
      this.#server.once('error', (error) => {
        this.#stopFollowing();
        const at = formatAddress({ host, port });
        reject(
          new NodeError('INVALID_OPTION', `listen: nothing can listen on ${at}: ${error.message}`, error),
        );
      });
      this.#server.listen(port, host, () => {
        const bound = this.#server.address();
        const actual = typeof bound === 'object' && bound !== null ? bound.port : port;
        this.#address = formatAddress({ host, port: actual });
        this.#server.removeAllListeners('error');
        this.#server.on('error', (error) => logger.error({ err: error }, 'listening failed'));
        resolve();
      });
    });
  }
}
