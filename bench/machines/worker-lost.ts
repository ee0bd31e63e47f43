/** What becomes of a worker's tasks when it is killed, when it falls silent, and when it comes back in time. */

import type { Task } from '@skep/core';
import { sharedNow } from '../harness/prober.ts';
import type { Losses } from './loss-watch.ts';
import { leaderOf, type Machine, type Machines, pass } from './machines.ts';
import { type Times, timesOf } from './times.ts';

/** What was measured. */
export interface WorkerLosses {
  /** The worker and its tasks killed: until it counts as down, and until all its tasks run elsewhere. */
  readonly killedDown: Times;
  readonly killed: Times;
  /** The worker stopped, so that its connections stay and say nothing. */
  readonly silent: Times;
  /** What three seconds cost, in sum: all workers' processes stopped, or all their connections cut, one at a time. */
  readonly stopped: Blips;
  readonly cut: Blips;
}

/** Blips and what came of them. */
export interface Blips extends Losses {
  readonly count: number;
}

/** How often each is done. */
export interface WorkerLossCounts {
  readonly killed: number;
  readonly silent: number;
  readonly blips: number;
}

const SERVICE = 'sleepers';
const REPLICAS = 6;
const WORKERS = 3;
const BLIP_MS = 3_000;
/** How long after a blip its consequences would show: a silent node is down after 5 s. */
const AFTERMATH_MS = 4_000;

/** Three managers, three workers, and six tasks that are processes. */
export async function measureWorkerLosses(
  machines: Machines,
  counts: WorkerLossCounts,
): Promise<WorkerLosses> {
  const managers = await machines.managers(3);
  const workers: Machine[] = [];
  for (let number = 1; number <= WORKERS; number++) {
    const worker = await machines.start(`worker-${number}`);
    await machines.join(worker, 'worker', managers, 'process');
    workers.push(worker);
  }
  const leader = await leaderOf(managers);
  const cluster = { machines, leader, workers };
  const stopped = await blips(cluster, counts.blips, async (worker) => {
    worker.signal('SIGSTOP');
    await pass(BLIP_MS);
    worker.signal('SIGCONT');
  });
  const cut = await blips(cluster, counts.blips, async (worker) => {
    await worker.call('cutFor', BLIP_MS);
  });
  const losses: { readonly down: number; readonly whole: number }[] = [];
  for (let time = 0; time < counts.killed; time++) losses.push(await killed(cluster, time % WORKERS));
  const silent: number[] = [];
  for (let time = 0; time < counts.silent; time++) silent.push(await silenced(cluster, time % WORKERS));
  return {
    killedDown: timesOf(losses.map(({ down }) => down)),
    killed: timesOf(losses.map(({ whole }) => whole)),
    silent: timesOf(silent),
    stopped,
    cut,
  };
}

interface UnderTest {
  readonly machines: Machines;
  readonly leader: Machine;
  readonly workers: Machine[];
}

async function blips(
  cluster: UnderTest,
  count: number,
  blip: (worker: Machine) => Promise<void>,
): Promise<Blips> {
  const { leader, workers } = cluster;
  await deployed(cluster);
  await leader.call('watchLosses');
  for (let time = 0; time < count; time++) {
    const worker = workers[time % WORKERS];
    if (worker !== undefined) await blip(worker);
    await pass(AFTERMATH_MS);
  }
  const losses = await leader.call<Losses>('losses');
  await withdrawn(cluster);
  return { count, ...losses };
}

async function killed(
  cluster: UnderTest,
  at: number,
): Promise<{ readonly down: number; readonly whole: number }> {
  const { machines, leader, workers } = cluster;
  const { worker, tasks } = await deployedOn(cluster, at);
  const began = sharedNow();
  worker.signal('SIGKILL');
  for (const task of tasks) killTask(task);
  const { nodeId } = worker.it;
  const [down, whole] = await Promise.all([
    leader.call<number>('downAt', nodeId),
    leader.call<number>('wholeWithout', SERVICE, nodeId, REPLICAS),
  ]);
  await worker.exited;
  const back = await machines.start(worker.id);
  await back.become({ how: 'start', driver: 'process' });
  workers[at] = back;
  await leader.call('readyAt', nodeId);
  await withdrawn(cluster);
  return { down: down - began, whole: whole - began };
}

async function silenced(cluster: UnderTest, at: number): Promise<number> {
  const { leader } = cluster;
  const { worker } = await deployedOn(cluster, at);
  const began = sharedNow();
  worker.signal('SIGSTOP');
  const { nodeId } = worker.it;
  const whole = await leader.call<number>('wholeWithout', SERVICE, nodeId, REPLICAS);
  worker.signal('SIGCONT');
  await leader.call('readyAt', nodeId);
  await withdrawn(cluster);
  return whole - began;
}

async function deployed({ leader }: UnderTest): Promise<void> {
  await leader.call('create', SERVICE, 'sleeper', REPLICAS);
  await leader.call('tasksAt', 'running', REPLICAS);
}

/** The tasks run, and some of them on this worker. */
async function deployedOn(cluster: UnderTest, at: number) {
  await deployed(cluster);
  const worker = cluster.workers[at];
  if (worker === undefined) throw new Error(`there is no worker ${at}`);
  const all = await cluster.leader.call<readonly Task[]>('tasksOf', SERVICE);
  const tasks = all.filter(({ nodeId }) => nodeId === worker.it.nodeId);
  if (tasks.length === 0) throw new Error(`${worker.id} runs no task`);
  return { worker, tasks };
}

async function withdrawn({ leader }: UnderTest): Promise<void> {
  await leader.call('remove', SERVICE);
  await leader.call('gone');
}

/** Kills the processes of a task, as the loss of its machine would. */
function killTask({ status }: Task): void {
  const [, pid] = /^pid (\d+)$/.exec(status.runtime?.id ?? '') ?? [];
  if (pid === undefined) throw new Error('a task of the process driver has a pid');
  process.kill(-Number(pid), 'SIGKILL');
}
