/** How long a join takes: from the call to the moment when the library says that the node is one. */

import type { JoinTokens } from '@skep/node';
import { sharedNow } from '../harness/prober.ts';
import { leaderOf, type Machines } from './machines.ts';
import { type Times, timesOf } from './times.ts';

/** What was measured. */
export interface JoinTimes {
  readonly manager: Times;
  readonly worker: Times;
  /** From the same call until the leader has the worker's session, and gives it tasks. */
  readonly workerReady: Times;
}

/** Joins nodes to a cluster of three managers, each in a process that has just begun, and lets them leave again. */
export async function measureJoins(
  machines: Machines,
  counts: Readonly<Record<keyof JoinTokens, number>>,
): Promise<JoinTimes> {
  const managers = await machines.managers(3);
  const join = async (role: keyof JoinTokens, number: number) => {
    const machine = await machines.start(`${role}-joins-${number}`);
    const leader = await leaderOf(managers);
    const began = sharedNow();
    const driver = role === 'worker' ? 'process' : undefined;
    const { nodeId, tookMs } = await machines.join(machine, role, managers, driver);
    const readyMs = driver === undefined ? undefined : (await leader.call<number>('readyAt', nodeId)) - began;
    await machine.call('leave');
    await machine.kill();
    return { tookMs, readyMs };
  };
  const series = async (role: keyof JoinTokens) => {
    const all: Awaited<ReturnType<typeof join>>[] = [];
    for (let number = 0; number < counts[role]; number++) all.push(await join(role, number));
    return all;
  };
  const workers = await series('worker');
  const joined = await series('manager');
  return {
    manager: timesOf(joined.map(({ tookMs }) => tookMs)),
    worker: timesOf(workers.map(({ tookMs }) => tookMs)),
    workerReady: timesOf(workers.flatMap(({ readyMs }) => readyMs ?? [])),
  };
}
