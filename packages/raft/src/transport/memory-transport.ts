/**
 * A network in memory for members of one process: tests, demonstrations, browsers. Every frame passes through the
 * codec, as on a wire, and may be delayed, lost, doubled or cut off by whoever holds the network.
 */

import type { InstallSnapshot } from '../core/message.ts';
import type { MemberId, Random } from '../core/types.ts';
import type { RaftClock, RaftMetrics } from '../node/ports.ts';
import { noRaftMetrics } from '../node/ports.ts';
import { TransportError } from './errors.ts';
import { decodeFrame, encodeFrame, FRAME_BYTES_MAX, type Frame } from './frame.ts';
import { FrameEndpoint } from './frame-endpoint.ts';
import type { PeerMessage } from './peer-message.ts';
import type { ShippingLimits } from './snapshot-sender.ts';
import type { RaftTransport, TransportEvents } from './transport.ts';

/** What a network in memory is made of. */
export interface MemoryNetworkOptions {
  readonly clock: RaftClock;
  readonly random: Random;
  /** How long a frame is under way, in ms. Default 1. */
  readonly latencyMs?: number;
  /** How much longer at most, at random: frames overtake each other. Default 0. */
  readonly jitterMs?: number;
  /** The share of frames that are lost. Default 0. */
  readonly loss?: number;
  /** The share of frames that arrive twice. Default 0. */
  readonly duplication?: number;
  /** The longest frame, in bytes. Default 8 MiB. */
  readonly frameBytesMax?: number;
  /** Limits of shipping snapshots. */
  readonly shipping?: Partial<ShippingLimits>;
}

/** The wires between members of one process. */
export class MemoryNetwork {
  readonly #options: MemoryNetworkOptions;
  readonly #transports = new Map<MemberId, MemoryTransport>();
  readonly #cut = new Set<string>();
  /** What has arrived at members that stand still. */
  readonly #held = new Map<MemberId, (() => void)[]>();
  #loss: number;

  constructor(options: MemoryNetworkOptions) {
    this.#options = options;
    this.#loss = options.loss ?? 0;
  }

  /** A member's end of the network. The one before it, if any, receives nothing more. */
  join(member: MemberId, metrics: RaftMetrics = noRaftMetrics): MemoryTransport {
    const transport = new MemoryTransport(this, this.#options, member, metrics);
    this.#transports.set(member, transport);
    return transport;
  }

  /** Nothing passes from one to the other any more; the way back stays open. */
  cut(from: MemberId, to: MemberId): void {
    this.#cut.add(`${from} ${to}`);
  }

  /** Nothing passes to or from the member. */
  isolate(member: MemberId): void {
    for (const other of this.#transports.keys()) {
      if (other === member) continue;
      this.cut(member, other);
      this.cut(other, member);
    }
  }

  /** Everything passes again. */
  heal(): void {
    this.#cut.clear();
  }

  /** The member stands still, and what arrives waits for it, until the returned function is called. */
  hold(member: MemberId): () => void {
    const held: (() => void)[] = [];
    this.#held.set(member, held);
    return () => {
      if (this.#held.get(member) === held) this.#held.delete(member);
      for (const arrive of held.splice(0)) this.#options.clock.setTimer(0, arrive);
    };
  }

  /** From now on this share of the frames is lost. */
  lose(share: number): void {
    this.#loss = share;
  }

  /** Puts bytes on the wire. Whether they arrive is the network's matter. */
  carry(from: MemberId, to: MemberId, encoded: Uint8Array): void {
    const { random, duplication = 0 } = this.#options;
    if (this.#cut.has(`${from} ${to}`) || (this.#loss > 0 && random.next() < this.#loss)) return;
    this.#deliverLater(from, to, encoded);
    if (duplication > 0 && random.next() < duplication) this.#deliverLater(from, to, encoded);
  }

  #deliverLater(from: MemberId, to: MemberId, encoded: Uint8Array): void {
    const { clock, random, latencyMs = 1, jitterMs = 0 } = this.#options;
    const delay = latencyMs + (jitterMs > 0 ? random.next() * jitterMs : 0);
    clock.setTimer(delay, () => {
      if (!this.#cut.has(`${from} ${to}`)) this.#deliver(from, to, encoded);
    });
  }

  #deliver(from: MemberId, to: MemberId, encoded: Uint8Array): void {
    const held = this.#held.get(to);
    if (held !== undefined) {
      held.push(() => this.#deliver(from, to, encoded));
      return;
    }
    const receiver = this.#transports.get(to);
    if (receiver?.isOpen) receiver.arrived(from, encoded);
    else this.#transports.get(from)?.undelivered(to);
  }
}

/** One member's end of a {@link MemoryNetwork}. */
export class MemoryTransport implements RaftTransport {
  readonly #network: MemoryNetwork;
  readonly #options: MemoryNetworkOptions;
  readonly #member: MemberId;
  readonly #metrics: RaftMetrics;
  readonly #bytesMax: number;
  #endpoint: FrameEndpoint | undefined;

  /** Use {@link MemoryNetwork.join} rather than this. */
  constructor(network: MemoryNetwork, options: MemoryNetworkOptions, member: MemberId, metrics: RaftMetrics) {
    this.#network = network;
    this.#options = options;
    this.#member = member;
    this.#metrics = metrics;
    this.#bytesMax = options.frameBytesMax ?? FRAME_BYTES_MAX;
  }

  get isOpen(): boolean {
    return this.#endpoint !== undefined;
  }

  get frameBytesMax(): number {
    return this.#bytesMax;
  }

  async start(events: TransportEvents): Promise<void> {
    const { clock, random, shipping } = this.#options;
    const send = (to: MemberId, frame: Frame) => this.#put(to, frame);
    this.#endpoint = new FrameEndpoint({ events, send, clock, random, shipping });
  }

  send(message: PeerMessage): void {
    this.#put(message.to, message);
  }

  async sendSnapshot(message: InstallSnapshot, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.#endpoint === undefined) throw new TransportError('closed', 'the transport is closed');
    await this.#endpoint.ship(message, chunks);
  }

  setAddress(): void {
    // Members of one process are found by their ids.
  }

  async close(): Promise<void> {
    this.#endpoint?.close();
    this.#endpoint = undefined;
  }

  /** For the network: bytes have arrived. */
  arrived(from: MemberId, encoded: Uint8Array): void {
    try {
      this.#endpoint?.receive(from, decodeFrame(encoded, this.#bytesMax));
    } catch (error) {
      if (!(error instanceof TransportError)) throw error;
      this.#metrics.count('raft_messages_refused_total', 1, { reason: error.code });
    }
  }

  /** For the network: nobody was there. */
  undelivered(to: MemberId): void {
    this.#endpoint?.unreachable(to);
  }

  #put(to: MemberId, frame: Frame): void {
    if (!this.isOpen) return;
    try {
      this.#network.carry(this.#member, to, encodeFrame(frame, this.#bytesMax));
    } catch (error) {
      // A message may be lost at any time; that this one is too long for the wire must not stop its sender.
      if (!(error instanceof TransportError)) throw error;
      this.#metrics.count('raft_messages_dropped_total', 1, { reason: error.code });
    }
  }
}
