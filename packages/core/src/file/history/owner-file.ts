/** The file that says whose past a directory of history holds: the id of a cluster, in one line. It is no secret. */

import * as path from 'node:path';
import type { Disk } from '../disk.ts';
import { errorCode } from '../disk.ts';
import { removeFile } from '../snapshot-file.ts';

const NAME = 'cluster';
/** Longer than any id. */
const BYTES_MAX = 1024;

/** Whose past it is; undefined when nobody has said, or a crash came between. */
export async function readOwner(disk: Disk, directory: string): Promise<string | undefined> {
  try {
    const file = await disk.open(path.join(directory, NAME), 'read');
    const bytes = Buffer.alloc(BYTES_MAX);
    const count = await file.read(bytes, 0).finally(() => file.close());
    const text = bytes.toString('utf8', 0, count);
    return text.endsWith('\n') ? text.trim() : undefined;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Says so, durably. */
export async function writeOwner(disk: Disk, directory: string, owner: string): Promise<void> {
  const fresh = path.join(directory, `${NAME}.tmp`);
  await removeFile(disk, fresh);
  const file = await disk.open(fresh, 'create');
  try {
    await file.write(Buffer.from(`${owner}\n`, 'utf8'), 0);
    await file.sync();
  } finally {
    await file.close();
  }
  await disk.rename(fresh, path.join(directory, NAME));
  await disk.syncDirectory(directory);
}

/** Nobody's, any more. */
export function removeOwner(disk: Disk, directory: string): Promise<void> {
  return removeFile(disk, path.join(directory, NAME));
}
