/**
 * A process that holds a driver, for tests that kill it: `holder.ts <JSON of HolderOrder>`. It starts the tasks, says
 * `started` once all run, and stays until it is killed, by others or by itself.
 */

import { setImmediate as turn } from 'node:timers/promises';
import type { DriverContext, RuntimeTask } from '@skep/core/driver';
import { silentLogger, systemClock } from '@skep/core/testing';
import { ProcessDriver, type ProcessDriverOptions } from '../index.ts';

/** What a holder is told on its command line. */
export interface HolderOrder {
  readonly context: Pick<DriverContext, 'clusterId' | 'nodeId' | 'hostname'> & { readonly stateDir: string };
  readonly options: ProcessDriverOptions;
  readonly tasks: readonly RuntimeTask[];
  /** Kills itself so long after it began to start the tasks, whatever it is at. Absent: never. */
  readonly dieAfterMs?: number;
}

const order = JSON.parse(process.argv[2] ?? '') as HolderOrder;
const { signal } = new AbortController();
const driver = new ProcessDriver(order.options);
await driver.open({ ...order.context, clock: systemClock, logger: silentLogger });
await Promise.all(order.tasks.map((task) => driver.runtime(task).prepare({ signal })));
const starting = Promise.all(order.tasks.map((task) => driver.runtime(task).start({ signal })));
if (order.dieAfterMs !== undefined) {
  const begun = performance.now();
  while (performance.now() - begun < order.dieAfterMs) await turn();
  process.kill(process.pid, 'SIGKILL');
}
await starting;
console.log('started');
for (const task of order.tasks) void driver.runtime(task).wait({ signal });
setInterval(() => {}, 60_000);
