/**
 * Ships snapshots in chunks over frames that may be lost: the receiver says how far it got, and shipping goes on from
 * there, after a lost frame as after a lost connection. What is not acknowledged is held, up to a window.
 */

import type { InstallSnapshot } from '../core/message.ts';
import type { MemberId } from '../core/types.ts';
import type { RaftClock } from '../node/ports.ts';
import { TransportError } from './errors.ts';
import type { SnapshotFrame } from './frame.ts';

/** Limits of shipping. */
export interface ShippingLimits {
  /** Bytes of one chunk. Default 256 KiB. */
  readonly chunkBytes: number;
  /** Bytes that may be under way. Default 2 MiB. */
  readonly windowBytes: number;
  /** Silence after which the receiver is asked how far it got, in ms. Default 1000. */
  readonly askMs: number;
  /** Silence after which it is given up, in ms. Default 15,000. */
  readonly giveUpMs: number;
}

/** The defaults. */
export const SHIPPING_LIMITS: ShippingLimits = {
  chunkBytes: 256 * 1024,
  windowBytes: 2 * 1024 * 1024,
  askMs: 1000,
  giveUpMs: 15_000,
};

/** One question may be an old one that was overtaken. */
const SET_BACKS_MAX = 3;

type Send = (to: MemberId, frame: SnapshotFrame) => void;

/** Shippings under way, one to each member. */
export class SnapshotSender {
  readonly #send: Send;
  readonly #clock: RaftClock;
  readonly #limits: ShippingLimits;
  readonly #shippings = new Map<MemberId, Shipping>();
  #transfer: number;

  /** @param firstTransfer - drawn at random, so that no two lives of a sender use the same. */
  constructor(send: Send, clock: RaftClock, firstTransfer: number, limits: Partial<ShippingLimits> = {}) {
    this.#send = send;
    this.#clock = clock;
    this.#transfer = firstTransfer;
    this.#limits = { ...SHIPPING_LIMITS, ...limits };
  }

  /** Ships one. @throws TransportError `undelivered` or `closed`, or what `chunks` throws. */
  async ship(message: InstallSnapshot, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    const { to } = message;
    this.#shippings.get(to)?.fail(new TransportError('undelivered', 'another snapshot is shipped instead'));
    this.#transfer++;
    const shipping = new Shipping(message, this.#transfer, this.#limits, this.#clock, (frame) =>
      this.#send(to, frame),
    );
    this.#shippings.set(to, shipping);
    try {
      await shipping.run(chunks);
    } finally {
      shipping.stop();
      if (this.#shippings.get(to) === shipping) this.#shippings.delete(to);
    }
  }

  /** A frame has come back. */
  receive(from: MemberId, frame: SnapshotFrame): void {
    this.#shippings.get(from)?.receive(frame);
  }

  close(): void {
    for (const shipping of this.#shippings.values()) {
      shipping.fail(new TransportError('closed', 'the transport is closed'));
    }
  }
}

class Shipping {
  readonly #begin: SnapshotFrame;
  readonly #transfer: number;
  readonly #limits: ShippingLimits;
  readonly #clock: RaftClock;
  readonly #send: (frame: SnapshotFrame) => void;
  #held: { readonly offset: number; readonly chunk: Uint8Array }[] = [];
  #stored = 0;
  /** How often in a row the receiver wanted what it had said to have stored. */
  #setBack = 0;
  #offset = 0;
  #isWanted = false;
  #hasEnded = false;
  #result: { readonly isTaken: boolean } | undefined;
  #failure: Error | undefined;
  #heardAt: number;
  #wake: () => void = () => {};
  #cancelTimer: () => void;

  constructor(
    message: InstallSnapshot,
    transfer: number,
    limits: ShippingLimits,
    clock: RaftClock,
    send: (frame: SnapshotFrame) => void,
  ) {
    this.#begin = { type: 'snapshot-begin', transfer, message };
    this.#transfer = transfer;
    this.#limits = limits;
    this.#clock = clock;
    this.#send = send;
    this.#heardAt = clock.monotonic();
    this.#cancelTimer = clock.setTimer(limits.askMs, () => this.#ask());
  }

  async run(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    this.#send(this.#begin);
    await this.#until(() => this.#isWanted || this.#result !== undefined);
    if (this.#result === undefined) {
      for await (const chunk of chunks) {
        for (let at = 0; at < chunk.length; at += this.#limits.chunkBytes) {
          this.#add(chunk.subarray(at, at + this.#limits.chunkBytes));
          await this.#until(() => this.#offset - this.#stored < this.#limits.windowBytes);
        }
        if (this.#result !== undefined) break;
      }
      this.#hasEnded = true;
      this.#sendEnd();
      await this.#until(() => this.#result !== undefined);
    }
    if (this.#result?.isTaken !== true) {
      throw new TransportError('undelivered', 'the receiver did not take the snapshot');
    }
  }

  receive(frame: SnapshotFrame): void {
    if (frame.transfer !== this.#transfer) return;
    if (frame.type === 'snapshot-wanted') {
      this.#isWanted = true;
      // It had more once, and what it had is not held here any more: it has begun its life anew.
      this.#setBack = frame.offset < this.#stored ? this.#setBack + 1 : 0;
      if (this.#setBack === SET_BACKS_MAX) {
        this.fail(new TransportError('undelivered', 'the receiver has lost what it had stored'));
        return;
      }
      this.#advance(frame.offset);
      for (const { offset, chunk } of this.#held) this.#sendChunk(offset, chunk);
      if (this.#hasEnded) this.#sendEnd();
    } else if (frame.type === 'snapshot-stored') this.#advance(frame.offset);
    else if (frame.type === 'snapshot-done') this.#result = frame;
    else return;
    this.#heardAt = this.#clock.monotonic();
    this.#wake();
  }

  fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  stop(): void {
    this.#cancelTimer();
  }

  #add(chunk: Uint8Array): void {
    const offset = this.#offset;
    this.#offset += chunk.length;
    // What the receiver has from an earlier attempt is not sent again.
    if (this.#offset <= this.#stored) return;
    this.#held.push({ offset, chunk });
    this.#sendChunk(offset, chunk);
  }

  #sendChunk(offset: number, chunk: Uint8Array): void {
    const skipped = Math.max(0, this.#stored - offset);
    this.#send({
      type: 'snapshot-chunk',
      transfer: this.#transfer,
      offset: offset + skipped,
      chunk: chunk.subarray(skipped),
    });
  }

  #sendEnd(): void {
    this.#send({ type: 'snapshot-end', transfer: this.#transfer, offset: this.#offset });
  }

  #advance(offset: number): void {
    this.#stored = Math.max(this.#stored, offset);
    this.#held = this.#held.filter((held) => held.offset + held.chunk.length > this.#stored);
  }

  #ask(): void {
    const { askMs, giveUpMs } = this.#limits;
    const silence = this.#clock.monotonic() - this.#heardAt;
    if (silence >= giveUpMs) this.fail(new TransportError('undelivered', 'the receiver is silent'));
    else if (silence >= askMs) this.#send(this.#begin);
    this.#cancelTimer = this.#clock.setTimer(askMs, () => this.#ask());
  }

  async #until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#result?.isTaken === false) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
