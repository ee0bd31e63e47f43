/**
 * Sealed frames: what each file of the log is made of behind its header. A frame is 20 bytes in clear (a marker, the
 * length, the frame's number in the file, a checksum of these) and then AES-256-GCM ciphertext and tag over one
 * whole batch, with the clear part authenticated beside it. The checksum is there so that a torn length is told from
 * a torn body; authenticity is the tag's alone.
 */

import { createCipheriv, createDecipheriv } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** Bytes of a frame before its ciphertext. */
export const FRAME_HEADER_BYTES = 20;

/** Bytes that a frame adds to its contents. */
export const FRAME_OVERHEAD = FRAME_HEADER_BYTES + 16;

/** The most that one frame may hold, in bytes: a limit against absurd lengths, far over what is ever written. */
export const MAX_FRAME_BYTES = 256 * 1024 * 1024;

/** First bytes of each frame. Not zero, so that preallocated space never looks like one. */
export const FRAME_MARKER = Buffer.from([0xf5, 0x4b, 0x45, 0x50]);

const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const CRC_OFFSET = 16;
const ALGORITHM = 'aes-256-gcm';

/** Seals `contents` as frame number `counter` of a file, into `into` at its start. Returns the frame's length. */
export function sealFrame(fileKey: Uint8Array, counter: number, contents: Uint8Array, into: Buffer): number {
  FRAME_MARKER.copy(into, 0);
  into.writeUInt32LE(contents.length, 4);
  into.writeUIntLE(counter, 8, 6);
  into.writeUInt16LE(0, 14);
  into.writeUInt32LE(crc32(into.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  const cipher = createCipheriv(ALGORITHM, fileKey, nonceOf(counter));
  cipher.setAAD(into.subarray(0, FRAME_HEADER_BYTES));
  const sealed = cipher.update(contents);
  cipher.final();
  into.set(sealed, FRAME_HEADER_BYTES);
  into.set(cipher.getAuthTag(), FRAME_HEADER_BYTES + sealed.length);
  return sealed.length + FRAME_OVERHEAD;
}

/** What the clear part of a frame says, if it is intact. */
export function parseFrameHeader(bytes: Buffer, at: number): { length: number; counter: number } | undefined {
  if (at + FRAME_HEADER_BYTES > bytes.length) return undefined;
  if (bytes.compare(FRAME_MARKER, 0, 4, at, at + 4) !== 0) return undefined;
  if (crc32(bytes.subarray(at, at + CRC_OFFSET)) !== bytes.readUInt32LE(at + CRC_OFFSET)) return undefined;
  const length = bytes.readUInt32LE(at + 4);
  if (length > MAX_FRAME_BYTES) return undefined;
  return { length, counter: bytes.readUIntLE(at + 8, 6) };
}

/** Opens the frame that starts at `at` and whose header was parsed. Undefined when it is not what was sealed. */
export function openFrame(
  fileKey: Uint8Array,
  { length, counter }: { readonly length: number; readonly counter: number },
  bytes: Buffer,
  at: number,
): Buffer | undefined {
  const body = at + FRAME_HEADER_BYTES;
  if (body + length + TAG_BYTES > bytes.length) return undefined;
  const decipher = createDecipheriv(ALGORITHM, fileKey, nonceOf(counter));
  decipher.setAAD(bytes.subarray(at, body));
  decipher.setAuthTag(bytes.subarray(body + length, body + length + TAG_BYTES));
  const contents = decipher.update(bytes.subarray(body, body + length));
  try {
    decipher.final();
    return contents;
  } catch {
    return undefined;
  }
}

function nonceOf(counter: number): Uint8Array {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntLE(counter, 0, 6);
  return nonce;
}
