/** What it costs one manager to hold the sessions of many workers. */

import { type Machine, type Machines, pass } from './machines.ts';

/** What was measured. */
export interface SessionCost {
  readonly sessions: number;
  /** The manager's processor time, all its threads, as a share of one core. */
  readonly cpuShare: number;
  readonly longestPauseMs: number;
  /** From the first join to the last: how many a second this machine got through, both sides together. */
  readonly joinsPerSecond: number;
  /** Sessions that were lost while it was measured. */
  readonly lost: number;
  readonly residentMiB: number;
}

/** Before the measurement, so that what joining left is done, in ms. */
const SETTLE_MS = 10_000;
/** Nodes in one process. */
const NODES_EACH = 1_000;

/**
 * Holds so many sessions for so long. Each is a whole node: its own key, certificate, connection and session, heartbeats
 * once a second.
 */
export async function measureSessions(
  machines: Machines,
  sessions: number,
  seconds: number,
): Promise<SessionCost> {
  const [manager] = await machines.managers(1);
  const began = performance.now();
  const loads: Machine[] = [];
  const joining: Promise<void>[] = [];
  for (let left = sessions; left > 0; left -= NODES_EACH) {
    const load = await machines.start(`load-${loads.length + 1}`);
    loads.push(load);
    joining.push(machines.joinMany(load, Math.min(left, NODES_EACH), manager));
  }
  await Promise.all(joining);
  const joinedMs = performance.now() - began;
  while ((await manager.call<number>('readyCount')) < sessions) await pass(100);
  await pass(SETTLE_MS);
  await manager.call('watchLosses');
  const from = performance.now();
  await manager.call('beginMeasuring');
  await pass(seconds * 1000);
  const { cpuMs, longestPauseMs } = await manager.call<{ cpuMs: number; longestPauseMs: number }>(
    'endMeasuring',
  );
  const tookMs = performance.now() - from;
  const { suspect, down } = await manager.call<{ suspect: number; down: number }>('losses');
  const { rss } = await manager.call<{ rss: number }>('alive');
  return {
    sessions,
    cpuShare: cpuMs / tookMs,
    longestPauseMs,
    joinsPerSecond: (sessions / joinedMs) * 1000,
    lost: suspect + down,
    residentMiB: rss / 2 ** 20,
  };
}
