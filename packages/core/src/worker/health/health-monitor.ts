/**
 * Probes one task for as long as it runs, by the rules of its health spec: when it is healthy for the first time, and
 * when it is to be given up.
 */

import type { HealthSpec } from '../../model/task-spec.ts';
import { type Clock, sleep } from '../../runtime/clock.ts';
import { bounded, errorText } from '../bounded.ts';
import type { Probe, ProbeResult } from './probe.ts';

/** What a monitor works with. */
export interface HealthWatch {
  readonly times: Omit<HealthSpec, 'test'>;
  readonly probe: Probe;
  readonly clock: Clock;
  /** Ends the watch: it then never resolves to a verdict. */
  readonly signal: AbortSignal;
  /** It was found healthy in an earlier life of the worker. */
  readonly wasHealthy: boolean;
  /** Called once, at the first success. */
  readonly onHealthy: () => void;
}

/**
 * Watches until the task is unhealthy.
 *
 * Until the first success probes follow each other by `startIntervalMs`, so that a quick task is quickly there, and
 * the task is given up once it has failed `retries` times outside its start period and as much time has passed as
 * Docker would give it: `startPeriodMs` plus `retries` intervals. From then on `retries` failures in a row are enough.
 *
 * @returns why it is unhealthy, in words. Rejects with the signal's reason on abort.
 */
export async function watchHealth(watch: HealthWatch): Promise<string> {
  const { times, clock, signal } = watch;
  const startedAt = clock.monotonic();
  const budgetMs = times.startPeriodMs + times.retries * times.intervalMs;
  let healthyOnce = watch.wasHealthy;
  let failures = 0;
  for (;;) {
    if (healthyOnce) await sleep(clock, times.intervalMs, signal);
    const result = await ask(watch);
    signal.throwIfAborted();
    const ageMs = clock.monotonic() - startedAt;
    if (result.healthy) {
      failures = 0;
      if (!healthyOnce) watch.onHealthy();
      healthyOnce = true;
      continue;
    }
    if (healthyOnce || ageMs >= times.startPeriodMs) failures += 1;
    if (failures >= times.retries && (healthyOnce || ageMs >= budgetMs)) {
      return `task: unhealthy after ${failures} failed probes: ${result.message}`;
    }
    if (!healthyOnce) await sleep(clock, times.startIntervalMs, signal);
  }
}

async function ask({ times, probe, clock, signal }: HealthWatch): Promise<ProbeResult> {
  try {
    const { healthy, message } = await bounded(
      { clock, signal, deadlineMs: times.timeoutMs, what: 'probe' },
      probe,
    );
    return { healthy: healthy === true, message: errorText(message) };
  } catch (error) {
    return { healthy: false, message: errorText(error) };
  }
}
