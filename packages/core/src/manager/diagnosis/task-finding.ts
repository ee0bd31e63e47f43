/**
 * Why one task is not where it should be, in words and as a code. Pure: it is read off the state each time, so it is
 * always current, and looks at no more than the task, its slot, its node and its service.
 */

import type { Finding } from '../../model/finding.ts';
import type { NodeId } from '../../model/ids.ts';
import type { Node, Service, Task, TaskStatus } from '../../model/objects.ts';
import { isMeantToRun, isTerminal, startedState, taskStateRank } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { leaveReason } from '../orchestrator/drain/leave-reason.ts';
import { leaveCause } from '../orchestrator/drain/must-leave.ts';
import { evictsAt, isInvalidNode, type NodeLookup } from '../orchestrator/node-validity.ts';
import { mayRestart, nodeOf, restartsAt } from '../orchestrator/restart.ts';
import { taskWait } from '../orchestrator/task-wait.ts';
import { isOutdated } from '../orchestrator/updater/handover.ts';
import {
  nominationInWords,
  predecessorInWords,
  preemptionInWords,
} from '../scheduler/preemption/preemption-in-words.ts';
import { leaveRemedy } from './leave-remedy.ts';
import { placementFinding } from './placement-finding.ts';
import { outdatedFinding } from './update-finding.ts';

/** What is looked at beside the task. */
export interface Sight {
  readonly state: ClusterState;
  /** Where nodes are looked up, each once. */
  readonly nodes: NodeLookup;
  /** Whether the node's agent has a session. Only the member that leads knows; others take it that it has. */
  readonly isConnected: (id: NodeId) => boolean;
}

/** Why the task is not where it should be; undefined: it is. */
export function taskFinding(sight: Sight, service: Service | undefined, task: Task): Finding | undefined {
  if (!isMeantToRun(task.desiredState) || !service) return goingFinding(sight, task);
  if (isTerminal(task.status.state)) return endedFinding(sight, task);
  switch (task.status.state) {
    case 'new':
      return newFinding(sight, service, task);
    case 'pending':
      return pendingFinding(sight, task);
    case 'running':
      return runningFinding(sight, service, task);
    default:
      return nodeFinding(sight, service, task) ?? startingFinding(sight, task);
  }
}

function newFinding({ state }: Sight, service: Service, task: Task): Finding {
  const lack = allocationFinding(service) ?? addressesFinding(task.status);
  if (lack) return lack;
  return (
    taskWait(state, task) ?? {
      code: 'allocating',
      message: 'the task was created',
      remedy: 'the allocator gives it what it needs next',
    }
  );
}

/** The service can't have the ports, or the addresses, that it asks for. */
export function allocationFinding(service: Service): Finding | undefined {
  const { allocationError: message, allocationErrorAbout: about } = service;
  if (message === undefined) return undefined;
  if (about === 'addresses') return addressesFinding({ about, error: message });
  return {
    code: 'ports-unavailable',
    message,
    remedy: 'a service that publishes ports there is removed, or another port is asked for',
  };
}

/** A network has no address for the task, or for its service. */
function addressesFinding({ about, error = '' }: Pick<TaskStatus, 'about' | 'error'>): Finding | undefined {
  if (about !== 'addresses') return undefined;
  return {
    code: 'addresses-unavailable',
    message: error,
    remedy: 'tasks or services leave the network; or a network with a larger subnet is used (subnets)',
  };
}

function pendingFinding({ state }: Sight, task: Task): Finding {
  const nominated = nominationInWords(task, state);
  if (nominated !== undefined) {
    const remedy = 'what leaves has ended, or is killed when its grace is over (task.stopGraceMs)';
    return { code: 'room-awaited', message: nominated, remedy };
  }
  if (task.explanation) return told(placementFinding(task.explanation), predecessorInWords(task, state));
  return (
    taskWait(state, task) ?? {
      code: 'scheduling',
      message: 'the task waits for the scheduler to look at it',
      remedy: 'the scheduler comes to it next',
    }
  );
}

