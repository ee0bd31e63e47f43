/**
 * Keys of the file log: where they come from, and what is derived from them. The data key never touches a record:
 * each file has its own key, derived with a random salt, so that counting up from 1 is a safe nonce in it.
 */

import { createHash, hkdfSync, randomBytes } from 'node:crypto';
import * as fs from 'node:fs/promises';
import * as path from 'node:path';
import { LogError } from '../log/event-log.ts';
import { errorCode } from './disk.ts';

/** A data key and the name it goes by in file headers. */
export interface DataKey {
  /** At most 64 bytes of UTF-8. Not secret. */
  readonly id: string;
  /** 32 bytes. */
  readonly key: Uint8Array;
}

/** Where the file log gets its keys: a file, a KMS, an HSM. */
export interface KeyProvider {
  /** The key to seal new files with. Asked for each new file, so that a rotated key is used from then on. */
  currentKey(): Promise<DataKey>;
  /** The key that existing files were sealed with; undefined when it is not to be had (any more). */
  keyById(id: string): Promise<Uint8Array | undefined>;
}

/** Bytes of a data key. */
export const DATA_KEY_BYTES = 32;

/** Longest key id, in bytes of UTF-8. */
export const MAX_KEY_ID_BYTES = 64;

/**
 * Keeps one random key in a file that its owner alone may read, made on first use. Whoever can read both this file
 * and the log can read the log: put it on another volume, or inject another provider, where that matters.
 *
 * @throws LogError `wrong-key` when the file does not hold a key.
 */
export function fileKeyProvider(file: string): KeyProvider {
  let known: DataKey | undefined;
  const load = async (): Promise<DataKey | undefined> => {
    known ??= await readKey(file);
    return known;
  };
  return {
    async currentKey() {
      known = (await load()) ?? (await createKey(file));
      return known;
    },
    async keyById(id) {
      const own = await load();
      return own?.id === id ? own.key : undefined;
    },
  };
}

async function readKey(file: string): Promise<DataKey | undefined> {
  let text: string;
  try {
    text = await fs.readFile(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw new LogError('io', `the key file ${file} can't be read`, { cause: error });
  }
  const key = Buffer.from(text.trim(), 'base64');
  if (key.length !== DATA_KEY_BYTES) {
    throw new LogError('wrong-key', `the key file ${file} does not hold ${DATA_KEY_BYTES} bytes in base64`);
  }
  return toDataKey(key);
}

async function createKey(file: string): Promise<DataKey> {
  const key = randomBytes(DATA_KEY_BYTES);
  const temporary = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await fs.open(temporary, 'wx', 0o600);
  try {
    await handle.writeFile(`${key.toString('base64')}\n`);
    await handle.sync();
  } finally {
    await handle.close();
  }
  await fs.rename(temporary, file);
  const directory = process.platform === 'win32' ? undefined : await fs.open(path.dirname(file), 'r');
  try {
    await directory?.sync();
  } finally {
    await directory?.close();
  }
  return toDataKey(key);
}

function toDataKey(key: Uint8Array): DataKey {
  return { id: createHash('sha256').update('skep key id').update(key).digest('hex').slice(0, 16), key };
}

/** The key of one file, bound to its whole header: with another header the frames don't open. */
export function deriveFileKey(dataKey: Uint8Array, salt: Uint8Array, header: Uint8Array): Uint8Array {
  const info = createHash('sha256').update('skep file key v1').update(header).digest();
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, info, 32));
}

/** A value in clear that tells a wrong key from damage, and tells nothing of the key. */
export function deriveKeyCheck(dataKey: Uint8Array, salt: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', dataKey, salt, 'skep key check v1', 16));
}
