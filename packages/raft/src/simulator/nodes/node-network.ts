/** The network between nodes: their own frames, over links that lose, double, delay and are cut. */

import type { InstallSnapshot } from '../../core/message.ts';
import type { MemberId, Random } from '../../core/types.ts';
import type { RaftClock } from '../../node/ports.ts';
import { TransportError, type TransportErrorCode } from '../../transport/errors.ts';
import { decodeFrame, encodeFrame, type Frame, isSnapshotFrame } from '../../transport/frame.ts';
import { FrameEndpoint } from '../../transport/frame-endpoint.ts';
import type { PeerMessage } from '../../transport/peer-message.ts';
import type { ShippingLimits } from '../../transport/snapshot-sender.ts';
import type { RaftTransport, TransportEvents } from '../../transport/transport.ts';
import type { Carried } from '../network.ts';

const FRAME_BYTES_MAX = 1024 * 1024;

/** A frame on its way. */
export interface CarriedFrame extends Carried {
  readonly type: Frame['type'];
  readonly bytes: Uint8Array;
}

/** What a transport is made of. */
export interface NodeTransportParts {
  readonly id: MemberId;
  readonly clock: RaftClock;
  readonly random: Random;
  readonly shipping: ShippingLimits;
  /** Puts a frame on the wire. */
  readonly carry: (frame: CarriedFrame) => void;
  /** A message leaves. */
  readonly onMessage: (message: PeerMessage) => void;
  /** A frame of the shipping of a snapshot leaves. */
  readonly onShipping: (to: MemberId, frame: Frame) => void;
  readonly onShipped: (outcome: 'delivered' | 'interrupted') => void;
  /** A frame was refused for what it is, and the connection that it came on is over. */
  readonly onRefused: (from: MemberId, reason: TransportErrorCode) => void;
}

/** One process's end of the network. */
export class NodeTransport implements RaftTransport {
  readonly #parts: NodeTransportParts;
  #endpoint: FrameEndpoint | undefined;

  constructor(parts: NodeTransportParts) {
    this.#parts = parts;
  }

  get isOpen(): boolean {
    return this.#endpoint !== undefined;
  }

  async start(events: TransportEvents): Promise<void> {
    const { clock, random, shipping } = this.#parts;
    const send = (to: MemberId, frame: Frame) => this.#put(to, frame);
    this.#endpoint = new FrameEndpoint({ events, send, clock, random, shipping });
  }

  send(message: PeerMessage): void {
    this.#parts.onMessage(message);
    this.#put(message.to, message);
  }

  async sendSnapshot(message: InstallSnapshot, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#endpoint === undefined) throw new Error('the transport is closed');
    try {
      await this.#endpoint.ship(message, chunks);
      this.#parts.onShipped('delivered');
    } catch (error) {
      this.#parts.onShipped('interrupted');
      throw error;
    }
  }

  setAddress(): void {
    // Members of one world are found by their ids.
  }

  async close(): Promise<void> {
    this.#endpoint?.close();
    this.#endpoint = undefined;
  }

  arrived(from: MemberId, bytes: Uint8Array): void {
    try {
      this.#endpoint?.receive(from, decodeFrame(bytes, FRAME_BYTES_MAX));
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#parts.onRefused(from, error.code);
    }
  }

  /** Nobody was there to take what was sent. */
  undelivered(to: MemberId): void {
    this.#endpoint?.unreachable(to);
  }

  #put(to: MemberId, frame: Frame): void {
    if (!this.isOpen) return;
    if (isSnapshotFrame(frame)) this.#parts.onShipping(to, frame);
    const { id, carry } = this.#parts;
    carry({ from: id, to, type: frame.type, bytes: encodeFrame(frame, FRAME_BYTES_MAX) });
  }
}
