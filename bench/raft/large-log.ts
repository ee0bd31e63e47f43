/** What a long log costs: a follower that comes back when it is gone, and a restart on it. */

import { caughtUp } from './leadership.ts';
import { startSkep } from './skep.ts';

/** What was measured. */
export interface LargeLogResult {
  readonly entries: number;
  /** From the start of a node on its directory until it takes part, its log recovered. */
  readonly recoveredMs: number;
  /** From there until it has applied all of its log, too: the restart, in a process that is there already. */
  readonly restartedMs: number;
  /** From the fork of its process until it takes part: the start of Node, and the compiling of the program, included. */
  readonly processStartedMs: number;
  /** From the fork until it has applied all of its log, too. */
  readonly appliedMs: number;
  /** The leader's snapshot of a state of 256 bytes an entry. */
  readonly snapshotMs: number;
  readonly leaderPauseDuringSnapshotMs: number;
  /** From the fork of a follower's process, all those entries behind, until it has applied everything. */
  readonly caughtUpMs: number;
  readonly leaderPauseDuringCatchUpMs: number;
  /** A member in memory, at the end. */
  readonly residentMiB: number;
}

/** Fills a cluster, lets a member that was absent catch up by snapshot, then restarts one that holds the whole log. */
export async function largeLog(directory: string, entries: number): Promise<LargeLogResult> {
  const cluster = await startSkep({ directory, keys: entries, snapshotEntries: 0 });
  try {
    await cluster.serving();
    const [absent, restarted] = cluster.followers;
    if (absent === undefined || restarted === undefined) throw new Error('two members have to follow');
    await cluster.kill(absent.id);
    await (await cluster.serving()).call('fill', entries);
    await caughtUp(cluster, restarted);
    const leader = await cluster.serving();
    await leader.call('watchLoop');
    const snapshotBegan = performance.now();
    await leader.call('snapshot', { discard: true });
    const snapshotMs = performance.now() - snapshotBegan;
    const leaderPauseDuringSnapshotMs = await leader.call<number>('longestPauseMs');

    await leader.call('watchLoop');
    const catchUpBegan = performance.now();
    const back = await cluster.start(absent.id);
    await caughtUp(cluster, back);
    const caughtUpMs = performance.now() - catchUpBegan;
    const leaderPauseDuringCatchUpMs = await leader.call<number>('longestPauseMs');

    // Its own log is whole, and there is a quorum without it: what is timed is its restart alone.
    await cluster.kill(restarted.id);
    const began = performance.now();
    const again = await cluster.start(restarted.id);
    const processStartedMs = performance.now() - began;
    const restartedMs = await caughtUp(cluster, again);
    const appliedMs = performance.now() - began;
    const recoveredMs = await again.call<number>('startedMs');
    const { rss } = await leader.call<NodeJS.MemoryUsage>('memory');
    return {
      entries,
      recoveredMs,
      restartedMs,
      processStartedMs,
      appliedMs,
      snapshotMs,
      leaderPauseDuringSnapshotMs,
      caughtUpMs,
      leaderPauseDuringCatchUpMs,
      residentMiB: rss / 2 ** 20,
    };
  } finally {
    await cluster.close();
  }
}
