/** What a change of leader costs: by a kill, on purpose, and that none comes of a hiccup. Default settings, under load. */

import type {
  MemberProcess,
  ProcessCluster,
} from '../../packages/raft/src/adapters/test-support/process-cluster.ts';
import { sharedNow } from '../harness/prober.ts';
import { percentile } from './closed-loop.ts';

/** Closed loops of load in each member's process, beside a probe every 5 ms. */
const LOOPS = 8;

/** Times of one kind of change. */
export interface ChangeTimes {
  readonly count: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly longestMs: number;
}

/** Begins the load in every member that runs. */
export async function beginLoad(cluster: ProcessCluster): Promise<void> {
  for (const member of cluster.members.values()) await member.call('probe', LOOPS);
}

/**
 * Kills the leader with SIGKILL, again and again. Timed: from the kill to the first acknowledgement, at any member, of a
 * write that was begun after it. The killed one is brought back, and has caught up, before the next kill.
 */
export async function kills(cluster: ProcessCluster, count: number): Promise<ChangeTimes> {
  const times: number[] = [];
  for (let kill = 0; kill < count; kill++) {
    const leader = await cluster.serving();
    const survivors = cluster.followers;
    const killed = sharedNow();
    leader.signal('SIGKILL');
    times.push((await firstWrite(survivors, killed)) - killed);
    await leader.exited;
    const back = await cluster.start(leader.id);
    await caughtUp(cluster, back);
    await back.call('probe', LOOPS);
  }
  return timesOf(times);
}

/** Hands leadership over. Timed: from the call to the first acknowledgement of a write that was begun after it. */
export async function transfers(cluster: ProcessCluster, count: number): Promise<ChangeTimes> {
  const times: number[] = [];
  for (let transfer = 0; transfer < count; transfer++) {
    const leader = await cluster.serving();
    const called = sharedNow();
    const outcome = await leader.call<{ readonly kind: string }>('transfer');
    const next = await cluster.serving(leader.id);
    if (outcome.kind === 'transferred') times.push((await firstWrite([next], called)) - called);
  }
  return timesOf(times);
}

/** Stops followers for 300 ms, and one for 3 s. @returns how many elections that led to. */
export async function hiccups(cluster: ProcessCluster): Promise<number> {
  const leader = await cluster.serving();
  const before = leader.status?.term ?? 0;
  for (const ms of [300, 300, 300, 300, 300, 3000]) {
    const [follower] = cluster.followers;
    follower?.signal('SIGSTOP');
    await pass(ms);
    follower?.signal('SIGCONT');
    await pass(500);
  }
  const { term } = await (await cluster.serving()).call<{ readonly term: number }>('status');
  return term - before;
}

/**
 * Waits until the member has applied what the leader has committed by now.
 *
 * @returns how long after its node was made.
 */
export async function caughtUp(cluster: ProcessCluster, member: MemberProcess): Promise<number> {
  const leader = await cluster.serving();
  const { committed } = await leader.call<{ readonly committed: number }>('status');
  return member.call<number>('applied', committed);
}

function firstWrite(members: readonly MemberProcess[], since: number): Promise<number> {
  return Promise.race(members.map((member) => member.call<number>('firstSince', since)));
}

function timesOf(times: readonly number[]): ChangeTimes {
  const sorted = times.toSorted((a, b) => a - b);
  return {
    count: sorted.length,
    p50Ms: percentile(sorted, 50),
    p99Ms: percentile(sorted, 99),
    longestMs: sorted.at(-1) ?? 0,
  };
}

function pass(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
