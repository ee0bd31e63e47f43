/** From a task as the managers assign it to a task as a driver is told of it. */

import type { RuntimeTask, TaskFile } from '../driver/runtime-driver.ts';
import type { AssignedFile, AssignedTask } from './dispatcher-port.ts';

/** Key under which a secret or config is assigned: `secret/NAME`, `config/NAME`. */
export function fileKey(kind: TaskFile['kind'], name: string): string {
  return `${kind}/${name}`;
}

/**
 * What the driver is told. A task sees those files alone that its own spec refers to.
 *
 * @returns the task, and the keys of files that it refers to and nobody gave.
 */
export function toRuntimeTask(
  { task, serviceName }: AssignedTask,
  fileOf: (key: string) => AssignedFile | undefined,
): { readonly runtimeTask: RuntimeTask; readonly missing: readonly string[] } {
  const files: TaskFile[] = [];
  const missing: string[] = [];
  const add = (kind: TaskFile['kind'], references: typeof task.spec.secrets) => {
    for (const { name, target, mode } of references) {
      const key = fileKey(kind, name);
      const assigned = fileOf(key);
      if (assigned) files.push({ kind, name, target: target ?? name, mode, data: assigned.file.data });
      else missing.push(key);
    }
  };
  add('secret', task.spec.secrets);
  add('config', task.spec.configs);
  const place = task.slot === 0 ? (task.nodeId ?? '0') : String(task.slot);
  return {
    missing,
    runtimeTask: {
      id: task.id,
      serviceId: task.serviceId,
      serviceName,
      name: `${serviceName}.${place}.${task.id}`,
      slot: task.slot,
      spec: task.spec,
      ports: task.ports,
      assignedGeneric: task.assignedGeneric ?? {},
      files,
    },
  };
}
