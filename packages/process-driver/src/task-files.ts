/** Which secrets and configs a task of this driver can be given, and where: files in memory, named as their targets. */

import { type DriverContext, DriverError, type RuntimeTask } from '@skep/core/driver';
import { memoryFilesDir } from '@skep/core/node';

const FILE_NAME = /^[^/\0]+$/;

/** Where the files of a task go; undefined when it has none. */
export function filesDirOf(
  task: RuntimeTask,
  owner: Pick<DriverContext, 'clusterId' | 'nodeId'>,
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
  return memoryFilesDir(owner, task.id, memoryDir);
}

/** The files of a task, by their names. */
export function filesOf(task: RuntimeTask) {
  return task.files.map(({ target, mode, data }) => ({ name: target, mode, data }));
}
