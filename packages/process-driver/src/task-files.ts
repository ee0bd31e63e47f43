/** Secrets and configs as files that a task can read: in memory only, for its user only, gone with the task. */

import { chmodSync, existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { DriverError, type RuntimeTask } from '@skep/core/driver';
import { makePrivateDir } from './private-dir.ts';

/** What statfs tells of a file system that lives in memory: tmpfs and ramfs, see statfs(2). */
const IN_MEMORY = new Set([0x01021994, 0x858458f6]);

const FILE_NAME = /^[^/\0]+$/;

/** Where the files of a task go; undefined when it has none. */
export function filesDirOf(task: RuntimeTask, memoryDir: string | undefined): string | undefined {
  if (task.files.length === 0) return undefined;
  for (const { kind, name, target } of task.files) {
    if (!FILE_NAME.test(target) || target === '.' || target === '..') {
      throw new DriverError(
        `${kind} ${name}: target ${target} must be a file name on the process driver, not a path`,
      );
    }
  }
  const parent = memoryDir ?? '/dev/shm';
  if (!existsSync(parent) || !IN_MEMORY.has(statfsSync(parent).type)) {
    throw new DriverError(
      `${parent} is not a directory in memory: this machine can't give tasks their secrets and configs`,
    );
  }
  return join(parent, `skep-${userInfo().uid}`, task.id);
}

/** Writes them. Again is fine. */
export function writeTaskFiles(dir: string, task: RuntimeTask): void {
  makePrivateDir(dirname(dir));
  makePrivateDir(dir);
  for (const { target, data, mode } of task.files) {
    const path = join(dir, target);
    rmSync(path, { force: true });
    writeFileSync(path, data, { mode: 0o400, flag: 'wx' });
    // The directory keeps other users out whatever the mode; and nobody writes to a secret.
    chmodSync(path, mode & 0o555);
  }
}

/** Removes them. */
export function removeTaskFiles(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}
