/** A file that holds the id of the process that runs, for as long as it does. */

import { mkdir, readFile, unlink, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Writes this process's id to a file.
 *
 * @returns the way to remove it.
 * @throws Error if it holds that of another process that runs.
 */
export async function holdPidfile(path: string): Promise<() => Promise<void>> {
  const before = Number((await readFile(path, 'utf8').catch(() => '')).trim());
  if (Number.isInteger(before) && before > 0 && before !== process.pid && isRunning(before)) {
    throw new Error(`${path}: process ${before} is running`);
  }
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, `${process.pid}\n`);
  return () => unlink(path).catch(() => {});
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
