/**
 * Measures `@skep/node` as processes on loopback: mutual TLS between them, Raft on sealed disks, default settings. See
 * `npm run bench -- machines --help`, and `README.md` here for what is timed.
 */

import { type Machine, machineInWords, thisMachine } from './harness/results.ts';
import {
  type HugeServiceTimes,
  measureHugeService,
  measureTaskWeight,
  type TaskWeight,
} from './machines/huge-service.ts';
import { type JoinTimes, measureJoins } from './machines/joins.ts';
import { measureLeaderKills } from './machines/leader-killed.ts';
import { Machines } from './machines/machines.ts';
import { measureSessions, type SessionCost } from './machines/sessions.ts';
import type { Times } from './machines/times.ts';
import { measureWorkerLosses, type WorkerLosses } from './machines/worker-lost.ts';

/** What to measure. */
export interface MachinesBenchOptions {
  /** Where the nodes keep their disks. Default: the system's directory for temporary files. */
  readonly dir?: string;
  readonly quick: boolean;
  readonly only?: readonly Part[];
}

/** The parts of the benchmark. */
export type Part = 'joins' | 'leader' | 'workers' | 'sessions' | 'service' | 'memory';

/** Everything that was measured; a part that was left out is absent. */
export interface MachinesBenchResult {
  readonly machine: Machine;
  readonly joins?: JoinTimes;
  readonly leader?: Times;
  readonly workers?: WorkerLosses;
  readonly sessions?: SessionCost;
  readonly service?: HugeServiceTimes;
  readonly memory?: TaskWeight;
}

const WHOLE = {
  joins: { manager: 50, worker: 100 },
  kills: 100,
  workers: { killed: 12, silent: 3, blips: 6 },
  sessions: { count: 2_000, seconds: 30 },
  service: { replicas: 10_000, rounds: 15 },
  memory: 100_000,
};

const QUICK: typeof WHOLE = {
  joins: { manager: 5, worker: 10 },
  kills: 5,
  workers: { killed: 2, silent: 1, blips: 2 },
  sessions: { count: 200, seconds: 5 },
  service: { replicas: 10_000, rounds: 3 },
  memory: 20_000,
};

/** Measures all parts, or those asked for, each with processes of its own. */
export async function benchMachines(options: MachinesBenchOptions): Promise<MachinesBenchResult> {
  const machine = thisMachine();
  process.stderr.write(`${machineInWords(machine)}\n`);
  const counts = options.quick ? QUICK : WHOLE;
  const part = async <T>(name: Part, measure: (machines: Machines) => Promise<T>) => {
    if (options.only?.includes(name) === false) return {};
    process.stderr.write(`${name} …\n`);
    await using machines = await Machines.open(options.dir);
    return { [name]: await measure(machines) };
  };
  return {
    machine,
    ...(await part('joins', (machines) => measureJoins(machines, counts.joins))),
    ...(await part('leader', (machines) => measureLeaderKills(machines, counts.kills))),
    ...(await part('workers', (machines) => measureWorkerLosses(machines, counts.workers))),
    ...(await part('sessions', (machines) =>
      measureSessions(machines, counts.sessions.count, counts.sessions.seconds),
    )),
    ...(await part('service', (machines) =>
      measureHugeService(machines, counts.service.replicas, counts.service.rounds),
    )),
    ...(await part('memory', (machines) => measureTaskWeight(machines, counts.memory))),
  };
}
