/** `cluster.explain`: why a task is where it is, or nowhere, and what would help. */

import { findTask } from '../manager/api/find.ts';
import { type TaskWait, taskWait } from '../manager/orchestrator/task-wait.ts';
import { holdsPlace, isNominee } from '../manager/scheduler/holds-place.ts';
import {
  nominationInWords,
  predecessorInWords,
  preemptionInWords,
  preemptorOf,
  serviceName,
} from '../manager/scheduler/preemption/preemption-in-words.ts';
import { findRemedies, type Prospects } from '../manager/scheduler/remedies.ts';
import type { Remedy } from '../manager/scheduler/remedy.ts';
import type { NodeId, TaskId } from '../model/ids.ts';
import { isHeldByLease } from '../model/lease.ts';
import type { Preemptor, Task } from '../model/objects.ts';
import type { PlacementCandidate, Rejection } from '../model/placement.ts';
import { isMeantToRun, isTerminal } from '../model/task-state.ts';
import { type WaitOptions, withDeadline } from '../runtime/abort.ts';
import { checkOptions } from '../runtime/check-options.ts';
import { inSlices } from '../runtime/slices.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import type { Control } from './control.ts';

/** Why a task is where it is, or nowhere. */
export interface TaskExplanation {
  readonly task: TaskId;
  /** Name of its service. */
  readonly service: string;
  readonly slot: number;
  /** The node that it has, or that it was made for. */
  readonly node?: { readonly id: NodeId; readonly name: string };
  /** In words. */
  readonly message: string;
  /** The scheduler's decision. Absent: it has not looked at the task, or an older version did not tell. */
  readonly decision?: ExplainedDecision;
  /** For a task that was, or is to be, stopped for one of a higher priority: for which. */
  readonly preemptedBy?: Omit<Preemptor, 'service'> & {
    /** Name of its service. */
    readonly service: string;
  };
  /** For a task for which others are stopped: where, and which. Also once it has that node. */
  readonly preempts?: {
    readonly node: { readonly id: NodeId; readonly name: string };
    /** None: it waits for room that comes free by itself. */
    readonly victims: readonly TaskId[];
    /** Index of the transaction that decided it. */
    readonly index: number;
    /** Milliseconds since 1970, the leader's clock. */
    readonly at: number;
  };
  /** For a task that has yet to be started, for another reason than a node: why, and when it is tried next. */
  readonly wait?: TaskWait;
  /** For a task that waits for a node: what would make it fit, as things are now; best first. */
  readonly remedies: readonly Remedy[];
}

/** What the scheduler decided about a task, and by what. */
export interface ExplainedDecision {
  /** Index of the transaction. */
  readonly index: number;
  /** Milliseconds since 1970, the leader's clock. */
  readonly at: number;
  /** Nodes that were looked at: all, or as many as it took to be sure. */
  readonly nodes: number;
  /** Nodes that each filter turned away, and by what. */
  readonly rejected: readonly Rejection[];
  /** The best nodes and all that they were compared by, best first; for the first of the tasks placed together. */
  readonly candidates: readonly (PlacementCandidate & { readonly name: string })[];
  /** Tasks of the service that were placed together; 0: none found a node. */
  readonly placed: number;
}

/** Explains a task of a state. @throws NotFoundError, InvalidSpecError, AbortedError, TimeoutError, ClosedError */
export async function explainOn(
  state: ClusterState,
  control: Pick<Control, 'clock' | 'lifetime'>,
  id: string,
  options: WaitOptions,
): Promise<TaskExplanation> {
  checkOptions<WaitOptions>(options, { signal: true, timeout: true });
  if (control.lifetime.ended) throw control.lifetime.ended;
  const task = findTask(state, id);
  const run = (signal: AbortSignal) => inSlices(control.clock, explain(task, state), signal);
  return withDeadline(control.clock, options, `the explanation of task ${id}`, run, {
    lifetime: control.lifetime,
  });
}

const NO_PROSPECTS: Prospects = { fits: false, remedies: [] };

function* explain(task: Task, state: ClusterState): Generator<undefined, TaskExplanation, undefined> {
  const service = state.service(task.serviceId);
  const isWaiting = isMeantToRun(task.desiredState) && task.status.state === 'pending' && !isNominee(task);
  // Whatever node it would fit on, it gets none before the other one of its slot has ended.
  const waits = isWaiting && !(task.explanation && isHeldByLease(task.explanation));
  const { fits, remedies } = waits ? yield* findRemedies(task, state) : NO_PROSPECTS;
  const nameOf = (nodeId: NodeId) => state.node(nodeId)?.description.hostname ?? nodeId;
  const decision = decisionOf(task, nameOf);
  const wait = taskWait(state, task);
  const by = preemptorOf(task);
  const { nomination } = task;
  return {
    task: task.id,
    service: service?.spec.name ?? task.serviceId,
    slot: task.slot,
    ...(task.nodeId === undefined ? {} : { node: { id: task.nodeId, name: nameOf(task.nodeId) } }),
    message: inWords(task, service?.allocationError, fits, state),
    ...(by === undefined ? {} : { preemptedBy: { ...by, service: serviceName(by.service, state) } }),
    ...(nomination === undefined
      ? {}
      : {
          preempts: {
            node: { id: nomination.nodeId, name: nameOf(nomination.nodeId) },
            victims: nomination.victims,
            index: nomination.index,
            at: nomination.since,
          },
        }),
    ...(decision === undefined ? {} : { decision }),
    ...(wait === undefined ? {} : { wait }),
    remedies,
  };
}

function decisionOf(
  { explanation, decision }: Task,
  nameOf: (id: NodeId) => string,
): ExplainedDecision | undefined {
  if (decision) {
    const candidates = decision.candidates.map((each) => ({ ...each, name: nameOf(each.nodeId) }));
    return { ...decision, candidates };
  }
  if (!explanation) return undefined;
  const { message: _message, ...rest } = explanation;
  return { ...rest, candidates: [], placed: 0 };
}

function inWords(
  task: Task,
  allocationError: string | undefined,
  fitsNow: boolean,
  state: ClusterState,
): string {
  const { nodeId, decision, explanation, status, slot } = task;
  if (nodeId !== undefined && (holdsPlace(task) || isTerminal(status.state))) {
    const makesRoom = preemptionInWords(task, state);
    const leaves = makesRoom === undefined ? '' : `; ${makesRoom}`;
    const node = state.node(nodeId)?.description.hostname ?? nodeId;
    if (slot === 0) return `made for ${node}${leaves}`;
    if (!decision) return `placed on ${node}${leaves}`;
    const together = decision.placed === 1 ? '' : `, with ${decision.placed - 1} more of its service`;
    const looked = `${decision.nodes} nodes looked at`;
    return `placed on ${node} at index ${decision.index}${together}; ${looked}${leaves}`;
  }
  if (isTerminal(status.state) || !isMeantToRun(task.desiredState))
    return 'not wanted any more before it had a node';
  if (status.state === 'new') return allocationError ?? 'waits for its ports';
  const nominated = nominationInWords(task, state);
  if (nominated !== undefined) return nominated;
  if (fitsNow) return 'fits now, and waits for its turn';
  const before = predecessorInWords(task, state);
  const why = explanation?.message ?? 'waits for its turn';
  return before === undefined ? why : `${why}; ${before}`;
}