/** The task runs. */
function runningFinding(sight: Sight, service: Service, task: Task): Finding | undefined {
  const { state, nodes } = sight;
  const onNode = nodeFinding(sight, service, task);
  if (onNode) return onNode;
  if (task.evicted || leaveCause(task, nodes) !== undefined) return leavingFinding(state, task);
  if (task.jobIteration === undefined && isOutdated(service, task, nodes))
    return outdatedFinding(service, nodeOf(task, nodes));
  if (task.desiredState !== startedState(task)) return startDue('the task runs already');
  return undefined;
}

/** The task, which is to run, is with an agent: what stands in the way is the node. */
function nodeFinding({ state, nodes }: Sight, service: Service, task: Task): Finding | undefined {
  const node = nodeOf(task, nodes);
  if (!node) return goneFinding();
  const { state: is, message } = node.status;
  if (is === 'down') return downFinding(state, service, node);
  if (is === 'ready' || (is === 'leaving' && task.status.state === 'running')) return undefined;
  if (is === 'leaving') {
    const told = `node ${nameOf(node)} leaves, so the task is not started there`;
    return {
      code: 'replacement-due',
      message: told,
      remedy: 'another task takes its place once it has left',
    };
  }
  return silentFinding(node, message);
}

function silentFinding(node: Node, message: string): Finding {
  return {
    code: 'node-silent',
    message: `node ${nameOf(node)} is ${node.status.state}: ${message}`,
    remedy: 'the node is heard from again, or it is given up in time and its tasks are replaced elsewhere',
  };
}

function goneFinding(): Finding {
  return {
    code: 'node-gone',
    message: 'its node is no longer in the cluster',
    remedy: 'the task is given up as orphaned next',
  };
}

function downFinding(state: ClusterState, service: Service, node: Node): Finding {
  const name = nameOf(node);
  if (!isInvalidNode(node)) {
    return {
      code: 'node-kept',
      message: `node ${name} is down: ${node.status.message}`,
      remedy: 'the node comes back, or its tasks are replaced little by little',
    };
  }
  const until = evictsAt(service, node, state.at);
  if (until === undefined) {
    return {
      code: 'node-down',
      message: `node ${name} is down: ${node.status.message}`,
      remedy: 'another task takes its place next, elsewhere',
    };
  }
  return {
    code: 'node-down',
    message: `node ${name} is down, and waited for until ${new Date(until).toISOString()}`,
    remedy: 'the node comes back, or a smaller evictAfterMs of the service',
    retryAt: until,
  };
}

/** The task is with an agent that can be heard, on its way to running. */
function startingFinding(sight: Sight, task: Task): Finding {
  const { state } = sight;
  const { status } = task;
  const wait = taskWait(state, task);
  const before = task.replaces === undefined ? undefined : state.task(task.replaces);
  // The one before it serves until this one is prepared: it is not what is waited for until then.
  const isBeside = wait?.code === 'predecessor-stopping' && before && isMeantToRun(before.desiredState);
  if (wait && !isBeside) return wait;
  if (task.nodeId !== undefined && !sight.isConnected(task.nodeId)) return notConnectedFinding(sight, task);
  const told = status.error === undefined ? status.message : `${status.message}: ${status.error}`;
  switch (status.state) {
    case 'assigned':
      return {
        code: 'accepting',
        message: 'the task was sent to its node',
        remedy: "the node's agent takes it next",
      };
    case 'accepted':
    case 'preparing':
      return { code: 'preparing', message: told, remedy: 'what it needs is there, such as its image' };
    case 'ready':
      if (isBeside)
        return {
          code: 'handover',
          message: 'the task is prepared, and the one before it serves still',
          remedy: `task ${before.id} is stopped next`,
        };
      return startDue(told);
    default:
      return task.spec.health === undefined || task.spec.health.test.kind === 'none'
        ? { code: 'starting', message: told, remedy: 'the node tells that it runs' }
        : { code: 'health-check', message: told, remedy: 'the task passes its health check' };
  }
}

