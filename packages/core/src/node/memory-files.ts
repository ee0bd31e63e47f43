/**
 * Secrets and configs as files that a task on this machine can read: in memory only, in directories of this user
 * alone, one a task. Whoever writes them removes them when the task has ended; the node's next driver finds the rest.
 */

import { chmodSync, existsSync, readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import type { DriverContext } from '../driver/runtime-driver.ts';
import { DriverError } from '../errors.ts';
import { asId, type TaskId } from '../model/ids.ts';
import { makePrivateDir } from './private-dir.ts';

/** What statfs tells of a file system that lives in memory: tmpfs and ramfs, see statfs(2). */
const IN_MEMORY = new Set([0x01021994, 0x858458f6]);

/** Where directories in memory are, on Linux. */
export const MEMORY_DIR = '/dev/shm';

/** Whose files: the ids are part of each directory's name, so that a node finds its own and no others. */
export type FilesOwner = Pick<DriverContext, 'clusterId' | 'nodeId'>;

/** One file to be written. */
export interface MemoryFile {
  /** Name in the task's directory. */
  readonly name: string;
  /** Permissions; nobody writes to it whatever they say. */
  readonly mode: number;
  readonly data: Uint8Array;
}

/** Files that were found, and for which task they were written. */
export interface OwnFiles {
  readonly id: TaskId;
  readonly dir: string;
}

const usersDir = (memoryDir: string) => join(memoryDir, `skep-${userInfo().uid}`);
const prefixOf = ({ clusterId, nodeId }: FilesOwner) => `${clusterId}.${nodeId}.`;

/**
 * Where the files of a task go. Nothing is made.
 *
 * @throws DriverError when `memoryDir` is not in memory.
 */
export function memoryFilesDir(owner: FilesOwner, id: TaskId, memoryDir: string = MEMORY_DIR): string {
  if (!existsSync(memoryDir) || !IN_MEMORY.has(statfsSync(memoryDir).type)) {
    throw new DriverError(
      `${memoryDir} is not a directory in memory: this machine can't give tasks their secrets and configs`,
    );
  }
  return join(usersDir(memoryDir), `${prefixOf(owner)}${id}`);
}

/** Writes them. Again is fine. */
export function writeMemoryFiles(dir: string, files: readonly MemoryFile[]): void {
  makePrivateDir(dirname(dir));
  makePrivateDir(dir);
  for (const { name, data, mode } of files) {
    const path = join(dir, name);
    rmSync(path, { force: true });
    writeFileSync(path, data, { mode: 0o400, flag: 'wx' });
    // The directory keeps other users out whatever the mode; and nobody writes to a secret.
    chmodSync(path, mode & 0o555);
  }
}

/** Removes them. Again is fine. */
export function removeMemoryFiles(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
}

/** The tasks of this node that files are there for, alive or not. */
export function tasksWithMemoryFiles(owner: FilesOwner, memoryDir: string = MEMORY_DIR): readonly OwnFiles[] {
  const parent = usersDir(memoryDir);
  const prefix = prefixOf(owner);
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter((name) => name.startsWith(prefix))
    .map((name) => ({ id: asId<TaskId>(name.slice(prefix.length)), dir: join(parent, name) }));
}
