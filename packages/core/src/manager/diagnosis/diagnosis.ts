/** What a diagnosis of a service tells. */

import type { Finding, FindingCode } from '../../model/finding.ts';
import type { NodeId, ServiceId, TaskId } from '../../model/ids.ts';

/** One task, or one slot without a task that runs or is to, and why it is not where it should be. */
export interface TaskFinding extends Finding {
  readonly task: TaskId;
  /** From 1 in a replicated service or job; 0 in a global one. */
  readonly slot: number;
  /** Where the task is, or is made for. */
  readonly node?: NodeId;
}

/** Why a service and its tasks are not where they should be. */
export interface ServiceDiagnosis {
  readonly service: ServiceId;
  readonly name: string;
  /** Index of the state that it was read off. */
  readonly index: number;
  /** The leader's time of that state; milliseconds since 1970. */
  readonly at: number;
  /** All is as asked for: nothing below has anything to tell. */
  readonly settled: boolean;
  /** Something stays as it is until somebody, or the world outside the cluster, does something about it. */
  readonly stalled: boolean;
  /** What holds for the service as a whole. */
  readonly findings: readonly Finding[];
  /** Its tasks that are not where they should be, slot by slot; {@link TASKS_TOLD} at most. */
  readonly tasks: readonly TaskFinding[];
  /** How many there are of each code among all of its tasks, those that are not told one by one included. */
  readonly counts: Readonly<Partial<Record<FindingCode, number>>>;
}

/** Most tasks that a diagnosis tells of one by one. */
export const TASKS_TOLD = 100;
