/** What a task's container uses, as `docker stats` counts it. */

import type { TaskStats } from '@skep/core/driver';

/** The part of the engine's answer that is read. */
export interface EngineStats {
  /** When it was read. */
  readonly read?: string;
  readonly cpu_stats?: CpuStats;
  readonly precpu_stats?: CpuStats;
  readonly memory_stats?: {
    readonly usage?: number;
    readonly stats?: Readonly<Record<string, number>>;
  };
}

interface CpuStats {
  readonly cpu_usage?: { readonly total_usage?: number; readonly percpu_usage?: readonly number[] | null };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

/** Use of processors between the engine's two samples, and memory without the pages that could be given back. */
export function taskStats(stats: EngineStats, at: number): TaskStats {
  const { cpu_stats: now = {}, precpu_stats: before = {}, memory_stats: memory = {} } = stats;
  const used = (now.cpu_usage?.total_usage ?? 0) - (before.cpu_usage?.total_usage ?? 0);
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const processors = now.online_cpus ?? now.cpu_usage?.percpu_usage?.length ?? 1;
  // Control groups of version 1 and 2 name it differently.
  const reclaimable = memory.stats?.['total_inactive_file'] ?? memory.stats?.['inactive_file'] ?? 0;
  return {
    at,
    cpus: passed > 0 ? Math.max(0, (used / passed) * processors) : 0,
    memoryBytes: Math.max(0, (memory.usage ?? 0) - reclaimable),
  };
}
