/** Frames in a stream of bytes: four bytes of length, big-endian, then as many bytes. */

import { TransportError } from './errors.ts';

/** Bytes of length before each frame. */
const HEADER_BYTES = 4;

/** Frames as they go over a stream, in one piece: many small writes cost far more than a copy. */
export function framed(frames: readonly Uint8Array[]): Uint8Array {
  const bytes = frames.reduce((sum, frame) => sum + HEADER_BYTES + frame.length, 0);
  const stream = new Uint8Array(bytes);
  const view = new DataView(stream.buffer);
  let at = 0;
  for (const frame of frames) {
    view.setUint32(at, frame.length);
    stream.set(frame, at + HEADER_BYTES);
    at += HEADER_BYTES + frame.length;
  }
  return stream;
}

/** Cuts a stream into frames. Holds no more than one frame and one chunk. */
export class FrameReader {
  /** The longest frame that is taken. */
  bytesMax: number;
  /** What has arrived of a header. */
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerFilled = 0;
  /** The frame that is arriving, once its length is known. */
  #frame: Uint8Array | undefined;
  #filled = 0;

  /** @param bytesMax - a longer frame is refused by its header, before any of it is held. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /**
   * Takes what has arrived.
   *
   * @returns frames that are complete, each in an array of its own: what is cut out of them may be kept for long.
   * @throws TransportError `frame-too-large`.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const frames: Uint8Array[] = [];
    let at = 0;
    for (;;) {
      if (this.#frame === undefined) {
        while (this.#headerFilled < HEADER_BYTES && at < chunk.length) {
          this.#header[this.#headerFilled++] = chunk[at++] ?? 0;
        }
        if (this.#headerFilled < HEADER_BYTES) return frames;
        this.#begin();
      }
      const frame = this.#frame;
      if (frame === undefined) return frames;
      const part = chunk.subarray(at, at + frame.length - this.#filled);
      frame.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled < frame.length) return frames;
      frames.push(frame);
      this.#frame = undefined;
    }
  }

  #begin(): void {
    const [a = 0, b = 0, c = 0, d = 0] = this.#header;
    const length = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    if (length > this.bytesMax) {
      const message = `a frame of ${length} bytes is over the limit of ${this.bytesMax}`;
      throw new TransportError('frame-too-large', message);
    }
    this.#frame = new Uint8Array(length);
    this.#filled = 0;
    this.#headerFilled = 0;
  }
}
