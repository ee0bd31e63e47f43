/**
 * The first kibibyte of each file, in clear: what it is, its number, the wrapped data key and the salt. The key that
 * opens the frames behind it depends on all of it.
 *
 * Layout, little endian: magic 8 bytes, version u16 at 8, length of the key id u16 at 10, length of the wrapped key u16
 * at 12, number f64 at 16, salt 32 at 32, key id at 64, wrapped key at 320, CRC-32 of all before at 1020. Magic, version
 * and checksum stay where they are in all versions to come, so that a newer file is never taken for a damaged one.
 */

import { crc32 } from 'node:zlib';
import { corrupt, FileStorageError } from './errors.ts';
import { type DataKeys, deriveFileKey, KEY_BYTES, type WrappedKey } from './keys.ts';

/** Bytes of a header; the first frame follows. */
export const HEADER_BYTES = 1024;

const VERSION = 2;
const MAGIC = { segment: 'SKEPRWAL', snapshot: 'SKEPRSNP' } as const;
const AT = {
  version: 8,
  idLength: 10,
  wrappedLength: 12,
  number: 16,
  salt: 32,
  id: 64,
  wrapped: 320,
} as const;
const CHECKSUM_AT = HEADER_BYTES - 4;

/** What a file is. */
export interface FileIdentity {
  readonly kind: 'segment' | 'snapshot';
  /** Which segment; 0 for a snapshot. */
  readonly number: number;
}

/** The header of a file, opened. */
export interface OpenedHeader {
  readonly number: number;
  /** The key-encryption key that it was made under. */
  readonly keyId: string;
  /** Opens the frames. */
  readonly fileKey: Uint8Array;
}

/** Makes the header of a new file under the present data key. */
export async function makeHeader(
  { kind, number }: FileIdentity,
  keys: DataKeys,
): Promise<OpenedHeader & { readonly bytes: Uint8Array }> {
  const { key, wrapped } = await keys.current();
  const salt = keys.salt();
  const bytes = Buffer.alloc(HEADER_BYTES);
  const id = Buffer.from(wrapped.keyId, 'utf8');
  bytes.write(MAGIC[kind], 0, 'latin1');
  bytes.writeUInt16LE(VERSION, AT.version);
  bytes.writeUInt16LE(id.length, AT.idLength);
  bytes.writeUInt16LE(wrapped.bytes.length, AT.wrappedLength);
  bytes.writeDoubleLE(number, AT.number);
  bytes.set(salt, AT.salt);
  bytes.set(id, AT.id);
  bytes.set(wrapped.bytes, AT.wrapped);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CHECKSUM_AT)), CHECKSUM_AT);
  return { number, keyId: wrapped.keyId, fileKey: deriveFileKey(key, salt, bytes), bytes };
}

/**
 * Reads a header and opens its key.
 *
 * @throws FileStorageError `corrupt`, `unsupported-version`, `wrong-key` or `key-unavailable`.
 */
export async function openHeader(
  { kind, number }: FileIdentity,
  stored: Uint8Array,
  keys: DataKeys,
  file: string,
): Promise<OpenedHeader> {
  const bytes = Buffer.from(stored);
  if (bytes.length < HEADER_BYTES) throw corrupt(file, bytes.length, 'the file ends within its header');
  if (crc32(bytes.subarray(0, CHECKSUM_AT)) !== bytes.readUInt32LE(CHECKSUM_AT)) {
    throw corrupt(file, 0, 'its header is not what was written');
  }
  if (bytes.toString('latin1', 0, AT.version) !== MAGIC[kind]) throw corrupt(file, 0, `it is no ${kind}`);
  const version = bytes.readUInt16LE(AT.version);
  if (version !== VERSION) {
    const message = `${file} has version ${version} of the format, and this program reads version ${VERSION}`;
    throw new FileStorageError('unsupported-version', message);
  }
  if (bytes.readDoubleLE(AT.number) !== number) {
    throw corrupt(file, AT.number, `it is number ${bytes.readDoubleLE(AT.number)} by its header`);
  }
  const wrapped: WrappedKey = {
    keyId: bytes.toString('utf8', AT.id, AT.id + bytes.readUInt16LE(AT.idLength)),
    bytes: bytes.subarray(AT.wrapped, AT.wrapped + bytes.readUInt16LE(AT.wrappedLength)),
  };
  const dataKey = await keys.open(wrapped, file);
  const salt = bytes.subarray(AT.salt, AT.salt + KEY_BYTES);
  return { number, keyId: wrapped.keyId, fileKey: deriveFileKey(dataKey, salt, bytes) };
}
