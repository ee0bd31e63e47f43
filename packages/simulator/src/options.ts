/** What a simulated cluster is told when it is made. */

import { type ClusterSpecInput, InvalidSpecError } from '@skep/core';
import type { SimulatedBehaviour } from '@skep/core/testing';
import type { LatencyRange } from './links.ts';
import type { DispatcherWrapper, ForwarderWrapper, LogWrapper } from './routes.ts';
import type { WorkerOptions } from './simulated-worker.ts';
import type { LogLine } from './world.ts';

/** Options of `SimulatedCluster.open`. */
export interface SimulatedClusterOptions {
  /** What everything random comes of. Default 1. */
  readonly seed?: number;
  /** How many managers, named `manager-1`, `manager-2`… Default 1. */
  readonly managers?: number;
  /** How many workers, or each by itself. Default 3. */
  readonly workers?: number | readonly WorkerOptions[];
  /** How tasks behave, by image; an image that is not named runs until it is stopped. */
  readonly images?: Readonly<Record<string, SimulatedBehaviour>>;
  /** Settings of the cluster. */
  readonly spec?: ClusterSpecInput;
  /** How long a message is under way, in ms, drawn for each. Default from 0.5 to 2. */
  readonly latencyMs?: LatencyRange;
  /** Log entries after which a manager takes a snapshot. Default 10,000. */
  readonly snapshotEntries?: number;
  /** Managers keep a history, each on its own disk, so that `cluster.at` and `cluster.history` answer. Default false. */
  readonly history?: boolean;
  /** Hears each line that managers and agents log. */
  readonly onLog?: LogLine;
  /** Changes what passes between managers and agents, to plant a bug or to look on. */
  readonly wrapDispatcher?: DispatcherWrapper;
  /** The same for what passes between a manager and its log, and between managers. */
  readonly wrapLog?: LogWrapper;
  readonly wrapForwarder?: ForwarderWrapper;
}

/** @throws InvalidSpecError, naming each option that is out of range. */
export function checkOptions(options: {
  readonly managers: number;
  readonly workers: number | readonly WorkerOptions[];
  readonly seed: number;
}): void {
  const { managers, workers, seed } = options;
  const isWhole = (value: number, least: number) => Number.isSafeInteger(value) && value >= least;
  const issues = [
    ...(isWhole(managers, 1) ? [] : [{ field: 'managers', rule: 'must be a whole number of at least 1' }]),
    ...(Number.isSafeInteger(seed) ? [] : [{ field: 'seed', rule: 'must be a whole number' }]),
    ...(typeof workers !== 'number' || isWhole(workers, 0)
      ? []
      : [{ field: 'workers', rule: 'must be a whole number of at least 0, or a list' }]),
  ];
  if (issues.length > 0) throw new InvalidSpecError(issues);
}
