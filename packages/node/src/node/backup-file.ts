/**
 * A backup: the replicated state of a cluster at one index, with what it takes to go on from it, in one file that is
 * sealed under a key of its own. The first part says what it is of; the state follows in parts; the last one says that
 * it is the last, so that a file which was cut short is not taken for whole.
 */

import { createReadStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import type { ClusterId } from '@skep/core';
import { Packr, Unpackr } from 'msgpackr';
import * as z from 'zod';
import { isNodeError, NodeError } from '../errors.ts';
import { openUnder, sealUnder } from '../security/unlock-key.ts';

const headSchema = z.object({
  version: z.literal(1),
  clusterId: z.string().transform((text) => text as ClusterId),
  /** The trust record, encoded. */
  trust: z.custom<Uint8Array>((value) => value instanceof Uint8Array),
  /** The entry of the log that the state goes up to. */
  index: z.number(),
  term: z.number(),
});

/** What a backup says of itself. */
export type BackupHead = z.output<typeof headSchema>;

const MAGIC = Buffer.from('SKEP-BACKUP-1\n');
const LENGTH_BYTES = 4;
const PART_BYTES_MAX = 64 * 1024 * 1024;
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

const purposeOf = (part: number, isLast: boolean) => `backup part ${part}${isLast ? ', the last' : ''}`;

/** Writes a backup; the file is there whole or not at all. */
export async function writeBackup(
  path: string,
  key: Uint8Array,
  head: BackupHead,
  chunks: AsyncIterable<Uint8Array>,
): Promise<void> {
  const beside = `${path}.new`;
  await rm(beside, { force: true });
  const file = await open(beside, 'wx', 0o600);
  try {
    await file.write(MAGIC);
    let part = 0;
    const write = async (content: Uint8Array, isLast: boolean) => {
      const sealed = sealUnder(key, purposeOf(part++, isLast), content);
      const length = Buffer.alloc(LENGTH_BYTES);
      length.writeUInt32BE(sealed.length);
      await file.write(Buffer.concat([length, sealed]));
    };
    await write(packr.pack(head), false);
    for await (const chunk of chunks) await write(chunk, false);
    await write(new Uint8Array(0), true);
    await file.sync();
  } catch (error) {
    await file.close();
    await rm(beside, { force: true });
    throw error;
  }
  await file.close();
  await rename(beside, path);
}

/**
 * Opens a backup.
 *
 * @throws NodeError `UNLOCK_KEY_REFUSED` if the key is another one; `STATE_UNREADABLE` if the file is no backup, damaged
 *   or cut short: also while the chunks are read.
 */
export async function readBackup(
  path: string,
  key: Uint8Array,
): Promise<{ readonly head: BackupHead; readonly chunks: AsyncIterable<Uint8Array> }> {
  const parts = partsOf(path);
  const first = await parts.next();
  if (first.done) throw unreadable(path, 'it is cut short');
  const head = headSchema.safeParse(unpackr.unpack(openUnder(key, purposeOf(0, false), first.value)));
  if (!head.success) throw unreadable(path, 'it is of a version that is not known');
  return { head: head.data, chunks: contentOf(path, key, parts) };
}

async function* contentOf(
  path: string,
  key: Uint8Array,
  parts: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array, void, undefined> {
  let part = 1;
  for await (const sealed of parts) {
    const content = opened(key, part, sealed);
    if (content === 'last') return;
    if (content === 'damaged') throw unreadable(path, `part ${part} is damaged`);
    yield content;
    part += 1;
  }
  throw unreadable(path, 'it is cut short');
}

function opened(key: Uint8Array, part: number, sealed: Uint8Array): Uint8Array | 'last' | 'damaged' {
  for (const isLast of [false, true]) {
    try {
      const content = openUnder(key, purposeOf(part, isLast), sealed);
      return isLast ? 'last' : content;
    } catch (error) {
      if (!isNodeError(error)) throw error;
    }
  }
  return 'damaged';
}

async function* partsOf(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  let held = Buffer.alloc(0);
  let hasBegun = false;
  try {
    for await (const chunk of createReadStream(path)) {
      held = Buffer.concat([held, chunk as Buffer]);
      if (!hasBegun && held.length >= MAGIC.length) {
        if (!held.subarray(0, MAGIC.length).equals(MAGIC)) throw unreadable(path, 'it is no backup');
        held = held.subarray(MAGIC.length);
        hasBegun = true;
      }
      while (hasBegun && held.length >= LENGTH_BYTES) {
        const end = LENGTH_BYTES + held.readUInt32BE(0);
        if (end > PART_BYTES_MAX) throw unreadable(path, 'it is damaged');
        if (held.length < end) break;
        yield held.subarray(LENGTH_BYTES, end);
        held = held.subarray(end);
      }
    }
  } catch (error) {
    throw isNodeError(error) ? error : unreadable(path, 'it can not be read', error);
  }
}

function unreadable(path: string, what: string, cause?: unknown): NodeError {
  return new NodeError('STATE_UNREADABLE', `backup ${path}: ${what}`, cause);
}
