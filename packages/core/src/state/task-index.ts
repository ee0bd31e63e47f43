/**
 * Where tasks are found: in a slot of their service, and on their node. It is kept in step with the table of tasks by
 * the draft that writes both.
 */

import type { NodeId } from '../model/ids.ts';
import type { Task } from '../model/objects.ts';
import type { SlotRows } from './cluster-state.ts';
import { forgetServiceWithoutTasks } from './departed-services.ts';
import { type DraftRoots, InconsistentEventError } from './draft-roots.ts';
import { PersistentVector } from './persistent/persistent-vector.ts';
import { RowSet } from './persistent/row-set.ts';

/** Adds a new task's row to both. */
export function indexTask(draft: DraftRoots, task: Task, row: number): void {
  changeSlot(draft, task, (rows) => [...rows, row]);
  if (task.nodeId !== undefined) indexOnNode(draft, task.nodeId, row);
}

/** Adds a task's row to those on a node. */
export function indexOnNode({ roots, owner, nodeRows }: DraftRoots, nodeId: NodeId, row: number): void {
  const nodeRow = nodeRows.find(roots.nodes, nodeId);
  if (nodeRow === undefined) throw new InconsistentEventError(`node ${nodeId} does not exist`);
  const rows = roots.tasksByNode.get(nodeRow) ?? RowSet.empty();
  roots.tasksByNode = roots.tasksByNode.set(nodeRow, rows.add(row, owner), owner);
}

/** Takes a removed task's row out of both. */
export function unindexTask(draft: DraftRoots, task: Task, row: number): void {
  const { roots, owner } = draft;
  changeSlot(draft, task, (rows) => rows.filter((each) => each !== row));
  const nodeRow = task.nodeId === undefined ? undefined : roots.nodes.ids.get(task.nodeId);
  const onNode = nodeRow === undefined ? undefined : roots.tasksByNode.get(nodeRow);
  if (nodeRow === undefined || !onNode) return;
  const rest = onNode.delete(row, owner);
  roots.tasksByNode =
    rest.size === 0 ? roots.tasksByNode.delete(nodeRow, owner) : roots.tasksByNode.set(nodeRow, rest, owner);
}

function changeSlot(draft: DraftRoots, task: Task, change: (rows: SlotRows) => SlotRows): void {
  const { roots, owner } = draft;
  const serviceRow = roots.services.ids.get(task.serviceId);
  if (serviceRow === undefined) throw new InconsistentEventError(`task ${task.id} is of no service`);
  const key = slotKey(draft, task);
  const slots = roots.slots.get(serviceRow) ?? PersistentVector.empty<SlotRows>();
  const rows = change(slots.get(key) ?? []);
  const next = rows.length === 0 ? slots.delete(key, owner) : slots.set(key, rows, owner);
  if (next.size > 0) {
    roots.slots = roots.slots.set(serviceRow, next, owner);
    return;
  }
  roots.slots = roots.slots.delete(serviceRow, owner);
  if (roots.services.rows.get(serviceRow) === undefined) {
    forgetServiceWithoutTasks(draft, task.serviceId, serviceRow);
  }
}

function slotKey({ roots }: DraftRoots, task: Task): number {
  if (task.slot !== 0 || task.nodeId === undefined) return task.slot;
  const row = roots.nodes.ids.get(task.nodeId);
  if (row === undefined) throw new InconsistentEventError(`node ${task.nodeId} of task ${task.id} is gone`);
  return row;
}
