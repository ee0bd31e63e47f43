/** A socket that carries whole frames, and gives up when the other side is silent for too long. */

import type { Socket } from 'node:net';
import type { CancelTimer, RaftClock } from '../../node/ports.ts';
import { TransportError } from '../../transport/errors.ts';
import { FrameReader, framed } from '../../transport/framing.ts';

/** What a framed socket tells. */
export interface FramedSocketEvents {
  /** A whole frame; may throw, and that ends the connection. */
  readonly frame: (frame: Uint8Array) => void;
  /** It is over; with the error if it was no orderly end. Told once. */
  readonly closed: (error: unknown) => void;
}

/** One connection. */
export class FramedSocket {
  readonly #socket: Socket;
  readonly #events: FramedSocketEvents;
  readonly #clock: RaftClock;
  #reader: FrameReader;
  /** Frames of this turn of the event loop, and their bytes. */
  #leaving: Uint8Array[] = [];
  #leavingBytes = 0;
  #error: unknown;
  #cancelSilence: CancelTimer = () => {};

  /** @param bytesMax - the longest frame, until {@link allow} is called. */
  constructor(socket: Socket, bytesMax: number, clock: RaftClock, events: FramedSocketEvents) {
    this.#socket = socket;
    this.#events = events;
    this.#clock = clock;
    this.#reader = new FrameReader(bytesMax);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => this.#arrived(chunk));
    socket.on('error', (error) => {
      this.#error ??= error;
    });
    socket.on('close', () => {
      this.#cancelSilence();
      this.#events.closed(this.#error);
    });
  }

  /** Bytes that wait to be sent. */
  get waitingBytes(): number {
    return this.#socket.writableLength + this.#leavingBytes;
  }

  /** From the next frame on, longer ones are taken. To be called from within the event of a frame. */
  allow(bytesMax: number): void {
    this.#reader.bytesMax = bytesMax;
  }

  /** Sends a frame, which is not to be changed any more; all that are sent in one turn of the event loop leave together. */
  send(frame: Uint8Array): void {
    if (this.#leaving.length === 0) process.nextTick(() => this.#leave());
    this.#leaving.push(frame);
    this.#leavingBytes += frame.length;
  }

  /** Ends the connection after so long, unless this or {@link expectNothing} is called before. */
  expectWithin(ms: number): void {
    this.#cancelSilence();
    this.#cancelSilence = this.#clock.setTimer(ms, () =>
      this.destroy(new TransportError('silent', `the other side said nothing for ${ms} ms`)),
    );
  }

  /** Stops waiting for a sign of life. */
  expectNothing(): void {
    this.#cancelSilence();
  }

  /** Sends what waits, then ends. */
  end(): void {
    this.#leave();
    this.#socket.end();
  }

  destroy(error?: unknown): void {
    this.#error ??= error;
    this.#socket.destroy();
  }

  #leave(): void {
    const frames = this.#leaving;
    this.#leaving = [];
    this.#leavingBytes = 0;
    if (frames.length > 0 && !this.#socket.destroyed) this.#socket.write(framed(frames));
  }

  #arrived(chunk: Uint8Array): void {
    try {
      for (const frame of this.#reader.push(chunk)) {
        if (this.#socket.destroyed) return;
        this.#events.frame(frame);
      }
    } catch (error) {
      this.destroy(error);
    }
  }
}