function startDue(message: string): Finding {
  return { code: 'start-due', message, remedy: 'it is started next' };
}

/** The task has ended, and is to run. */
function endedFinding({ state }: Sight, task: Task): Finding | undefined {
  const { status } = task;
  if (status.state === 'complete' && task.desiredState === 'complete') return undefined;
  const wait = taskWait(state, task);
  if (wait) return wait;
  const message = `task ${status.state}: ${status.error ?? status.message}`;
  const at = restartsAt(task, state.at);
  if (at !== undefined) {
    const until = new Date(at).toISOString();
    return {
      code: 'restart-back-off',
      message: `restart waits until ${until} after: ${message}`,
      remedy: 'the task stays up: see its output for why it ended',
      retryAt: at,
    };
  }
  return mayRestart(task)
    ? { code: 'replacement-due', message, remedy: 'another task takes its place next' }
    : givenUpFinding(task);
}

/** Why no other task takes the place of one that ended. */
export function givenUpFinding({ status, spec: { restart } }: Task): Finding {
  const how = `task ${status.state}: ${status.error ?? status.message}`;
  const isByPolicy = restart.condition === 'none' || status.state === 'complete';
  if (isByPolicy) {
    return {
      code: 'restart-policy',
      message: `${how}; its restart policy is ${restart.condition}, so no other takes its place`,
      remedy: 'update the service, force an update of it, or ask for another task.restart.condition',
    };
  }
  const within = restart.windowMs === 0 ? '' : ` within ${restart.windowMs} ms`;
  return {
    code: 'restart-limit',
    message: `${how}; it was restarted ${restart.maxAttempts} times${within}, which is as often as its policy allows`,
    remedy: 'what made it fail is mended: update the service or force an update of it, which counts anew',
  };
}

/** The task is not to run any more. */
function goingFinding(sight: Sight, task: Task): Finding | undefined {
  const { state: is } = task.status;
  const isDone = isTerminal(is) || taskStateRank(is) < taskStateRank('assigned');
  if (isDone) {
    if (isTerminal(is) && task.desiredState !== 'remove') return undefined;
    const message = isTerminal(is) ? `task ${is}, and not kept` : 'given up before it had a node';
    return { code: 'forgetting', message, remedy: 'the task reaper forgets it next' };
  }
  const node = nodeOf(task, sight.nodes);
  if (!node) return goneFinding();
  if (node.status.state === 'down') {
    return {
      code: 'node-down',
      message: `node ${nameOf(node)} is down, so nobody hears how the task ended`,
      remedy: 'the node comes back, is removed, or is given up in time',
    };
  }
  if (node.status.state !== 'ready' && node.status.state !== 'leaving')
    return silentFinding(node, node.status.message);
  if (!sight.isConnected(node.id)) return notConnectedFinding(sight, task);
  return leavingFinding(sight.state, task);
}

function leavingFinding(state: ClusterState, task: Task): Finding | undefined {
  const reason = leaveReason(state, task);
  return reason && told({ ...reason, remedy: leaveRemedy(reason.code) }, preemptionInWords(task, state));
}

function told(finding: Finding, more: string | undefined): Finding {
  return more === undefined ? finding : { ...finding, message: `${finding.message}; ${more}` };
}

function notConnectedFinding({ nodes }: Sight, task: Task): Finding {
  const node = nodeOf(task, nodes);
  return {
    code: 'worker-not-connected',
    message: `node ${node ? nameOf(node) : task.nodeId} has no session with the leader`,
    remedy: 'its agent opens one again, or the node is given up in time and its tasks are replaced elsewhere',
  };
}

function nameOf({ id, description }: Node): string {
  return description.hostname === '' ? id : description.hostname;
}
