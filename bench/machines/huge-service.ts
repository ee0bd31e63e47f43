/** One huge service on three managers: how soon all its tasks are there, and what they weigh. */

import { sharedNow } from '../harness/prober.ts';
import { leaderOf, type Machine, type Machines, pass } from './machines.ts';
import { type Times, timesOf } from './times.ts';

/** How soon. */
export interface HugeServiceTimes {
  readonly replicas: number;
  /** From the call until every task was seen to be pending at the leader: committed by a majority, on their disks. */
  readonly leader: Times;
  /** The same until it was seen at all three managers. */
  readonly all: Times;
}

/** What a manager holds for each task, in bytes. */
export interface TaskWeight {
  readonly tasks: number;
  readonly leader: Weight;
  readonly follower: Weight;
}

/** Bytes a task. */
export interface Weight {
  /** heapUsed + external after collections, less what the manager had without tasks. */
  readonly alive: number;
  /** What the process has of the system's memory, less the same; what was freed since may be in it. */
  readonly resident: number;
}

const SERVICE = 'huge';
/** After the last task, until what is done in slices is done, in ms. */
const SETTLE_MS = 5_000;

/** Creates the service and removes it, again and again. No node can take its tasks, so they stay pending. */
export async function measureHugeService(
  machines: Machines,
  replicas: number,
  rounds: number,
): Promise<HugeServiceTimes> {
  const managers = await machines.managers(3);
  const atLeader: number[] = [];
  const atAll: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const leader = await leaderOf(managers);
    const { began, seen } = await created(leader, managers, replicas);
    atLeader.push((seen.get(leader) ?? Number.NaN) - began);
    atAll.push(Math.max(...seen.values()) - began);
    await withdrawn(leader, managers);
  }
  return { replicas, leader: timesOf(atLeader), all: timesOf(atAll) };
}

/** Creates it once, larger, and weighs the managers before and after. */
export async function measureTaskWeight(machines: Machines, replicas: number): Promise<TaskWeight> {
  const managers = await machines.managers(3);
  const leader = await leaderOf(managers);
  const follower = managers.find((manager) => manager !== leader) ?? leader;
  // What is compiled and made once is there before.
  await created(leader, managers, 1_000);
  await withdrawn(leader, managers);
  await pass(SETTLE_MS);
  const empty = [await alive(leader), await alive(follower)] as const;
  await created(leader, managers, replicas);
  await pass(SETTLE_MS);
  const full = [await alive(leader), await alive(follower)] as const;
  const weight = (at: 0 | 1): Weight => ({
    alive: (full[at].alive - empty[at].alive) / replicas,
    resident: (full[at].resident - empty[at].resident) / replicas,
  });
  return { tasks: replicas, leader: weight(0), follower: weight(1) };
}

async function created(leader: Machine, managers: readonly Machine[], replicas: number) {
  const seen = new Map<Machine, number>();
  const seeing = managers.map(async (manager) => {
    seen.set(manager, await manager.call<number>('tasksAt', 'pending', replicas));
  });
  const began = sharedNow();
  await leader.call('create', SERVICE, 'none', replicas);
  await Promise.all(seeing);
  return { began, seen };
}

async function withdrawn(leader: Machine, managers: readonly Machine[]): Promise<void> {
  await leader.call('remove', SERVICE);
  await Promise.all(managers.map((manager) => manager.call('gone')));
}

async function alive(machine: Machine): Promise<Weight> {
  const { heapUsed, external, rss } = await machine.call<NodeJS.MemoryUsage>('alive');
  return { alive: heapUsed + external, resident: rss };
}
