/**
 * Receives snapshots in chunks, in order, at the pace at which they are stored. What has arrived is kept while the
 * sender is away for a while, so that the same snapshot goes on where it stopped.
 */

import type { InstallSnapshot } from '../core/message.ts';
import type { MemberId } from '../core/types.ts';
import type { RaftClock } from '../node/ports.ts';
import { TransportError } from './errors.ts';
import type { SnapshotFrame } from './frame.ts';
import type { SnapshotArrival } from './transport.ts';

/** How long a receiver waits for a sender that has gone silent, in ms. */
const PATIENCE_MS = 30_000;

type Deliver = (message: InstallSnapshot, arrival: SnapshotArrival) => Promise<void>;
type Send = (to: MemberId, frame: SnapshotFrame) => void;

/** Snapshots that arrive, one from each member. */
export class SnapshotReceiver {
  readonly #deliver: Deliver;
  readonly #send: Send;
  readonly #clock: RaftClock;
  readonly #arrivals = new Map<MemberId, Arrival>();

  constructor(deliver: Deliver, send: Send, clock: RaftClock) {
    this.#deliver = deliver;
    this.#send = send;
    this.#clock = clock;
  }

  /** A frame has arrived from the member. */
  receive(from: MemberId, frame: SnapshotFrame): void {
    if (frame.type === 'snapshot-begin') {
      this.#begin(from, frame.transfer, frame.message);
      return;
    }
    const arrival = this.#arrivals.get(from);
    if (arrival?.transfer !== frame.transfer) return;
    if (frame.type === 'snapshot-chunk') arrival.add(frame.offset, frame.chunk);
    else if (frame.type === 'snapshot-end') arrival.end(frame.offset);
  }

  close(): void {
    for (const arrival of this.#arrivals.values()) arrival.fail('the transport is closed');
    this.#arrivals.clear();
  }

  #begin(from: MemberId, transfer: number, message: InstallSnapshot): void {
    const known = this.#arrivals.get(from);
    if (known?.goesOnWith(transfer, message)) {
      known.resume(transfer);
      return;
    }
    known?.fail('the sender has begun another snapshot');
    const arrival = new Arrival(transfer, message, this.#clock, (frame) => this.#send(from, frame));
    this.#arrivals.set(from, arrival);
    this.#deliver(message, arrival).then(
      () => arrival.finish(true),
      () => arrival.finish(false),
    );
  }
}

class Arrival implements SnapshotArrival {
  transfer: number;
  readonly #message: InstallSnapshot;
  readonly #clock: RaftClock;
  readonly #send: (frame: SnapshotFrame) => void;
  #waiting: Uint8Array[] = [];
  /** It is known from where on the bytes are wanted. */
  #isBegun = false;
  #arrived = 0;
  #stored = 0;
  #askedFor: number | undefined;
  #isComplete = false;
  #failure: Error | undefined;
  #isTaken: boolean | undefined;
  #wake: () => void = () => {};
  #cancelTimer: () => void = () => {};

  constructor(
    transfer: number,
    message: InstallSnapshot,
    clock: RaftClock,
    send: (frame: SnapshotFrame) => void,
  ) {
    this.transfer = transfer;
    this.#message = message;
    this.#clock = clock;
    this.#send = send;
  }

  /** The same bytes of the same sender, or a new attempt at them. One that was refused is not gone on with. */
  goesOnWith(transfer: number, { term, snapshot }: InstallSnapshot): boolean {
    if (transfer === this.transfer) return true;
    const mine = this.#message;
    const isSame =
      mine.term === term && mine.snapshot.index === snapshot.index && mine.snapshot.term === snapshot.term;
    return isSame && this.#failure === undefined && this.#isTaken !== false;
  }

  resume(transfer: number): void {
    this.transfer = transfer;
    this.#heard();
    if (this.#isTaken !== undefined) this.#tellResult(this.#isTaken);
    else if (this.#isBegun) this.#want();
  }

  add(offset: number, chunk: Uint8Array): void {
    this.#heard();
    if (!this.#isBegun || this.#isComplete || offset < this.#arrived) return;
    if (offset > this.#arrived) {
      // One question for each gap: all that is under way behind it would ask the same.
      if (this.#askedFor === this.#arrived) return;
      this.#askedFor = this.#arrived;
      this.#want();
      return;
    }
    this.#arrived += chunk.length;
    this.#waiting.push(chunk);
    this.#wake();
  }

  end(offset: number): void {
    this.#heard();
    if (this.#isTaken !== undefined) this.#tellResult(this.#isTaken);
    else if (!this.#isBegun) return;
    else if (offset !== this.#arrived) this.#want();
    else {
      this.#isComplete = true;
      this.#wake();
    }
  }

  fail(message: string): void {
    this.#cancelTimer();
    if (this.#isComplete) return;
    this.#failure ??= new TransportError('undelivered', message);
    this.#wake();
  }

  finish(isTaken: boolean): void {
    this.#cancelTimer();
    this.#isTaken = isTaken;
    this.#waiting = [];
    this.#tellResult(isTaken);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array> {
    return this.from(0)[Symbol.asyncIterator]();
  }

  async *from(offset: number): AsyncGenerator<Uint8Array, void, undefined> {
    this.#isBegun = true;
    this.#arrived = offset;
    this.#stored = offset;
    this.#heard();
    this.#want();
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure;
      const chunk = this.#waiting.shift();
      if (chunk !== undefined) {
        yield chunk;
        this.#stored += chunk.length;
        this.#send({ type: 'snapshot-stored', transfer: this.transfer, offset: this.#stored });
      } else if (this.#isComplete) return;
      else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  #want(): void {
    this.#send({ type: 'snapshot-wanted', transfer: this.transfer, offset: this.#arrived });
  }

  #heard(): void {
    this.#cancelTimer();
    if (this.#isTaken !== undefined) return;
    this.#cancelTimer = this.#clock.setTimer(PATIENCE_MS, () => this.fail('the sender is silent'));
  }

  #tellResult(isTaken: boolean): void {
    this.#send({ type: 'snapshot-done', transfer: this.transfer, isTaken });
  }
}
