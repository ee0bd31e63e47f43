/** Why a task that has to leave its node is still there, in words and as a code. Pure; looks at the slot of the task. */

import { drainDelayOf } from '../../../model/drain-delay.ts';
import type { Node, Service, Task } from '../../../model/objects.ts';
import { isMeantToRun, isTerminal } from '../../../model/task-state.ts';
import type { ClusterState } from '../../../state/cluster-state.ts';
import { slotOf } from '../slot-tasks.ts';
import { countUp, countWanted } from './disruption-budgets.ts';
import { isPreempted, isUp, maxUnavailable, mayStartFirst } from './must-leave.ts';
import { isAsPrepared, isFailedMove } from './tend-leaving.ts';

/** What it waits for. */
export interface LeaveReason {
  readonly code: /** It does not serve, and is about to be told to stop. */
    | 'about-to-stop'
    /** Its successor has found no node. */
    | 'successor-waits'
    /** Its successor is on the way to running. */
    | 'successor-starts'
    /** Its successor ended, and its restart policy allows no other. */
    | 'successor-failed'
    /** It would have to be stopped first, and its service can't spare it now. */
    | 'disruption-budget'
    /** Nodes have yet to confirm that they send it nothing any more. */
    | 'confirmation'
    /** What was sent to it before is being seen through. */
    | 'drain-delay'
    /** It has its stop signal. */
    | 'stopping';
  readonly message: string;
}

/** Why the task is still at work. Undefined for one that is not. */
export function leaveReason(state: ClusterState, task: Task): LeaveReason | undefined {
  if (isTerminal(task.status.state)) return undefined;
  if (!isMeantToRun(task.desiredState)) return stopReason(state, task);
  const service = state.service(task.serviceId);
  if (!service || !isUp(task) || isPreempted(task))
    return { code: 'about-to-stop', message: 'is about to be stopped' };
  return moveReason(state, service, task);
}

function moveReason(state: ClusterState, service: Service, task: Task): LeaveReason {
  if (service.spec.mode !== 'replicated') return budgetReason(state, service);
  const slot = slotOf(state.slot(service.id, state.slotKey(task)));
  const { live: successor } = slot;
  const startsFirst = mayStartFirst(service);
  if (successor && successor.id !== task.id) {
    const { explanation, status } = successor;
    if (isAsPrepared(successor) && !startsFirst) return budgetReason(state, service);
    if (explanation)
      return { code: 'successor-waits', message: `its successor waits: ${explanation.message}` };
    const told = status.error === undefined ? '' : `: ${status.error}`;
    return { code: 'successor-starts', message: `its successor ${successor.id} is ${status.state}${told}` };
  }
  if (isFailedMove(slot, task)) {
    const { state: how, error, message } = slot.newest?.status ?? task.status;
    return {
      code: 'successor-failed',
      message: `its successor ${how}: ${error ?? message}; its restart policy allows no more`,
    };
  }
  if (!startsFirst && maxUnavailable(service) === 0) return budgetReason(state, service);
  return { code: 'successor-starts', message: 'its successor is about to be created' };
}

function budgetReason(state: ClusterState, service: Service): LeaveReason {
  const [up, wanted, missing] = [
    countUp(service, state),
    countWanted(service, state),
    maxUnavailable(service),
  ];
  const message = `${up} of ${wanted} tasks serve, and ${missing} may be missing`;
  return { code: 'disruption-budget', message };
}

function stopReason(state: ClusterState, task: Task): LeaveReason {
  const { leaving } = task;
  if (leaving) {
    const { since, releasedAt } = leaving;
    const feeds = releasedAt === undefined ? [...state.nodes()].filter(hasFeed).length : 0;
    if (feeds > 0) {
      const nodes = feeds === 1 ? 'a node' : `${feeds} nodes`;
      return { code: 'confirmation', message: `waits for ${nodes} to confirm that it left their endpoints` };
    }
    const spec = state.service(task.serviceId)?.spec ?? state.roots.departed.get(task.serviceId);
    const until = (releasedAt ?? since) + drainDelayOf(task, spec);
    if (until > state.at)
      return { code: 'drain-delay', message: `sees through what it was sent, until ${iso(until)}` };
  }
  const { error } = task.status;
  const told = error === undefined ? '' : `: ${error}`;
  return { code: 'stopping', message: `is being stopped, with ${task.spec.stopGraceMs} ms of grace${told}` };
}

const hasFeed = ({ description, status }: Node) =>
  description.endpointFeed === true && status.state !== 'down';
const iso = (time: number) => new Date(time).toISOString();
