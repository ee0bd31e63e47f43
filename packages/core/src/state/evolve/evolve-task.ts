/** What task events do. The hot path: rows are built field by field, without a proxy between. */

import type { ClusterEvent, ServiceChoice } from '../../events/event.ts';
import type { ServiceId, TaskId } from '../../model/ids.ts';
import type {
  AllocatedPort,
  Task,
  TaskEviction,
  TaskLeaving,
  TaskNomination,
  TaskStatus,
} from '../../model/objects.ts';
import type { PlacementDecision, PlacementExplanation } from '../../model/placement.ts';
import { isDesiredAfter, startedState } from '../../model/task-state.ts';
import { mayBeEndpoint } from '../endpoints.ts';
import { InconsistentEventError, type StateDraft } from '../state-draft.ts';
import { settleVolumes } from './evolve-volumes.ts';
import type { Stamp } from './stamp.ts';
import { changedTask, type TaskRowChange } from './task-row.ts';

type TaskEvent = Extract<ClusterEvent, { readonly type: `task.${string}` }>;

export function evolveTask(draft: StateDraft, event: TaskEvent, stamp: Stamp): void {
  switch (event.type) {
    case 'task.created':
      created(draft, event, stamp);
      return;
    case 'task.allocated':
      allocated(draft, event, stamp);
      return;
    case 'task.unallocated': {
      const { error } = event;
      const message = 'waits for an address';
      const status: TaskStatus = { state: 'new', at: stamp.at, message, error, about: 'addresses' };
      for (const id of event.ids) change(draft, id, { status }, stamp);
      return;
    }
    case 'task.assigned':
      assigned(draft, event, stamp);
      return;
    case 'task.unplaced':
      unplaced(draft, event, stamp);
      return;
    case 'task.status':
      for (const { id, status } of event.rows) {
        settleVolumes(draft, change(draft, id, { status }, stamp), status, stamp);
      }
      return;
    case 'task.desired':
      desired(draft, event, stamp);
      return;
    case 'task.released':
      released(draft, event, stamp);
      return;
    case 'task.kept':
      for (const id of event.ids) change(draft, id, { evicted: null }, stamp);
      return;
    case 'task.evicted': {
      const evicted: TaskEviction = { cause: event.cause, since: stamp.at };
      for (const id of event.ids) change(draft, id, { evicted }, stamp);
      return;
    }
    case 'task.preempted':
      for (const { id, by } of event.rows) {
        change(draft, id, { evicted: { cause: 'preemption', since: stamp.at, by } }, stamp);
      }
      return;
    case 'task.nominated':
      for (const { id, nodeId, victims } of event.rows) {
        const nomination: TaskNomination = { nodeId, victims, index: stamp.index, since: stamp.at };
        change(draft, id, { nomination }, stamp);
      }
      return;
    case 'task.unnominated':
      for (const id of event.ids) change(draft, id, { nomination: null }, stamp);
      return;
    case 'task.dependencies-met':
      for (const id of event.ids) change(draft, id, { awaitsDependencies: false }, stamp);
      return;
    case 'task.removed':
      for (const id of event.ids) draft.deleteTask(id);
  }
}

function change(draft: StateDraft, id: TaskId, what: TaskRowChange, stamp: Stamp): Task {
  const row = draft.taskRow(id);
  const task = draft.taskAt(row);
  const after = changedTask(task, what, stamp);
  draft.replaceTask(row, task, after);
  return after;
}

function desired(draft: StateDraft, event: Extract<TaskEvent, { type: 'task.desired' }>, stamp: Stamp): void {
  const { state: desiredState } = event;
  const leaves = { desiredState, leaving: { index: stamp.index, since: stamp.at } };
  for (const id of event.ids) {
    const row = draft.taskRow(id);
    const task = draft.taskAt(row);
    if (!isDesiredAfter(desiredState, task.desiredState)) continue;
    const what = mayBeEndpoint(task) ? leaves : { desiredState };
    draft.replaceTask(row, task, changedTask(task, what, stamp));
  }
}

function released(
  draft: StateDraft,
  { ids, unconfirmed }: Extract<TaskEvent, { type: 'task.released' }>,
  stamp: Stamp,
): void {
  for (const id of ids) {
    const row = draft.taskRow(id);
    const task = draft.taskAt(row);
    if (!task.leaving) continue;
    const leaving: TaskLeaving = {
      ...task.leaving,
      releasedAt: stamp.at,
      ...(unconfirmed === undefined ? {} : { unconfirmed }),
    };
    draft.replaceTask(row, task, changedTask(task, { leaving }, stamp));
  }
}

