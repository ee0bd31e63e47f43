/** Frames in a stream of bytes: four bytes of length, big-endian, then as many bytes. */

import { TransportError } from './errors.ts';

/** Bytes of length before each frame. */
const FRAME_HEADER_BYTES = 4;

/** Frames as they go over a stream, in one piece: many small writes cost far more than a copy. */
export function framed(frames: readonly Uint8Array[]): Uint8Array {
  const bytes = frames.reduce((sum, frame) => sum + FRAME_HEADER_BYTES + frame.length, 0);
  const stream = new Uint8Array(bytes);
  const view = new DataView(stream.buffer);
  let at = 0;
  for (const frame of frames) {
    view.setUint32(at, frame.length);
    stream.set(frame, at + FRAME_HEADER_BYTES);
    at += FRAME_HEADER_BYTES + frame.length;
  }
  return stream;
}

/** Cuts a stream into frames. Holds no more than one frame and one chunk. */
export class FrameReader {
  /** The longest frame that is taken. */
  bytesMax: number;
  #chunks: Uint8Array[] = [];
  #held = 0;
  /** The length of the frame that is arriving, once it is known. */
  #due: number | undefined;

  /** @param bytesMax - a longer frame is refused by its header, before any of it is held. */
  constructor(bytesMax: number) {
    this.bytesMax = bytesMax;
  }

  /** Takes what has arrived. @returns frames that are complete. @throws TransportError `frame-too-large`. */
  push(chunk: Uint8Array): Uint8Array[] {
    if (chunk.length > 0) this.#chunks.push(chunk);
    this.#held += chunk.length;
    const frames: Uint8Array[] = [];
    for (;;) {
      if (this.#due === undefined) {
        if (this.#held < FRAME_HEADER_BYTES) return frames;
        const header = this.#take(FRAME_HEADER_BYTES);
        this.#due = new DataView(header.buffer, header.byteOffset, header.byteLength).getUint32(0);
        if (this.#due > this.bytesMax) {
          const message = `a frame of ${this.#due} bytes is over the limit of ${this.bytesMax}`;
          throw new TransportError('frame-too-large', message);
        }
      }
      if (this.#held < this.#due) return frames;
      frames.push(this.#take(this.#due));
      this.#due = undefined;
    }
  }

  /** The next bytes, in an array of their own: what is cut out of them may be kept for long. */
  #take(length: number): Uint8Array {
    const taken = new Uint8Array(length);
    let filled = 0;
    let used = 0;
    for (const chunk of this.#chunks) {
      if (filled === length) break;
      const part = chunk.subarray(0, length - filled);
      taken.set(part, filled);
      filled += part.length;
      if (part.length === chunk.length) used++;
      else this.#chunks[used] = chunk.subarray(part.length);
    }
    this.#chunks.splice(0, used);
    this.#held -= length;
    return taken;
  }
}
