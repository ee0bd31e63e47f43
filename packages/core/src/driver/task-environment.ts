/** Pure: what every driver that runs programs tells them of themselves, as environment variables. */

import type { DriverContext, RuntimeTask } from './runtime-driver.ts';

/**
 * `SKEP_TASK_ID`, `SKEP_TASK_NAME`, `SKEP_TASK_SLOT`, `SKEP_SERVICE_NAME`, `SKEP_NODE_ID`, `SKEP_NODE_HOSTNAME`, and
 * `SKEP_RESOURCE_<KIND>` with the named resources that the task was given, separated by commas.
 */
export function environmentOf(
  task: Pick<RuntimeTask, 'id' | 'name' | 'slot' | 'serviceName' | 'assignedGeneric'>,
  node: Pick<DriverContext, 'nodeId' | 'hostname'>,
): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const [kind, ids] of Object.entries(task.assignedGeneric)) {
    variables[`SKEP_RESOURCE_${kind.toUpperCase().replace(/[^A-Z0-9_]/g, '_')}`] = ids.join(',');
  }
  variables['SKEP_TASK_ID'] = task.id;
  variables['SKEP_TASK_NAME'] = task.name;
  variables['SKEP_TASK_SLOT'] = String(task.slot);
  variables['SKEP_SERVICE_NAME'] = task.serviceName;
  variables['SKEP_NODE_ID'] = node.nodeId;
  variables['SKEP_NODE_HOSTNAME'] = node.hostname;
  return variables;
}
