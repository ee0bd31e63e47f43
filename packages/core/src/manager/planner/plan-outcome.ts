/** Reads a plan off the states before and after a rehearsal. Costs what was touched, not what there is. */

import type { SpecIssue } from '../../errors.ts';
import { fieldDifferences } from '../../model/differences.ts';
import type { NodeId, ServiceId, TaskId } from '../../model/ids.ts';
import type { Node, Service, Task } from '../../model/objects.ts';
import type { PlacementFinding } from '../../model/placement.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { holdsPlace } from '../scheduler/holds-place.ts';
import { preemptorOf } from '../scheduler/preemption/preemption-in-words.ts';
import { needsOf, toCpus } from '../scheduler/requirements.ts';
import type {
  Named,
  NodeLoad,
  Plan,
  PlannedChange,
  PlannedLoad,
  PlannedPlacement,
  PlannedStop,
  PlannedWait,
} from './plan.ts';
import type { Rehearsed } from './rehearsal.ts';

/** Tasks or nodes looked at between two chances to let others in. */
const LOOKS_PER_STEP = 512;

/** What the plan is of, beside how it went. */
export interface PlanOccasion {
  readonly before: ClusterState;
  readonly at: number;
  readonly warnings: readonly SpecIssue[];
}

/** Makes the plan. @yields after each piece of work */
export function* planOutcome(
  { before, at, warnings }: PlanOccasion,
  { state: after, touched, settled }: Rehearsed,
): Generator<undefined, Plan, undefined> {
  const reader = new OutcomeReader(before, after);
  let looks = 0;
  for (const id of touched) {
    reader.look(before.task(id), after.task(id));
    if (++looks % LOOKS_PER_STEP === 0) yield;
  }
  const changes: PlannedChange[] = [];
  for (const service of after.services()) {
    const change = serviceChange(before.service(service.id), service);
    if (change) {
      changes.push(change);
      yield* reader.lookForWaiting(service.id);
    }
  }
  for (const node of after.nodes()) {
    const change = nodeChange(before.node(node.id), node);
    if (change) changes.push(change);
    if (++looks % LOOKS_PER_STEP === 0) yield;
  }
  const nodes = yield* reader.loads();
  const { placements, stopped } = reader;
  const unplaced = [...reader.waiting.values()].map(
    ({ slots, ...wait }): PlannedWait => ({ ...wait, slots }),
  );
  return {
    index: before.index,
    at,
    changes,
    placements,
    stopped,
    unplaced,
    nodes,
    warnings,
    complete: settled,
  };
}

interface Waiting {
  readonly service: string;
  readonly slots: number[];
  readonly message: string;
  readonly finding?: PlacementFinding;
}

class OutcomeReader {
  readonly placements: PlannedPlacement[] = [];
  readonly stopped: PlannedStop[] = [];
  /** By service and message. */
  readonly waiting = new Map<string, Waiting>();
  readonly #before: ClusterState;
  readonly #after: ClusterState;
  readonly #loaded = new Set<NodeId>();
  readonly #noted = new Set<string>();

  constructor(before: ClusterState, after: ClusterState) {
    this.#before = before;
    this.#after = after;
  }

  look(was: Task | undefined, is: Task | undefined): void {
    if (was && lives(was) && !(is && lives(is))) this.#noteStop(was);
    if (!is || !lives(is)) return;
    if (is.nodeId === undefined || !holdsPlace(is)) this.#noteWaiting(is);
    else if (!was || !holdsPlace(was)) this.#notePlacement(was, is, is.nodeId);
  }

  /** Tasks of the service that waited before and wait still, untouched. */
  *lookForWaiting(id: ServiceId): Generator<undefined, undefined, undefined> {
    let looks = 0;
    for (const task of this.#after.tasksOfService(id)) {
      if (lives(task) && !holdsPlace(task)) this.#noteWaiting(task);
      if (++looks % LOOKS_PER_STEP === 0) yield;
    }
  }

