/** Who may receive traffic, as endpoint feeds tell it. */

import type { NodeId, TaskId } from './ids.ts';
import type { NetworkAttachment, TaskPort } from './objects.ts';

/** One task that may receive traffic. */
export interface Endpoint {
  readonly taskId: TaskId;
  readonly nodeId: NodeId;
  /** Address of the task's node. */
  readonly address: string;
  /** Where the task's target ports are reached on that address. */
  readonly ports: readonly TaskPort[];
  /** Where it is reached in its networks. Absent: it is in none. */
  readonly attachments?: readonly NetworkAttachment[];
}

/** All tasks of a service that may receive traffic, by task id. */
export type Endpoints = readonly Endpoint[];
