/** Which health check a task has, and how it is watched: the spec's probe, else the check of the runtime's own. */

import type { TaskRuntime } from '../../driver/runtime-driver.ts';
import type { RuntimeStatus } from '../../model/objects.ts';
import type { HealthSpec } from '../../model/task-spec.ts';
import { errorText } from '../bounded.ts';
import type { ExecutorParts } from '../executor-parts.ts';
import { type RetriedCall, retried } from '../retried.ts';
import { watchHealth } from './health-monitor.ts';
import { makeProbe } from './probes.ts';

/** A task that may have a health check. */
export interface CheckedTask {
  readonly health: HealthSpec | undefined;
  readonly runtime: TaskRuntime;
  readonly started: RuntimeStatus;
  readonly parts: Pick<ExecutorParts, 'clock' | 'limits' | 'probes'>;
  /** It was found healthy in an earlier life of the worker. */
  readonly wasHealthy: boolean;
  /** Called once, at the first success. */
  readonly onHealthy: () => void;
  readonly onRetry: RetriedCall['onRetry'];
}

/**
 * The watch over a task: resolves with why it is unhealthy, in words, and ends with the signal that it is given.
 * Undefined where nothing is to be watched.
 */
export function taskHealth(task: CheckedTask): ((signal: AbortSignal) => Promise<string>) | undefined {
  const { health, runtime, started, parts, wasHealthy, onHealthy } = task;
  if (health === undefined) return ownHealth(task);
  const { test, ...times } = health;
  if (test.kind === 'none') return undefined;
  const probe = makeProbe(test, parts.probes, runtime, started);
  return (signal) => watchHealth({ times, probe, clock: parts.clock, wasHealthy, onHealthy, signal });
}

function ownHealth({ runtime, parts, onHealthy, onRetry }: CheckedTask) {
  const watch = runtime.watchHealth?.bind(runtime);
  if (watch === undefined) return undefined;
  return async (signal: AbortSignal) => {
    const reason = await retried({ parts, what: 'health', deadlineMs: undefined, signal, onRetry }, (own) =>
      watch({ onHealthy, signal: own }),
    );
    return `task: unhealthy: ${errorText(reason)}`;
  };
}
