/**
 * Tells which tasks may not stay where they are: their service's constraints do not hold on the node any more, or the
 * node has come to offer less than its tasks reserve. Those that serve are evicted, so that their successors serve
 * before they are stopped; others are observed as rejected. The orchestrator replaces both: this loop never touches a
 * desired state. It looks at a node when that node's spec or description changed.
 */

import type { ClusterEvent } from '../../events/event.ts';
import { meetsConstraints } from '../../model/constraint-match.ts';
import type { NodeId, TaskId } from '../../model/ids.ts';
import type { Node, Task, TaskStatus } from '../../model/objects.ts';
import type { NodeResources } from '../../model/resources.ts';
import { isMeantToRun, isTerminal, taskStateRank } from '../../model/task-state.ts';
import type { ChangeSet } from '../../state/change.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import {
  type ControlLoop,
  type DecideContext,
  type Decision,
  ROWS_PER_TRANSACTION,
} from '../control-loop.ts';
import { serves } from './drain/must-leave.ts';

/** Name of the loop, and the actor of its transactions. */
export const CONSTRAINT_ENFORCER = 'orchestrator/constraint-enforcer';

/** Tasks that one turn looks at. */
const TASKS_PER_TURN = 20_000;

/** The control loop that enforces constraints on tasks that are placed already. */
export function createConstraintEnforcer(): ControlLoop {
  return new ConstraintEnforcer();
}

class ConstraintEnforcer implements ControlLoop {
  readonly name = CONSTRAINT_ENFORCER;
  readonly #nodes = new Set<NodeId>();

  begin(state: ClusterState): void {
    this.#nodes.clear();
    for (const node of state.nodes()) this.#nodes.add(node.id);
  }

  observe(changes: ChangeSet): void {
    for (const change of changes.changes) {
      if (change.kind !== 'node' || !change.after) continue;
      if (change.before === undefined || isOfInterest(change.before, change.after))
        this.#nodes.add(change.after.id);
    }
  }

  decide(state: ClusterState, context: DecideContext): Decision {
    const rows: { id: TaskId; status: TaskStatus }[] = [];
    const evicted: TaskId[] = [];
    const kept: TaskId[] = [];
    const status: TaskStatus = {
      state: 'rejected',
      at: context.at,
      message: 'task rejected by constraint enforcer',
      error: 'assigned node no longer meets constraints',
      cause: 'constraint',
    };
    let looked = 0;
    for (const id of this.#nodes) {
      if (looked >= TASKS_PER_TURN || rows.length + evicted.length >= ROWS_PER_TRANSACTION) break;
      this.#nodes.delete(id);
      const node = state.node(id);
      if (node === undefined || node.spec.availability !== 'active' || node.status.state === 'down') continue;
      const tasks = [...state.tasksOfNode(id)].filter(isPlaced);
      looked += tasks.length;
      const gone = new Set(misplaced(node, tasks, state));
      for (const task of tasks) {
        if (!gone.has(task)) {
          if (task.evicted?.cause === 'constraint') kept.push(task.id);
        } else if (!isMovedInOrder(task, state)) rows.push({ id: task.id, status });
        else if (task.evicted?.cause !== 'constraint') evicted.push(task.id);
      }
    }
    const events: ClusterEvent[] = [];
    if (rows.length > 0) events.push({ type: 'task.status', rows });
    if (evicted.length > 0) events.push({ type: 'task.evicted', cause: 'constraint', ids: evicted });
    if (kept.length > 0) events.push({ type: 'task.kept', ids: kept });
    return { events, more: this.#nodes.size > 0 };
  }
}

function isOfInterest(before: Node, after: Node): boolean {
  return (
    before.spec !== after.spec ||
    before.description !== after.description ||
    before.status.address !== after.status.address ||
    (before.status.state === 'down' && after.status.state !== 'down')
  );
}

/** It is meant to run, and the scheduler has placed it. */
function isPlaced(task: Task): boolean {
  const { state } = task.status;
  return (
    isMeantToRun(task.desiredState) && !isTerminal(state) && taskStateRank(state) >= taskStateRank('assigned')
  );
}

/** It serves, and is of a service that goes on: a job's task is begun anew. */
function isMovedInOrder(task: Task, state: Pick<ClusterState, 'service'>): boolean {
  const mode = state.service(task.serviceId)?.spec.mode;
  return serves(task) && (mode === 'replicated' || mode === 'global');
}

/**
 * The tasks that may not stay. Where reservations exceed the node, those created first are served first, so that it
 * is the newest ones that go.
 *
 * @param tasks Those placed on the node and meant to run, oldest first.
 */
function misplaced(node: Node, tasks: readonly Task[], state: Pick<ClusterState, 'service'>): Task[] {
  const rest = new Remainder(node.description.resources);
  return tasks.filter((task) => {
    const service = state.service(task.serviceId);
    if (service && !meetsConstraints(node, service.spec.task.placement.constraints)) return true;
    return !rest.take(task);
  });
}

/** Thousand millionths of a processor, so that sums of fractions compare exactly. */
const CPU_UNITS = 1e9;

/** What a node has left as its tasks are served one by one. */
class Remainder {
  #cpuUnits: number;
  #memoryBytes: number;
  readonly #counts = new Map<string, number>();
  readonly #named = new Map<string, Set<string>>();

  constructor(resources: NodeResources) {
    this.#cpuUnits = Math.round(resources.cpus * CPU_UNITS);
    this.#memoryBytes = resources.memoryBytes;
    for (const [kind, offered] of Object.entries(resources.generic)) {
      if (typeof offered === 'number') this.#counts.set(kind, offered);
      else this.#named.set(kind, new Set(offered));
    }
  }

  /** Takes what the task reserves, all of it or nothing. False: it does not fit. */
  take(task: Task): boolean {
    const { cpus = 0, memoryBytes = 0, generic = {} } = task.spec.resources.reservations;
    const cpuUnits = Math.round(cpus * CPU_UNITS);
    // What a task does not reserve, it is not measured by, even where the node offers none.
    if (cpuUnits > 0 && cpuUnits > this.#cpuUnits) return false;
    if (memoryBytes > 0 && memoryBytes > this.#memoryBytes) return false;
    const kinds = Object.entries(generic);
    if (!kinds.every(([kind, count]) => this.#has(kind, count, task.assignedGeneric?.[kind]))) return false;
    this.#cpuUnits -= cpuUnits;
    this.#memoryBytes -= memoryBytes;
    for (const [kind, count] of kinds) this.#takeGeneric(kind, count, task.assignedGeneric?.[kind]);
    return true;
  }

  #has(kind: string, count: number, given: readonly string[] | undefined): boolean {
    const named = this.#named.get(kind);
    if (named === undefined) return (this.#counts.get(kind) ?? 0) >= count;
    return given === undefined ? named.size >= count : given.every((name) => named.has(name));
  }

  #takeGeneric(kind: string, count: number, given: readonly string[] | undefined): void {
    const named = this.#named.get(kind);
    if (named === undefined) this.#counts.set(kind, (this.#counts.get(kind) ?? 0) - count);
    else for (const name of given ?? [...named].slice(0, count)) named.delete(name);
  }
}
