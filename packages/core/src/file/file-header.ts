/**
 * The first 160 bytes of each file of the log, in clear: what it is, which key seals it, and counters. The key of
 * the file is derived from the whole header, so that it can't be altered or moved to another file unnoticed.
 *
 * Layout, little endian: magic 8, version u16, key id length u8, flags u8, number f64 at 16, base position f64 at 24,
 * epoch f64 at 32, salt 32 at 40, key check 16 at 72, key id 64 at 88, crc32 of all before at 156.
 */

import { timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { type Epoch, LogError, type Position } from '../log/event-log.ts';
import type { Random } from '../runtime/random.ts';
import { DATA_KEY_BYTES, deriveFileKey, deriveKeyCheck, type KeyProvider, MAX_KEY_ID_BYTES } from './keys.ts';

/** Length of a header in bytes; frames follow. */
export const HEADER_BYTES = 160;

const VERSION = 1;
const CRC_OFFSET = 156;
const MAGIC = { segment: 'SKEPLOG\n', snapshot: 'SKEPSNP\n' } as const;
const DISCARDS = 1;

/** What a header says. */
export interface FileHeader {
  readonly kind: 'segment' | 'snapshot';
  /** Which segment; 0 for snapshots. */
  readonly number: number;
  /** Segment: the last position before it. Snapshot: its position. */
  readonly base: Position;
  /** The epoch in which the file was made. */
  readonly epoch: Epoch;
  /** Snapshot: nothing that it covers may stay on disk. */
  readonly discards: boolean;
}

/** A header as it stands on disk, not yet opened with a key. */
export interface StoredHeader extends FileHeader {
  readonly keyId: string;
  readonly bytes: Uint8Array;
}

/** Makes a header under the current key, and the key of its file. */
export async function createHeader(
  header: FileHeader,
  keys: KeyProvider,
  random: Random,
): Promise<{ bytes: Uint8Array; fileKey: Uint8Array }> {
  const { id, key } = await keys.currentKey();
  const keyId = Buffer.from(id, 'utf8');
  if (key.length !== DATA_KEY_BYTES || keyId.length > MAX_KEY_ID_BYTES) {
    throw new LogError(
      'wrong-key',
      'the key provider gave a key that is not 32 bytes long, or an id over 64 bytes',
    );
  }
  const salt = random.bytes(32);
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC[header.kind], 0, 'latin1');
  bytes.writeUInt16LE(VERSION, 8);
  bytes.writeUInt8(keyId.length, 10);
  bytes.writeUInt8(header.discards ? DISCARDS : 0, 11);
  bytes.writeDoubleLE(header.number, 16);
  bytes.writeDoubleLE(header.base, 24);
  bytes.writeDoubleLE(header.epoch, 32);
  bytes.set(salt, 40);
  bytes.set(deriveKeyCheck(key, salt), 72);
  bytes.set(keyId, 88);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_OFFSET)), CRC_OFFSET);
  return { bytes, fileKey: deriveFileKey(key, salt, bytes) };
}

/**
 * Reads a header.
 *
 * @returns undefined when these bytes are no intact header.
 * @throws LogError `unsupported-version`.
 */
export function parseHeader(
  kind: FileHeader['kind'],
  stored: Uint8Array,
  file: string,
): StoredHeader | undefined {
  const bytes = Buffer.from(stored);
  if (bytes.length < HEADER_BYTES || bytes.toString('latin1', 0, 8) !== MAGIC[kind]) return undefined;
  const version = bytes.readUInt16LE(8);
  if (version > VERSION) {
    const message = `${file} has format version ${version}, this program reads up to version ${VERSION}`;
    throw new LogError('unsupported-version', message);
  }
  if (crc32(bytes.subarray(0, CRC_OFFSET)) !== bytes.readUInt32LE(CRC_OFFSET)) return undefined;
  return {
    kind,
    number: bytes.readDoubleLE(16),
    base: bytes.readDoubleLE(24),
    epoch: bytes.readDoubleLE(32),
    discards: (bytes.readUInt8(11) & DISCARDS) !== 0,
    keyId: bytes.toString('utf8', 88, 88 + bytes.readUInt8(10)),
    bytes,
  };
}

/**
 * The key of a stored file.
 *
 * @throws LogError `wrong-key` when the provider does not have the key, or has another one under that id.
 */
export async function openHeader(header: StoredHeader, keys: KeyProvider, file: string): Promise<Uint8Array> {
  const key = await keys.keyById(header.keyId);
  if (key === undefined) {
    throw new LogError(
      'wrong-key',
      `${file} is sealed with key ${header.keyId}, which the key provider does not have`,
    );
  }
  const salt = header.bytes.subarray(40, 72);
  if (
    key.length !== DATA_KEY_BYTES ||
    !timingSafeEqual(deriveKeyCheck(key, salt), header.bytes.subarray(72, 88))
  ) {
    throw new LogError(
      'wrong-key',
      `${file} is sealed with another key than the one given as ${header.keyId}`,
    );
  }
  return deriveFileKey(key, salt, header.bytes);
}