function allocated(
  draft: StateDraft,
  event: Extract<TaskEvent, { type: 'task.allocated' }>,
  stamp: Stamp,
): void {
  const status: TaskStatus = { state: 'pending', at: stamp.at, message: 'pending task scheduling' };
  let serviceId: ServiceId | undefined;
  let ports: readonly AllocatedPort[] | undefined;
  for (const id of event.ids) {
    const row = draft.taskRow(id);
    const task = draft.taskAt(row);
    if (task.serviceId !== serviceId) {
      serviceId = task.serviceId;
      ports = draft.service(serviceId)?.endpoint?.ports;
    }
    const attachments = event.attachments?.[id];
    const what = { status, ports: ports ?? task.ports };
    const change = attachments === undefined ? what : { ...what, attachments };
    draft.replaceTask(row, task, changedTask(task, change, stamp));
  }
}

function unplaced(
  draft: StateDraft,
  { ids, explanation: finding }: Extract<TaskEvent, { type: 'task.unplaced' }>,
  stamp: Stamp,
): void {
  const explanation: PlacementExplanation = { ...finding, index: stamp.index, at: stamp.at };
  for (const id of ids) change(draft, id, { explanation }, stamp);
}

function assigned(
  draft: StateDraft,
  event: Extract<TaskEvent, { type: 'task.assigned' }>,
  stamp: Stamp,
): void {
  const status: TaskStatus = { state: 'assigned', at: stamp.at, message: 'scheduler assigned task to node' };
  const decisions = new Decisions(event.choices ?? [], stamp);
  for (const { nodeId, tasks, generic } of event.rows) {
    let what: TaskRowChange | undefined;
    for (const id of tasks) {
      const row = draft.taskRow(id);
      const task = draft.taskAt(row);
      const decision = decisions.of(task);
      if (what === undefined || decision !== what.decision) {
        what = { status, nodeId, explanation: null, decision };
      }
      const assignedGeneric = generic?.[id];
      const change = assignedGeneric === undefined ? what : { ...what, assignedGeneric };
      draft.replaceTask(row, task, changedTask(task, change, stamp));
    }
  }
}

/** What is told of an assignment's tasks: one object for all tasks of a service that were placed together. */
class Decisions {
  readonly #byService = new Map<
    ServiceId,
    { readonly specVersion: number; readonly decision: PlacementDecision }[]
  >();
  #last:
    | {
        readonly serviceId: ServiceId;
        readonly specVersion: number;
        readonly decision: PlacementDecision | undefined;
      }
    | undefined;

  constructor(choices: readonly ServiceChoice[], { index, at }: Stamp) {
    for (const { serviceId, specVersion, ...choice } of choices) {
      const ofService = this.#byService.get(serviceId) ?? [];
      ofService.push({ specVersion, decision: { ...choice, index, at } });
      this.#byService.set(serviceId, ofService);
    }
  }

  of({ serviceId, specVersion }: Task): PlacementDecision | undefined {
    const last = this.#last;
    if (last && last.serviceId === serviceId && last.specVersion === specVersion) return last.decision;
    const found = this.#byService.get(serviceId)?.find((each) => each.specVersion === specVersion);
    this.#last = { serviceId, specVersion, decision: found?.decision };
    return found?.decision;
  }
}

function created(draft: StateDraft, event: Extract<TaskEvent, { type: 'task.created' }>, stamp: Stamp): void {
  const service = draft.service(event.serviceId);
  if (!service) throw new InconsistentEventError(`service ${event.serviceId} does not exist`);
  const status: TaskStatus = { state: 'new', at: stamp.at, message: 'created' };
  const { previousSpec, previousSpecVersion } = service;
  const isPrevious = event.previous === true && previousSpec !== undefined;
  const spec = isPrevious ? previousSpec : service.spec;
  const specVersion = isPrevious ? (previousSpecVersion ?? 0) : service.specVersion;
  const ports = (isPrevious ? undefined : service.endpoint?.ports) ?? spec.ports;
  const awaitsDependencies = (service.spec.dependsOn?.length ?? 0) > 0;
  for (const row of event.rows) {
    draft.insertTask({
      id: row.id,
      version: stamp.index,
      createdAt: stamp.at,
      updatedAt: stamp.at,
      serviceId: event.serviceId,
      slot: row.slot,
      ...(row.nodeId === undefined ? {} : { nodeId: row.nodeId }),
      specVersion,
      spec: spec.task,
      ports,
      desiredState: awaitsDependencies || row.startAfter !== undefined ? 'ready' : startedState(row),
      status,
      statusAppliedAt: stamp.at,
      startAfter: row.startAfter ?? 0,
      ...(row.replaces === undefined ? {} : { replaces: row.replaces }),
      ...(row.restarts === undefined ? {} : { restarts: row.restarts }),
      ...(row.jobIteration === undefined ? {} : { jobIteration: row.jobIteration }),
      ...(spec.maxOne === undefined ? {} : { leaseMs: spec.maxOne.leaseMs }),
      ...(awaitsDependencies ? { awaitsDependencies } : {}),
    });
  }
}
