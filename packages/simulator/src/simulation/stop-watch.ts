/**
 * Looks on as tasks get their stop signals: none may get it while a node still sends it traffic, but where that node was
 * waited for in vain.
 */

import { isTerminal, type Node, type Task, type TaskId } from '@skep/core';
import { isMeantToRun } from '@skep/core/testing';
import { type Tally, Violation } from '@skep/raft/simulator';
import type { SimulatedCluster } from '../simulated-cluster.ts';
import { SimulatedDataPlane } from '../simulated-data-plane.ts';
import type { WorkerOptions } from '../simulated-worker.ts';
import type { PlannedWorker } from './plan.ts';

/** A node that was down or unknown may have come back this moment, and not have heard yet; milliseconds. */
const BACK_MS = 10_000;

/** Knows what every worker of a simulation would send traffic to. */
export class StopWatch {
  readonly workers: readonly WorkerOptions[];
  /** By number of the worker. */
  readonly #planes = new Map<number, SimulatedDataPlane>();

  constructor(workers: readonly PlannedWorker[]) {
    this.workers = workers.map(({ passesTrafficOn, ...worker }, at): WorkerOptions => {
      if (!passesTrafficOn) return worker;
      const dataPlane: WorkerOptions['dataPlane'] = (clock, random) => {
        const plane = new SimulatedDataPlane(clock, random);
        this.#planes.set(at, plane);
        return plane;
      };
      return { ...worker, dataPlane };
    });
  }

  /** Looks at each stop signal. @param fail - is told of what may not be */
  watch(sim: SimulatedCluster, tally: Tally, fail: (violation: unknown) => void): void {
    for (const worker of sim.workers) {
      sim.host(worker).onStopSignal((id) => {
        const broken = this.#look(id, sim, tally);
        if (broken !== undefined) fail(new Violation(`${broken}; it runs on ${worker}`));
      });
    }
  }

  #look(id: TaskId, sim: SimulatedCluster, tally: Tally): string | undefined {
    const task = sim.state.task(id);
    // What fails its probes is stopped at once, and what is gone from the state was taken away by force.
    if (!task || isMeantToRun(task.desiredState) || isTerminal(task.status.state)) return undefined;
    tally.add('tasks told to stop');
    for (const [at, worker] of sim.workers.entries()) {
      if (!this.#planes.get(at)?.targets.has(id)) continue;
      const node = sim.state.node(sim.nodeOf(worker) as Node['id']);
      if (node === undefined || isExcused(node, task, sim)) continue;
      return `task ${id} was told to stop while ${worker} sends it traffic`;
    }
    return undefined;
  }
}

function isExcused({ id, status }: Node, { leaving }: Task, sim: SimulatedCluster): boolean {
  if (status.state === 'down' || leaving?.unconfirmed?.includes(id)) return true;
  return sim.state.at - status.since < BACK_MS;
}
