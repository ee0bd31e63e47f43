/**
 * A file that says that there was a log in this directory once, written when the first segment is durable and never
 * removed. Without it a member that lost its whole log would pass for one that never had any, and vote a second time.
 */

import * as path from 'node:path';
import { type Disk, withFile } from './disk.ts';

const NAME = 'begun';

/** Whether there ever was a log. */
export async function hasBegun(disk: Disk, directory: string): Promise<boolean> {
  return (await disk.list(directory)).includes(NAME);
}

/** There is one now. */
export async function noteBegun(disk: Disk, directory: string): Promise<void> {
  await withFile(disk, path.join(directory, NAME), 'create', async () => {});
  await disk.syncDirectory(directory);
}
