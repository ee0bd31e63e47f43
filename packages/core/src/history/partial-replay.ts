/**
 * The story of a few objects out of the story of all: of each transaction only the events of these objects are
 * applied, to a state that is true for them and out of date for the rest. What they changed is what was changed then,
 * since no event of an object reads another, but for a task, whose service is followed with it, and the existence of
 * nodes.
 */

import type { AssignedTasks, ClusterEvent, Transaction } from '../events/event.ts';
import { asId, type NodeId, type ServiceId, type TaskId } from '../model/ids.ts';
import { unknownDescription } from '../model/objects.ts';
import { nodeSpecSchema } from '../model/other-specs.ts';
import type { Change } from '../state/change.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { evolve } from '../state/evolve/evolve.ts';
import { type HistoryChange, objectDifferences } from './history-event.ts';

/** Which objects are followed. */
export interface Followed {
  /** Ids of the objects that are told of. */
  readonly ids: ReadonlySet<string>;
  /** Services whose tasks, all of them, are told of as well. */
  readonly tasksOf: ReadonlySet<string>;
  /** Services that are followed for the sake of their tasks, and not told of. */
  readonly services: ReadonlySet<string>;
}

/** Follows some objects, or all, through transactions that come in order. */
export class PartialReplay {
  readonly #followed: Followed | undefined;
  #state: ClusterState;
  #isBegun = false;

  /**
   * @param state - the state before the first transaction.
   * @param followed - default: every object.
   */
  constructor(state: ClusterState, followed?: Followed) {
    this.#state = state;
    this.#followed = followed;
  }

  /** What a transaction changed of the objects, event by event. */
  *apply(transaction: Transaction): Generator<HistoryChange, undefined, undefined> {
    const { index, at, actor, cause, commandId } = transaction;
    // The state is still true for all, and one event may make way for another: a name that is freed and taken again.
    const isFirst = !this.#isBegun;
    this.#isBegun = true;
    for (const whole of transaction.events) {
      const event = this.#followed && !isFirst ? this.#part(whole, this.#followed) : whole;
      if (event === undefined) continue;
      const from = this.#followed ? withNodesOf(this.#state, event, { index, at, actor }) : this.#state;
      const { state, changes } = evolve(from, { index, at, actor, events: [event] });
      this.#state = state;
      for (const change of changes.changes) {
        if (!this.#isTold(change)) continue;
        yield {
          type: event.type,
          ...told(change),
          index,
          at,
          actor,
          ...(cause === undefined ? {} : { cause }),
          ...(commandId === undefined ? {} : { commandId }),
        } as HistoryChange;
      }
    }
  }

  #isTold({ kind, before, after }: Change): boolean {
    const object = after ?? before;
    if (!this.#followed) return true;
    if (object === undefined) return false;
    if (this.#followed.ids.has(object.id)) return true;
    return kind === 'task' && 'serviceId' in object && this.#followed.tasksOf.has(object.serviceId);
  }

  /** The part of an event that is of followed objects. */
  #part(event: ClusterEvent, { ids, tasksOf, services }: Followed): ClusterEvent | undefined {
    const isTask = (id: TaskId) => ids.has(id) || tasksOf.has(this.#state.task(id)?.serviceId ?? '');
    switch (event.type) {
      case 'task.created': {
        if (tasksOf.has(event.serviceId)) return event;
        return withSome(
          event,
          'rows',
          event.rows.filter(({ id }) => ids.has(id)),
        );
      }
      case 'task.status':
        return withSome(
          event,
          'rows',
          event.rows.filter(({ id }) => isTask(id)),
        );
      case 'task.preempted':
        return withSome(
          event,
          'rows',
          event.rows.filter(({ id }) => isTask(id)),
        );
      case 'task.nominated':
        return withSome(
          event,
          'rows',
          event.rows.filter(({ id }) => isTask(id)),
        );
      case 'task.assigned': {
        const rows: AssignedTasks[] = [];
        for (const row of event.rows) {
          const tasks = row.tasks.filter(isTask);
          if (tasks.length > 0) rows.push({ ...row, tasks });
        }
        return withSome(event, 'rows', rows);
      }
      case 'task.allocated':
      case 'task.unallocated':
      case 'task.unplaced':
      case 'task.unnominated':
      case 'task.desired':
      case 'task.dependencies-met':
      case 'task.released':
      case 'task.evicted':
      case 'task.kept':
      case 'task.removed':
        return withSome(event, 'ids', event.ids.filter(isTask));
      case 'node.attached':
        return withSome(
          event,
          'rows',
          event.rows.filter(({ nodeId }) => ids.has(nodeId)),
        );
      case 'node.status':
        return withSome(
          event,
          'ids',
          event.ids.filter((id) => ids.has(id)),
        );
      case 'cluster.created':
        return ids.has(event.id) ? event : undefined;
      case 'cluster.updated':
      case 'cluster.rebalancing':
      case 'cluster.rebalanced':
        return ids.has(this.#state.cluster?.id ?? '') ? event : undefined;
      case 'vault.stored':
      case 'vault.removed':
      case 'volume.forgotten':
        return undefined;
      default:
        return ids.has(event.id) || services.has(event.id) ? event : undefined;
    }
  }
}

/** The event with these rows alone; nothing when there are none. */
function withSome<E extends ClusterEvent, F extends string, Row>(
  event: E & Readonly<Record<F, readonly Row[]>>,
  field: F,
  rows: readonly Row[],
): E | undefined {
  return rows.length === 0 ? undefined : { ...event, [field]: rows };
}

/** Nodes that tasks are given to, and that joined behind the state, as far as the state must know of them. */
function withNodesOf(
  state: ClusterState,
  event: ClusterEvent,
  stamp: Pick<Transaction, 'index' | 'at' | 'actor'>,
): ClusterState {
  const events = nodesOf(event)
    .filter((id) => state.node(id) === undefined)
    .map((id): ClusterEvent => ({ type: 'node.joined', id, ...STRANGER }));
  return events.length === 0 ? state : evolve(state, { ...stamp, events }).state;
}

function nodesOf(event: ClusterEvent): NodeId[] {
  if (event.type === 'task.assigned') return event.rows.map(({ nodeId }) => nodeId);
  if (event.type !== 'task.created') return [];
  return [...new Set(event.rows.flatMap(({ nodeId }) => (nodeId === undefined ? [] : [nodeId])))];
}

const STRANGER = { address: '', spec: nodeSpecSchema.parse({}), description: unknownDescription('', '') };

function told({ kind, before, after }: Change) {
  if (after === undefined) return { kind, action: 'removed', object: before, before, differences: [] };
  if (before === undefined) return { kind, action: 'created', object: after, differences: [] };
  return { kind, action: 'updated', object: after, before, differences: objectDifferences(before, after) };
}

/** The service of a task that an event creates. */
export function serviceOfCreated(event: ClusterEvent, task: string): ServiceId | undefined {
  if (event.type !== 'task.created') return undefined;
  return event.rows.some(({ id }) => id === asId<TaskId>(task)) ? event.serviceId : undefined;
}
