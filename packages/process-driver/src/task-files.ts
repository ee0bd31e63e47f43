/**
 * Secrets and configs as files that a task can read: in memory only, for its user only, gone when it has ended. The
 * wrapper over the task removes them, the driver does where it could not, and the next driver of the node the rest.
 */

import { chmodSync, existsSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { type DriverContext, DriverError, type RuntimeTask } from '@skep/core/driver';
import type { TaskId } from './core-types.ts';
import { makePrivateDir } from './private-dir.ts';

/** What statfs tells of a file system that lives in memory: tmpfs and ramfs, see statfs(2). */
const IN_MEMORY = new Set([0x01021994, 0x858458f6]);

const FILE_NAME = /^[^/\0]+$/;

/** Files that were found, and for which task they were written. */
export interface OwnFiles {
  readonly id: TaskId;
  readonly dir: string;
}

/** Whose files: the ids are part of each directory's name, so that a node finds its own and no others. */
type Owner = Pick<DriverContext, 'clusterId' | 'nodeId'>;

const usersDir = (memoryDir = '/dev/shm') => join(memoryDir, `skep-${userInfo().uid}`);
const prefixOf = ({ clusterId, nodeId }: Owner) => `${clusterId}.${nodeId}.`;

/** Where the files of a task go; undefined when it has none. */
export function filesDirOf(
  task: RuntimeTask,
  owner: Owner,
  memoryDir: string | undefined,
): string | undefined {
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
  return join(usersDir(memoryDir), `${prefixOf(owner)}${task.id}`);
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

/** Removes them. Again is fine. */
export function removeTaskFiles(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** The tasks of this node that files are there for, alive or not. */
export function tasksWithFiles(owner: Owner, memoryDir: string | undefined): readonly OwnFiles[] {
  const parent = usersDir(memoryDir);
  const prefix = prefixOf(owner);
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ id: name.slice(prefix.length) as TaskId, dir: join(parent, name) }));
}
