/** What all tasks of one open driver share. */

import type { ChildProcess } from 'node:child_process';
import type { DriverContext } from '@skep/core/driver';
import type { ProcessDriverOptions } from './options.ts';
import type { LogKeeper } from './task-logs.ts';
import type { TaskStore } from './task-store.ts';

/** What all tasks of an open driver share. */
export interface OpenNode {
  readonly context: DriverContext;
  readonly options: ProcessDriverOptions;
  readonly store: TaskStore;
  readonly logs: LogKeeper;
  readonly shell: string;
  readonly wrapper: string;
  /** Wrappers that this very process started and that have not ended, by pid. */
  readonly children: Map<number, ChildProcess>;
  /** Runs a step under a signal that aborts when the caller's does or the driver closes. */
  operation<T>(signal: AbortSignal | undefined, work: (signal: AbortSignal) => Promise<T>): Promise<T>;
}
