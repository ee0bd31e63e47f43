/**
 * Keys. A key-encryption key stays with its provider and wraps data keys; a data key, kept wrapped in the header of
 * each file, is never used by itself: every file has a key of its own, derived with a random salt.
 */

import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { FileStorageError } from './errors.ts';

/** Bytes of every key here. */
export const KEY_BYTES = 32;

/** Longest id of a key-encryption key, in bytes of UTF-8. */
export const KEY_ID_BYTES_MAX = 256;

/** Longest wrapped data key, in bytes. */
export const WRAPPED_KEY_BYTES_MAX = 512;

/** A data key that only the provider can open. */
export interface WrappedKey {
  /** Names the key-encryption key. Not secret, at most 256 bytes of UTF-8. */
  readonly keyId: string;
  /** At most 512 bytes. */
  readonly bytes: Uint8Array;
}

/** Holds key-encryption keys: a KMS, an HSM, or a {@link KeyRing}. Failing to answer is said by rejecting. */
export interface KeyProvider {
  /** Wraps a data key of 32 bytes under the present key-encryption key. */
  wrap(dataKey: Uint8Array): Promise<WrappedKey>;
  /** The data key; undefined if this provider does not have that key-encryption key, or it was wrapped by another. */
  unwrap(wrapped: WrappedKey): Promise<Uint8Array | undefined>;
}

/** A data key together with its wrapped form. */
export interface DataKey {
  readonly wrapped: WrappedKey;
  readonly key: Uint8Array;
}

/** The data keys of an open storage: one to seal with, and those that its files were sealed with. */
export class DataKeys {
  readonly #provider: KeyProvider;
  readonly #randomBytes: (length: number) => Uint8Array;
  readonly #opened = new Map<string, Uint8Array>();
  #current: Promise<DataKey> | undefined;

  constructor(provider: KeyProvider, randomBytes: (length: number) => Uint8Array) {
    this.#provider = provider;
    this.#randomBytes = randomBytes;
  }

  /** A salt for one file. */
  salt(): Uint8Array {
    return this.#randomBytes(KEY_BYTES);
  }

  /** The key for new files. Made and wrapped on first use. */
  current(): Promise<DataKey> {
    this.#current ??= this.#make().catch((error: unknown) => {
      this.#current = undefined;
      throw error;
    });
    return this.#current;
  }

  /** Makes a new data key, wrapped under what is now the provider's present key. The old one goes on if that fails. */
  async renew(): Promise<DataKey> {
    const made = await this.#make();
    this.#current = Promise.resolve(made);
    return made;
  }

  /** @throws FileStorageError `wrong-key` or `key-unavailable`; `file` is for the message. */
  async open(wrapped: WrappedKey, file: string): Promise<Uint8Array> {
    const name = `${wrapped.keyId}/${Buffer.from(wrapped.bytes).toString('base64')}`;
    const known = this.#opened.get(name);
    if (known !== undefined) return known;
    const key = await this.#ask(() => this.#provider.unwrap(wrapped));
    if (key === undefined || key.length !== KEY_BYTES) {
      const message = `${file} is sealed under key ${JSON.stringify(wrapped.keyId)}, which can't be had`;
      throw new FileStorageError('wrong-key', message);
    }
    this.#opened.set(name, key);
    return key;
  }

  async #make(): Promise<DataKey> {
    const key = this.#randomBytes(KEY_BYTES);
    const wrapped = await this.#ask(() => this.#provider.wrap(key));
    const idBytes = Buffer.byteLength(wrapped.keyId);
    if (idBytes > KEY_ID_BYTES_MAX || wrapped.bytes.length > WRAPPED_KEY_BYTES_MAX) {
      const message = `a wrapped key has ${wrapped.bytes.length} bytes and an id of ${idBytes}, over the limits`;
      throw new FileStorageError('invalid-option', message);
    }
    return { key, wrapped };
  }

  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      return await question();
    } catch (error) {
      throw new FileStorageError('key-unavailable', 'the key provider did not answer', { cause: error });
    }
  }
}

/** The key of one file. It depends on every byte of the header, so that no header fits another file's frames. */
export function deriveFileKey(dataKey: Uint8Array, salt: Uint8Array, header: Uint8Array): Uint8Array {
  const context = createHash('sha256').update('skep raft file key, version 1').update(header).digest();
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, context, KEY_BYTES));
}

const WRAP_CIPHER = 'aes-256-gcm';
const WRAP_NONCE_BYTES = 12;
const WRAP_TAG_BYTES = 16;

/** A key-encryption key by its name. */
export interface RingKey {
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Key-encryption keys held by this process, the last one added being the present one. */
export class KeyRing implements KeyProvider {
  readonly #keys = new Map<string, Uint8Array>();
  readonly #randomBytes: (length: number) => Uint8Array;
  #present: string;

  /** @throws FileStorageError `invalid-option` if a key has not 32 bytes or an id is too long. */
  constructor(key: RingKey, randomBytes: (length: number) => Uint8Array = systemRandomBytes) {
    this.#randomBytes = randomBytes;
    this.#present = key.id;
    this.add(key);
  }

  /** Adds a key, which wraps from now on. Storages go over to it with `rotateKey`. */
  add({ id, key }: RingKey): void {
    if (key.length !== KEY_BYTES || Buffer.byteLength(id) > KEY_ID_BYTES_MAX) {
      const message = `a key has ${KEY_BYTES} bytes and an id of at most ${KEY_ID_BYTES_MAX}`;
      throw new FileStorageError('invalid-option', message);
    }
    this.#keys.set(id, new Uint8Array(key));
    this.#present = id;
  }

  /** Forgets a key that no file is sealed under any more. The present one stays. */
  remove(id: string): void {
    if (id !== this.#present) this.#keys.delete(id);
  }

  async wrap(dataKey: Uint8Array): Promise<WrappedKey> {
    const keyId = this.#present;
    const key = this.#keys.get(keyId);
    if (key === undefined) throw new Error('a key ring without a key');
    const nonce = this.#randomBytes(WRAP_NONCE_BYTES);
    const cipher = createCipheriv(WRAP_CIPHER, key, nonce).setAAD(wrapContext(keyId));
    const sealed = cipher.update(dataKey);
    cipher.final();
    return { keyId, bytes: Buffer.concat([nonce, sealed, cipher.getAuthTag()]) };
  }

  async unwrap({ keyId, bytes }: WrappedKey): Promise<Uint8Array | undefined> {
    const key = this.#keys.get(keyId);
    if (key === undefined || bytes.length !== WRAP_NONCE_BYTES + KEY_BYTES + WRAP_TAG_BYTES) return undefined;
    const decipher = createDecipheriv(WRAP_CIPHER, key, bytes.subarray(0, WRAP_NONCE_BYTES));
    decipher.setAAD(wrapContext(keyId));
    decipher.setAuthTag(bytes.subarray(WRAP_NONCE_BYTES + KEY_BYTES));
    const dataKey = decipher.update(bytes.subarray(WRAP_NONCE_BYTES, WRAP_NONCE_BYTES + KEY_BYTES));
    try {
      decipher.final();
      return new Uint8Array(dataKey);
    } catch {
      return undefined;
    }
  }
}

function wrapContext(keyId: string): Buffer {
  return Buffer.from(`skep raft data key, version 1: ${keyId}`);
}

/** Random bytes from the operating system. */
export function systemRandomBytes(length: number): Uint8Array {
  return new Uint8Array(globalThis.crypto.getRandomValues(new Uint8Array(length)));
}
