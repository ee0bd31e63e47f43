/** What can be waited for of a service, how far it has come, and when it will not come by itself. */

import { GoalFailedError, InvalidSpecError, NotFoundError, PreconditionError } from '../errors.ts';
import type { ServiceDiagnosis, TaskFinding } from '../manager/diagnosis/diagnosis.ts';
import { isGoneNode } from '../manager/orchestrator/node-validity.ts';
import type { ServiceId } from '../model/ids.ts';
import type { Service } from '../model/objects.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { isPaused, isRollback } from '../state/update-standing.ts';
import { distinct, type Measured, type Progress } from './progress.ts';
import { type ServiceStatus, serviceStatus } from './service-status.ts';

/** The goals by name. */
const GOALS = ['running', 'updated', 'rolled-back', 'completed', 'removed'] as const;

/** What can be waited for: one by name, or a status that a function asks for. */
export type ServiceGoal = (typeof GOALS)[number] | ((status: ServiceStatus) => boolean);

/** How far a service has come to what is waited for. */
export interface ServiceProgress extends Progress {
  readonly status: ServiceStatus;
  /** Its tasks that are not where they should be, the first of them, each with the reason. */
  readonly tasks: readonly TaskFinding[];
}

/** @throws InvalidSpecError for what is no goal */
export function checkGoal(goal: unknown): void {
  if (typeof goal === 'function' || GOALS.some((name) => name === goal)) return;
  const names = GOALS.map((name) => `'${name}'`).join(', ');
  throw new InvalidSpecError([{ field: 'goal', rule: `must be ${names} or a function` }]);
}

/** What a look at the state finds. */
export interface GoalLook {
  /** The status, once the goal is reached. */
  readonly reached: ServiceStatus | undefined;
  /** Tasks that are left to come to it. */
  readonly left: number;
  readonly status: ServiceStatus;
  /** Why it will not come by itself, in words. */
  readonly failure?: string;
}

const GONE: ServiceStatus = { desired: 0, running: 0, current: 0, converged: true, reasons: [] };

/** Looks how far a service has come. @throws NotFoundError; PreconditionError if the goal has no sense for it */
export function lookAtGoal(state: ClusterState, id: ServiceId, ref: string, goal: ServiceGoal): GoalLook {
  const service = state.service(id);
  if (goal === 'removed') return lookAtRemoval(state, id, service);
  if (!service) throw new NotFoundError('service', ref);
  const status = serviceStatus(state, service);
  const { desired, running, current } = status;
  const left = Math.max(desired - current, running - desired, status.converged ? 0 : 1);
  if (goal === 'completed') return lookAtCompletion(service, ref, status);
  const failure = failureOf(goal, status);
  if (failure !== undefined) return { reached: undefined, left, status, failure };
  return isReached(goal, status)
    ? { reached: status, left: 0, status }
    : { reached: undefined, left: Math.max(1, left), status };
}

function lookAtRemoval(state: ClusterState, id: ServiceId, service: Service | undefined): GoalLook {
  let left = 0;
  for (const task of state.tasksOfService(id)) {
    // Tasks on a node that is down can't be waited for: nobody hears of their end.
    if (task.nodeId === undefined || !isGoneNode(state.node(task.nodeId))) left += 1;
  }
  const isThere = service !== undefined;
  if (left === 0 && !isThere) return { reached: GONE, left, status: GONE };
  const reasons = [isThere ? 'it is not to be removed' : 'its last tasks are being stopped'];
  return { reached: undefined, left: Math.max(1, left), status: { ...GONE, converged: false, reasons } };
}

function lookAtCompletion(service: Service, ref: string, status: ServiceStatus): GoalLook {
  const { jobStatus } = service;
  if (!jobStatus || !status.job)
    throw new PreconditionError(`service ${ref} is no job, so it never completes`);
  const { total, completed } = status.job;
  const left = Math.max(1, total - completed);
  const run = jobStatus.active.length > 0 ? undefined : jobStatus.ended.at(-1);
  if (run?.outcome === 'completed') return { reached: status, left: 0, status };
  if (run?.outcome !== 'failed') return { reached: undefined, left, status };
  const failure = `run ${run.iteration} of job ${ref} failed: ${run.message ?? 'a task failed'}`;
  return { reached: undefined, left, status, failure };
}

/** An update that stands still, or was undone, is not reached by waiting. */
function failureOf(goal: ServiceGoal, { update }: ServiceStatus): string | undefined {
  if (goal !== 'updated' && goal !== 'rolled-back') return undefined;
  if (isPaused(update)) return update?.message;
  if (goal === 'updated' && isRollback(update)) return `it was rolled back: ${update?.message}`;
  return goal === 'rolled-back' && !isRollback(update) ? 'it is not being rolled back' : undefined;
}

function isReached(goal: Exclude<ServiceGoal, 'removed' | 'completed'>, status: ServiceStatus): boolean {
  if (typeof goal === 'function') return goal(status);
  const { update, converged } = status;
  if (goal === 'running') return converged;
  return converged && (update === undefined || update.completedAt !== undefined);
}

/** How far it has come, with why it is not further. */
export function measureGoal(
  { left, status, reached }: GoalLook,
  diagnose: () => ServiceDiagnosis,
): Measured<ServiceProgress> {
  const finished = reached !== undefined;
  if (finished) return { left, finished, status, tasks: [], findings: [] };
  const { findings, tasks } = diagnose();
  return { left, finished, status, tasks, findings: distinct([...findings, ...tasks]) };
}

/** The error that ends a wait for what will not come by itself. */
export function goalFailed(
  ref: string,
  goal: ServiceGoal,
  failure: string,
  { findings, tasks }: ServiceDiagnosis,
): GoalFailedError {
  return new GoalFailedError(goalInWords(ref, goal), failure, distinct([...findings, ...tasks]));
}

/** What is waited for, in words. */
export function goalInWords(ref: string, goal: ServiceGoal): string {
  return `service ${ref} ${typeof goal === 'string' ? goal : 'as asked for'}`;
}
