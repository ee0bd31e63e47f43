/**
 * What others take for the like, as measured by hand on a machine of the same kind (two shared x86-64 cores, 24 GiB,
 * Debian 12) and cited here; nothing of it is run by these benchmarks. SwarmKit is commit 98d08be6c, built with Go
 * 1.23.5, in memory: no Raft, no disk, as here.
 */

/** One cited figure. */
export interface CitedFigure {
  readonly who: string;
  readonly shape: string;
  readonly tasksPerSecond: number;
}

/** What SwarmKit's figures time. */
export const SWARMKIT_TIMES =
  'commit of nodes and tasks to its store, create events, decisions, write-back in batches of 200, and receipt of ' +
  'every update event';

/** SwarmKit's scheduler, tasks grouped by service as in production. */
export const SWARMKIT: readonly CitedFigure[] = [
  { who: 'SwarmKit', shape: '1,000 x 10,000 / 1 (its best run)', tasksPerSecond: 16_000 },
  { who: 'SwarmKit', shape: '1,000 x 100,000 / 1', tasksPerSecond: 8_900 },
  { who: 'SwarmKit', shape: '1,000 x 100,000 / 100', tasksPerSecond: 6_500 },
  { who: 'SwarmKit', shape: '1,000 x 100,000 / 100, reservations', tasksPerSecond: 6_100 },
];
