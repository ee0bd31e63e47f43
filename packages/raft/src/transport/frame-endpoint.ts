/** What every transport does with frames once they are whole: check who speaks, and tell messages from snapshots. */

import type { InstallSnapshot } from '../core/message.ts';
import type { MemberId, Random } from '../core/types.ts';
import type { RaftClock } from '../node/ports.ts';
import { TransportError } from './errors.ts';
import { type Frame, isSnapshotFrame } from './frame.ts';
import { SnapshotReceiver } from './snapshot-receiver.ts';
import { type ShippingLimits, SnapshotSender } from './snapshot-sender.ts';
import type { TransportEvents } from './transport.ts';

/** What an endpoint sits between. */
export interface FrameEndpointParts {
  readonly events: TransportEvents;
  readonly send: (to: MemberId, frame: Frame) => void;
  readonly clock: RaftClock;
  readonly random: Random;
  readonly shipping: Partial<ShippingLimits> | undefined;
}

/** One member's frames, to and from all others. */
export class FrameEndpoint {
  readonly #events: TransportEvents;
  readonly #sender: SnapshotSender;
  readonly #receiver: SnapshotReceiver;

  constructor({ events, send, clock, random, shipping }: FrameEndpointParts) {
    this.#events = events;
    this.#sender = new SnapshotSender(send, clock, Math.floor(random.next() * 2 ** 40), shipping);
    this.#receiver = new SnapshotReceiver(events.snapshot, send, clock);
  }

  /** A frame has arrived from a member that was identified. @throws TransportError `stranger` if it is another's. */
  receive(from: MemberId, frame: Frame): void {
    if (!isSnapshotFrame(frame)) {
      if (frame.from !== from) throw new TransportError('stranger', `${from} speaks for another member`);
      this.#events.message(frame);
      return;
    }
    if (frame.type === 'snapshot-begin' && frame.message.from !== from) {
      throw new TransportError('stranger', `${from} ships a snapshot of another member`);
    }
    this.#sender.receive(from, frame);
    this.#receiver.receive(from, frame);
  }

  /** See `RaftTransport.sendSnapshot`. */
  ship(message: InstallSnapshot, chunks: AsyncIterable<Uint8Array>): Promise<void> {
    return this.#sender.ship(message, chunks);
  }

  unreachable(member: MemberId): void {
    this.#events.unreachable(member);
  }

  close(): void {
    this.#sender.close();
    this.#receiver.close();
  }
}
