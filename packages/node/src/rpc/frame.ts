/**
 * What goes over a stream of a call, each way: frames of a kind, a length and a body. Messages are MessagePack; the
 * last frame of the one who answers says how it ended, so that an answer that was cut off is never taken for whole.
 */

import { Packr, Unpackr } from 'msgpackr';
import { NodeError } from '../errors.ts';
import { checkMessage } from './message-check.ts';

/** Kinds of frames: a message, the end in order, the end with an error. */
export const FRAME = { message: 0, end: 1, error: 2 } as const;
export type FrameKind = (typeof FRAME)[keyof typeof FRAME];

/** One frame. */
export interface Frame {
  readonly kind: FrameKind;
  readonly body: Uint8Array;
}

const HEADER_BYTES = 5;

// With records, and with shared structures, a message would be more than its own bytes say.
const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false });

/** The bytes of a value. @throws NodeError `TOO_LARGE` */
export function encodeBody(value: unknown, bytesMax: number): Uint8Array {
  const body = packr.pack(value);
  if (body.length > bytesMax) {
    throw new NodeError('TOO_LARGE', `a message of ${body.length} bytes is over the limit of ${bytesMax}`);
  }
  return body;
}

/** The value in the bytes of a body. @throws NodeError `MALFORMED` */
export function decodeBody(body: Uint8Array): unknown {
  checkMessage(body);
  try {
    // A copy: what is decoded may hold views of it, and the stream's buffer is used again.
    return unpackr.unpack(new Uint8Array(body));
  } catch (error) {
    throw new NodeError('MALFORMED', 'a message can not be decoded', error);
  }
}

/** A frame as it is sent. */
export function encodeFrame(kind: FrameKind, body: Uint8Array = new Uint8Array(0)): Uint8Array {
  const frame = Buffer.allocUnsafe(HEADER_BYTES + body.length);
  frame.writeUInt8(kind, 0);
  frame.writeUInt32BE(body.length, 1);
  frame.set(body, HEADER_BYTES);
  return frame;
}

/** Cuts a stream of bytes into frames. A frame that announces too much is refused before its body is read. */
export class FrameReader {
  readonly #bytesMax: number;
  /** What has come and is not taken yet, in pieces: joined only when they make a whole frame. */
  #pieces: Uint8Array[] = [];
  #length = 0;
  /** How many bytes have to be there before it is worth looking again. */
  #wanted = HEADER_BYTES;

  /** @param bytesMax - the longest body that is taken. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** True if no frame has begun that is not complete. */
  get isBetweenFrames(): boolean {
    return this.#length === 0;
  }

  /** Takes bytes in; gives the frames that they complete. @throws NodeError `MALFORMED`, `TOO_LARGE` */
  *push(chunk: Uint8Array): Generator<Frame, void, undefined> {
    this.#pieces.push(chunk);
    this.#length += chunk.length;
    while (this.#length >= this.#wanted) {
      const bytes = this.#pieces.length === 1 ? chunkOf(this.#pieces) : Buffer.concat(this.#pieces);
      const { kind, end } = this.#header(bytes);
      this.#wanted = end;
      this.#pieces = [bytes];
      if (bytes.length < end) return;
      const rest = bytes.subarray(end);
      this.#pieces = rest.length > 0 ? [rest] : [];
      this.#length = rest.length;
      this.#wanted = HEADER_BYTES;
      yield { kind, body: bytes.subarray(HEADER_BYTES, end) };
    }
  }

  #header(bytes: Uint8Array): { readonly kind: FrameKind; readonly end: number } {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const kind = view.getUint8(0);
    const length = view.getUint32(1);
    if (kind !== FRAME.message && kind !== FRAME.end && kind !== FRAME.error) {
      throw new NodeError('MALFORMED', 'a frame is of no known kind');
    }
    if (length > this.#bytesMax) {
      throw new NodeError('TOO_LARGE', `a message of ${length} bytes is over the limit of ${this.#bytesMax}`);
    }
    return { kind, end: HEADER_BYTES + length };
  }
}

function chunkOf([only]: readonly Uint8Array[]): Uint8Array {
  return only ?? new Uint8Array(0);
}