  *loads(): Generator<undefined, PlannedLoad[], undefined> {
    const found: PlannedLoad[] = [];
    let looks = 0;
    for (const id of this.#loaded) {
      const before = loadOf(this.#before, id);
      const after = loadOf(this.#after, id);
      looks += 1 + before.tasks + after.tasks;
      const same = before.tasks === after.tasks && before.cpus === after.cpus;
      if (!same || before.memoryBytes !== after.memoryBytes)
        found.push({ node: this.#node(id), before, after });
      if (looks > LOOKS_PER_STEP) {
        looks = 0;
        yield;
      }
    }
    return found;
  }

  #noteStop(task: Task): void {
    const { id, nodeId, serviceId, slot } = task;
    if (nodeId !== undefined) this.#loaded.add(nodeId);
    const by = this.#preemptor(id);
    const successors = this.#after.slot(serviceId, this.#before.slotKey(task));
    this.stopped.push({
      task: id,
      service: this.#service(serviceId),
      slot,
      replaced: successors.some((other) => other.id !== id && lives(other)),
      ...(by === undefined ? {} : { preemptedBy: by }),
      ...(nodeId === undefined ? {} : { node: this.#node(nodeId) }),
    });
  }

  #preemptor(id: TaskId): PlannedStop['preemptedBy'] {
    const task = this.#after.task(id);
    const by = task && preemptorOf(task);
    if (by === undefined) return undefined;
    const { task: preemptor, service, priority, over } = by;
    const { slot } = this.#after.task(preemptor) ?? this.#before.task(preemptor) ?? { slot: 0 };
    return { service: this.#service(service), slot, priority, over };
  }

  #notePlacement(was: Task | undefined, is: Task, nodeId: NodeId): void {
    this.#loaded.add(nodeId);
    const replaced = this.#replacedBy(is);
    this.placements.push({
      service: this.#service(is.serviceId),
      slot: is.slot,
      node: this.#node(nodeId),
      ...(was ? { task: was.id } : {}),
      ...(replaced === undefined ? {} : { replaces: this.#told(replaced) }),
    });
  }

  #noteWaiting(task: Task): void {
    if (this.#noted.has(task.id)) return;
    this.#noted.add(task.id);
    const service = this.#service(task.serviceId);
    const message = this.#reason(task);
    const key = `${service}\n${message}`;
    const known = this.waiting.get(key);
    if (known) {
      known.slots.push(task.slot);
      return;
    }
    const { index: _index, at: _at, ...finding } = task.explanation ?? {};
    this.waiting.set(key, {
      service,
      slots: [task.slot],
      message,
      ...(task.explanation === undefined ? {} : { finding: finding as PlacementFinding }),
    });
  }

  #reason(task: Task): string {
    if (task.explanation) return task.explanation.message;
    return this.#after.service(task.serviceId)?.allocationError ?? 'waits for its turn';
  }

  /** The task of the state before in whose place this one comes: one that a plan made in between is no news. */
  #replacedBy(task: Task): Task | undefined {
    for (let id = task.replaces; id !== undefined; id = this.#after.task(id)?.replaces) {
      const known = this.#before.task(id);
      if (known) return known;
    }
    return undefined;
  }

  #told({ id, nodeId }: Task): NonNullable<PlannedPlacement['replaces']> {
    return { task: id, ...(nodeId === undefined ? {} : { node: this.#node(nodeId) }) };
  }

  #node(id: NodeId): Named<NodeId> {
    const node = this.#after.node(id) ?? this.#before.node(id);
    return { id, name: node?.description.hostname ?? id };
  }

  #service(id: ServiceId): string {
    return (this.#after.service(id) ?? this.#before.service(id))?.spec.name ?? id;
  }
}

/** It is meant to run, and has not ended. */
function lives(task: Task): boolean {
  return isMeantToRun(task.desiredState) && !isTerminal(task.status.state);
}

function loadOf(state: ClusterState, id: NodeId): NodeLoad {
  let tasks = 0;
  let nanoCpus = 0;
  let memoryBytes = 0;
  for (const task of state.tasksOfNode(id)) {
    if (!holdsPlace(task) || !lives(task)) continue;
    const needs = needsOf(task.spec);
    tasks += 1;
    nanoCpus += needs.nanoCpus;
    memoryBytes += needs.memoryBytes;
  }
  return { tasks, cpus: toCpus(nanoCpus), memoryBytes };
}

function serviceChange(before: Service | undefined, after: Service): PlannedChange | undefined {
  const { id, spec } = after;
  if (!before) return { kind: 'service', name: spec.name, action: 'created', fields: [] };
  if (before === after) return undefined;
  const fields = fieldDifferences({ ...before.spec, ...given(before) }, { ...spec, ...given(after) });
  return fields.length === 0
    ? undefined
    : { kind: 'service', id, name: spec.name, action: 'updated', fields };
}

/** What the allocator gave, beside the spec that asked for it. */
function given({ endpoint, allocationError }: Service): object {
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(allocationError === undefined ? {} : { allocationError }),
  };
}

function nodeChange(before: Node | undefined, after: Node): PlannedChange | undefined {
  if (!before || before === after) return undefined;
  const told = ({ spec, status }: Node) => ({ ...spec, status: { state: status.state } });
  const fields = fieldDifferences(told(before), told(after));
  const name = after.description.hostname;
  return fields.length === 0 ? undefined : { kind: 'node', id: after.id, name, action: 'updated', fields };
}
