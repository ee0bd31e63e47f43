/** What executors work with. */

import type { RuntimeDriver } from '../driver/runtime-driver.ts';
import type { TaskId } from '../model/ids.ts';
import type { TaskStatus } from '../model/objects.ts';
import type { TemplateContext } from '../model/template.ts';
import type { Clock } from '../runtime/clock.ts';
import type { Logger } from '../runtime/logger.ts';
import type { AssignedFile } from './dispatcher-port.ts';
import type { ProbeTools } from './health/probes.ts';
import type { WorkerLimits } from './limits.ts';

/** What every executor of a worker shares. */
export interface ExecutorParts {
  readonly driver: RuntimeDriver;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: WorkerLimits;
  readonly probes: ProbeTools;
  /** What templates may tell of the node. Called when a task begins. */
  readonly node: () => TemplateContext['node'];
  /** The secret or config under this key, if it was assigned. */
  readonly fileOf: (key: string) => AssignedFile | undefined;
  /** Hears each new status of each task. Must not throw. */
  readonly onStatus: (id: TaskId, status: TaskStatus) => void;
}
