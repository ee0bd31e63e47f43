/** The types of core that this driver speaks in, under the names that they have there. */

import type { DriverContext, RuntimeDriver, RuntimeTask, TaskRuntime } from '@skep/core/driver';

export type TaskId = RuntimeTask['id'];
export type TaskSpec = RuntimeTask['spec'];
export type Clock = DriverContext['clock'];
export type Logger = DriverContext['logger'];
export type SpecIssue = ReturnType<RuntimeDriver['check']>[number];
export type NodeDescription = Awaited<ReturnType<RuntimeDriver['describe']>>;
export type RuntimeStatus = Awaited<ReturnType<TaskRuntime['start']>>;
export type TaskPort = RuntimeStatus['ports'][number];
