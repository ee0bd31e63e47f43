/**
 * The way to one member: dialled, greeted, kept, and dialled again with growing waits for as long as its address is
 * known. Frames for a member that can't be reached are dropped: whoever sends them asks again.
 */

import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { MemberId } from '../../core/types.ts';
import type { CancelTimer } from '../../node/ports.ts';
import { TransportError } from '../../transport/errors.ts';
import { FramedSocket } from './framed-socket.ts';
import { decodeAnswer, encodeGreeting, GREETING_BYTES_MAX } from './greeting.ts';
import { parseAddress, type TcpTransportSettings } from './options.ts';

/** The name in the TLS greeting. Who the other side is, its certificate says. */
export const TLS_SERVER_NAME = 'member.raft.skep';

/** Frames that may wait while the first connection is made, in bytes. */
const WAITING_BYTES_MAX = 1024 * 1024;

/** What a link asks of its transport. */
export interface PeerLinkParts {
  readonly settings: TcpTransportSettings;
  readonly member: MemberId;
  readonly ownAddress: () => string;
  readonly onUnreachable: () => void;
}

/** One member as it is dialled from here. */
export class PeerLink {
  readonly #parts: PeerLinkParts;
  #address: string | undefined;
  #dialled: FramedSocket | undefined;
  #isGreeted = false;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #failures = 0;
  #cancelRetry: CancelTimer = () => {};
  #isClosed = false;

  constructor(parts: PeerLinkParts) {
    this.#parts = parts;
  }

  /** Moves to another address. The connection to the one before is given up. */
  setAddress(address: string): void {
    if (address === this.#address || this.#isClosed) return;
    this.#address = address;
    this.#failures = 0;
    this.#cancelRetry();
    const before = this.#dialled;
    this.#dialled = undefined;
    before?.destroy();
    this.#dial();
  }

  /** Sends a frame, or drops it. */
  send(frame: Uint8Array): void {
    const { metrics, sendBytesMax } = this.#parts.settings;
    const dialled = this.#dialled;
    if (dialled !== undefined && this.#isGreeted) {
      if (dialled.waitingBytes + frame.length <= sendBytesMax) dialled.send(frame);
      else metrics.count('raft_messages_dropped_total', 1, { reason: 'buffer-full' });
    } else if (dialled !== undefined && this.#waitingBytes + frame.length <= WAITING_BYTES_MAX) {
      this.#waiting.push(frame);
      this.#waitingBytes += frame.length;
    } else metrics.count('raft_messages_dropped_total', 1, { reason: 'not-connected' });
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#dialled?.destroy();
  }

  #dial(): void {
    const { settings } = this.#parts;
    if (this.#isClosed || this.#address === undefined) return;
    this.#isGreeted = false;
    let socket: Socket;
    try {
      socket = this.#connect(parseAddress(this.#address));
    } catch (error) {
      this.#retry(error);
      return;
    }
    const dialled: FramedSocket = new FramedSocket(socket, GREETING_BYTES_MAX, settings.clock, {
      frame: (frame) => this.#arrived(dialled, frame),
      closed: (error) => this.#lost(dialled, error),
    });
    this.#dialled = dialled;
    dialled.expectWithin(settings.greetingTimeoutMs);
  }

  #connect({ host, port }: { readonly host: string; readonly port: number }): Socket {
    const { tls } = this.#parts.settings;
    if (tls === undefined) {
      const socket = connect({ host, port, keepAlive: true });
      socket.once('connect', () => this.#greet());
      return socket;
    }
    const secured = connectTls({
      host,
      port,
      secureContext: tls.context(),
      servername: TLS_SERVER_NAME,
      ...(tls.protocol === undefined ? {} : { ALPNProtocols: [tls.protocol] }),
      // The certificate is verified against the authorities; whose it is, the injected function says below.
      checkServerIdentity: () => undefined,
    });
    secured.once('secureConnect', () => {
      const { member } = this.#parts;
      if (tls.isMember(member, secured.getPeerCertificate())) this.#greet();
      else secured.destroy(new TransportError('stranger', `the certificate is not that of ${member}`));
    });
    return secured;
  }

  #greet(): void {
    const { settings, member, ownAddress } = this.#parts;
    const { cluster, id } = settings;
    this.#dialled?.send(encodeGreeting({ cluster, from: id, to: member, address: ownAddress() }));
  }

  #arrived(dialled: FramedSocket, frame: Uint8Array): void {
    const { settings } = this.#parts;
    dialled.expectWithin(settings.silenceMs);
    // After the greeting, whatever comes back on this way is a sign of life and nothing else.
    if (this.#isGreeted || dialled !== this.#dialled) return;
    decodeAnswer(frame);
    this.#isGreeted = true;
    this.#failures = 0;
    settings.metrics.count('raft_connections_total', 1, { outcome: 'made' });
    for (const waiting of this.#takeWaiting()) dialled.send(waiting);
  }

  #lost(dialled: FramedSocket, error: unknown): void {
    if (dialled !== this.#dialled) return;
    this.#dialled = undefined;
    this.#isGreeted = false;
    this.#takeWaiting();
    this.#retry(error);
  }

  #retry(error: unknown): void {
    if (this.#isClosed) return;
    const { settings, member, onUnreachable } = this.#parts;
    const { clock, random, retryMsMin, retryMsMax, logger, metrics } = settings;
    const outcome = error instanceof TransportError ? error.code : 'lost';
    metrics.count('raft_connections_total', 1, { outcome });
    logger.debug({ err: error, member, outcome }, 'no connection to a member');
    const wait = Math.min(retryMsMax, retryMsMin * 2 ** Math.min(this.#failures, 20));
    this.#failures++;
    this.#cancelRetry = clock.setTimer(wait * (0.5 + random.next() / 2), () => this.#dial());
    onUnreachable();
  }

  #takeWaiting(): readonly Uint8Array[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#waitingBytes = 0;
    return waiting;
  }
}
