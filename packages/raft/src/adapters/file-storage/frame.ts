/**
 * Frames: what every file of the storage consists of behind its header. A frame is 20 bytes in clear and then the
 * AES-256-GCM ciphertext of its contents with the tag. The clear part is authenticated together with the contents; it
 * has a checksum of its own, so that a damaged length is never followed.
 *
 * Clear part, little endian: marker 4 bytes, length of the contents u32, counter u48, kind u8, zero u8, CRC-32 of these.
 *
 * A segment has a mark behind each frame: a clear part alone, with the counter of that frame. It says that the frame is
 * synced, or also that the log goes on in the next segment. It is written after that sync and waits for none of its own:
 * the next one takes it along, or the system's writing back.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Bytes in clear before the ciphertext. */
export const FRAME_HEAD_BYTES = 20;

const TAG_BYTES = 16;

/** Bytes that a frame has beside its contents. */
export const FRAME_OVERHEAD = FRAME_HEAD_BYTES + TAG_BYTES;

/** The most that one frame can hold. */
export const FRAME_CONTENTS_MAX = 512 * 1024 * 1024;

/** How every frame begins: no byte of it is zero, as preallocated space is. */
export const FRAME_MARKER = Buffer.from([0xd7, 0x72, 0x61, 0xf1]);

const CIPHER = 'aes-256-gcm';
const CHECKED_BYTES = 16;

/** What a frame holds. */
export const FRAME_KIND = { records: 1, description: 2, chunk: 3, trailer: 4 } as const;

/** What a mark says of the frame before it. */
export const MARK_KIND = { synced: 5, continued: 6 } as const;

/** Bytes of a mark. */
export const MARK_BYTES = FRAME_HEAD_BYTES;

/** What the clear part of a frame says. */
export interface FrameHead {
  /** Bytes of contents. */
  readonly length: number;
  /** The frame's number in its file, from 1. It is the nonce as well. */
  readonly counter: number;
  readonly kind: number;
}

/**
 * Seals `contents` as a frame at the start of `into`.
 *
 * @returns the length of the frame.
 */
export function sealFrame(
  key: Uint8Array,
  { counter, kind }: { readonly counter: number; readonly kind: number },
  contents: Uint8Array,
  into: Buffer,
): number {
  writeHead({ length: contents.length, counter, kind }, into);
  const cipher = createCipheriv(CIPHER, key, nonceOf(counter));
  cipher.setAAD(into.subarray(0, FRAME_HEAD_BYTES));
  const sealed = cipher.update(contents);
  cipher.final();
  into.set(sealed, FRAME_HEAD_BYTES);
  into.set(cipher.getAuthTag(), FRAME_HEAD_BYTES + sealed.length);
  return sealed.length + FRAME_OVERHEAD;
}

/** Writes a mark of the frame with that counter at the start of `into`. */
export function writeMark(kind: keyof typeof MARK_KIND, counter: number, into: Buffer): void {
  writeHead({ length: 0, counter, kind: MARK_KIND[kind] }, into);
}

/** Whether a clear part stands for itself, with no contents behind it. */
export function isMark({ kind }: FrameHead): boolean {
  return kind === MARK_KIND.synced || kind === MARK_KIND.continued;
}

/** The clear part of the frame or the mark at `at`, or undefined if none that is intact begins there. */
export function readHead(bytes: Buffer, at: number): FrameHead | undefined {
  if (at + FRAME_HEAD_BYTES > bytes.length) return undefined;
  if (bytes.compare(FRAME_MARKER, 0, FRAME_MARKER.length, at, at + FRAME_MARKER.length) !== 0)
    return undefined;
  const checksum = bytes.readUInt32LE(at + CHECKED_BYTES);
  if (crc32(bytes.subarray(at, at + CHECKED_BYTES)) !== checksum) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  if (length > FRAME_CONTENTS_MAX) return undefined;
  return { length, counter: bytes.readUIntLE(at + 8, 6), kind: bytes.readUInt8(at + 14) };
}

/** The contents of the frame at `at`, or undefined if they are not what was sealed, or not all there. */
export function openFrame(key: Uint8Array, head: FrameHead, bytes: Buffer, at: number): Buffer | undefined {
  const body = at + FRAME_HEAD_BYTES;
  const tag = body + head.length;
  if (tag + TAG_BYTES > bytes.length) return undefined;
  const decipher = createDecipheriv(CIPHER, key, nonceOf(head.counter), { authTagLength: TAG_BYTES });
  decipher.setAAD(bytes.subarray(at, body));
  decipher.setAuthTag(bytes.subarray(tag, tag + TAG_BYTES));
  const contents = decipher.update(bytes.subarray(body, tag));
  try {
    decipher.final();
    return contents;
  } catch {
    return undefined;
  }
}

function writeHead({ length, counter, kind }: FrameHead, into: Buffer): void {
  into.set(FRAME_MARKER, 0);
  into.writeUInt32LE(length, 4);
  into.writeUIntLE(counter, 8, 6);
  into.writeUInt8(kind, 14);
  into.writeUInt8(0, 15);
  into.writeUInt32LE(crc32(into.subarray(0, CHECKED_BYTES)), CHECKED_BYTES);
}

/** Counting is enough: a key belongs to one file, and a file is written once, from front to back. */
function nonceOf(counter: number): Uint8Array {
  const nonce = Buffer.alloc(12);
  nonce.writeUIntLE(counter, 0, 6);
  return nonce;
}
