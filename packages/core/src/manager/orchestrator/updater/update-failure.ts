/**
 * What counts as a failure of an update, and what it leads to. A failure is counted in the transaction that takes the
 * failed task out of its slot, so each counts once, whoever leads.
 */

import type { ClusterEvent } from '../../../events/event.ts';
import type { TaskId } from '../../../model/ids.ts';
import type { Service, Task, UpdateStatus } from '../../../model/objects.ts';
import { rollbackPolicy, type UpdatePolicy, updatePolicy } from '../../../model/update-policy.ts';
import { isRollback, isUnderWay } from '../../../state/update-standing.ts';
import { endedByItself } from '../restart.ts';
import { rollBack } from './roll-back.ts';

/** The policy that the service's update, or its rollback, goes by. */
export function policyInForce({ spec, updateStatus }: Service): UpdatePolicy {
  return isRollback(updateStatus) ? rollbackPolicy(spec) : updatePolicy(spec);
}

/** True for a task that an update put in the place of another, the first one of its version there. */
export function isOfUpdate(service: Service, task: Task): boolean {
  return (
    task.specVersion === service.specVersion && task.replaces !== undefined && task.restarts === undefined
  );
}

/**
 * True when the end of this task is a failure of the update: it never came to run, or did not run for as long as it is
 * watched. A task that ends well because that is what it is there for is none.
 */
export function isUpdateFailure(service: Service, task: Task): boolean {
  const { updateStatus } = service;
  if (!isUnderWay(updateStatus) || !isOfUpdate(service, task) || !endedByItself(task.status)) return false;
  if (task.status.state === 'complete' && task.spec.restart.condition !== 'any') return false;
  if (task.runningSince === undefined || updateStatus.state === 'waiting') return true;
  return task.statusAppliedAt - task.runningSince < policyInForce(service).monitorMs;
}

/** What so many failures lead to. */
export function concludeFailures(service: Service, failed: readonly TaskId[], at: number): ClusterEvent[] {
  const { id, updateStatus } = service;
  if (!isUnderWay(updateStatus)) return [];
  const policy = policyInForce(service);
  const status: UpdateStatus = { ...updateStatus, failures: updateStatus.failures + failed.length };
  const isTooMany = status.failures / Math.max(1, status.slots) > policy.maxFailureRatio;
  const counted: ClusterEvent = { type: 'service.update-status', id, status };
  if (policy.failureAction === 'continue' || !isTooMany) return [counted];
  const why = `due to failure or early termination of task ${failed.at(-1) ?? ''}`;
  if (policy.failureAction === 'rollback') {
    const events = rollBack(service, `update rolled back ${why}`, at);
    if (events) return events;
  }
  const { waitingSince: _, ...rest } = status;
  const paused: UpdateStatus = isRollback(status)
    ? { ...rest, state: 'rollback_paused', message: `rollback paused ${why}` }
    : { ...rest, state: 'paused', message: `update paused ${why}` };
  return [{ type: 'service.update-status', id, status: paused }];
}
