/**
 * Collects what the scheduler decides in one go into the events of one transaction, and knows how much more goes
 * in. Assignments are one event, grouped by node; explanations one event per wording.
 */

import type {
  AssignedTasks,
  ClusterEvent,
  NominatedTask,
  PreemptedTask,
  ServiceChoice,
} from '../../events/event.ts';
import type { NodeId, TaskId } from '../../model/ids.ts';
import type { TaskStatus } from '../../model/objects.ts';
import type { PlacementFinding } from '../../model/placement.ts';
import type { AssignedGeneric } from '../../model/resources.ts';
import { ROWS_PER_TRANSACTION } from '../control-loop.ts';

/** Most tasks in one go: applying and telling a decision takes some times as long as making it, in one piece. */
const ROWS_MAX = Math.min(1_000, ROWS_PER_TRANSACTION);
/** Most bytes of events that are planned for, as estimated here; a transaction may have 512 KiB. */
const BYTES_MAX = 400 * 1024;
/** An id and what it is wrapped in. */
const ID_BYTES = 28;
/** A node's row without its tasks. */
const NODE_ROW_BYTES = 44;
const STATUS_ROW_BYTES = 128;
/** A choice with its candidates, what turned nodes away apart. */
const CHOICE_BYTES = 280;

/** Where each node's row of assignments is, by slot. Kept between drafts, so that a draft needs no map. */
export class RowNumbers {
  #numbers = new Int32Array(0);

  /** The row's number, or -1. */
  get(slot: number): number {
    return slot < this.#numbers.length ? (this.#numbers[slot] as number) - 1 : -1;
  }

  set(slot: number, row: number): void {
    if (slot >= this.#numbers.length) {
      const numbers = new Int32Array(Math.max(64, 2 * slot));
      numbers.set(this.#numbers);
      this.#numbers = numbers;
    }
    this.#numbers[slot] = row + 1;
  }

  clear(slots: readonly number[]): void {
    for (const slot of slots) this.#numbers[slot] = 0;
  }
}

interface Row {
  readonly nodeId: NodeId;
  readonly tasks: TaskId[];
  generic?: Record<string, AssignedGeneric>;
}

/** One transaction in the making. */
export class DecisionDraft {
  readonly #rowNumbers: RowNumbers;
  readonly #rows: Row[] = [];
  readonly #slots: number[] = [];
  readonly #ended: TaskId[] = [];
  readonly #unnominated: TaskId[] = [];
  readonly #nominated: NominatedTask[] = [];
  readonly #preempted: PreemptedTask[] = [];
  readonly #explained = new Map<PlacementFinding, TaskId[]>();
  readonly #choices = new Map<string, ServiceChoice>();
  #count = 0;
  #bytes = 0;

  constructor(rowNumbers: RowNumbers) {
    this.#rowNumbers = rowNumbers;
  }

  /** How many more tasks surely go in. */
  get room(): number {
    const bytes = Math.floor((BYTES_MAX - this.#bytes) / (ID_BYTES + NODE_ROW_BYTES));
    return Math.max(0, Math.min(ROWS_MAX - this.#count, bytes));
  }

  /** A task gets a node. */
  assign(slot: number, nodeId: NodeId, id: TaskId, generic: AssignedGeneric | undefined): void {
    let number = this.#rowNumbers.get(slot);
    if (number === -1) {
      number = this.#rows.length;
      // Most nodes get one task at a time, and an array that begins empty makes room for many.
      this.#rows.push({ nodeId, tasks: [id] });
      this.#slots.push(slot);
      this.#rowNumbers.set(slot, number);
      this.#bytes += NODE_ROW_BYTES;
    } else this.#rows[number]?.tasks.push(id);
    const row = this.#rows[number] as Row;
    this.#count += 1;
    this.#bytes += ID_BYTES;
    if (generic !== undefined) {
      row.generic ??= {};
      row.generic[id] = generic;
      for (const [resource, names] of Object.entries(generic)) {
        this.#bytes += ID_BYTES + resource.length;
        for (const name of names) this.#bytes += name.length + 2;
      }
    }
  }

  /** Why tasks of a service got the nodes that they were given. Told once for each spec version. */
  choose(choice: ServiceChoice): void {
    const key = `${choice.serviceId}/${choice.specVersion}`;
    if (this.#choices.has(key)) return;
    this.#choices.set(key, choice);
    this.#bytes += CHOICE_BYTES;
    for (const { by = [] } of choice.rejected) for (const { what } of by) this.#bytes += 40 + what.length;
  }

  /** A task has no node, and why. The same wording is given as the same object. */
  explain(id: TaskId, explanation: PlacementFinding): void {
    const ids = this.#explained.get(explanation);
    if (ids) ids.push(id);
    else {
      this.#explained.set(explanation, [id]);
      this.#bytes += 2 * explanation.message.length;
    }
    this.#count += 1;
    this.#bytes += ID_BYTES;
  }

  /** Room is kept for a task on a node, and these are to leave for it. */
  nominate(id: TaskId, nodeId: NodeId, victims: readonly PreemptedTask[]): void {
    this.#nominated.push({ id, nodeId, victims: victims.map((victim) => victim.id) });
    this.#preempted.push(...victims);
    this.#count += 1 + victims.length;
    this.#bytes += ID_BYTES + NODE_ROW_BYTES + victims.length * (ID_BYTES + STATUS_ROW_BYTES);
  }

  /** No room is kept for a task any more. */
  unnominate(id: TaskId): void {
    this.#unnominated.push(id);
    this.#count += 1;
    this.#bytes += ID_BYTES;
  }

  /** A task that has no node is not wanted any more. */
  end(id: TaskId): void {
    this.#ended.push(id);
    this.#count += 1;
    this.#bytes += STATUS_ROW_BYTES;
  }

  /** The events, and the end of the draft. `at` is the leader's time. */
  events(at: number): ClusterEvent[] {
    const events: ClusterEvent[] = [];
    if (this.#ended.length > 0) {
      const status: TaskStatus = {
        state: 'shutdown',
        at,
        message: 'not wanted any more before it had a node',
      };
      events.push({ type: 'task.status', rows: this.#ended.map((id) => ({ id, status })) });
    }
    if (this.#unnominated.length > 0) events.push({ type: 'task.unnominated', ids: this.#unnominated });
    if (this.#preempted.length > 0) events.push({ type: 'task.preempted', rows: this.#preempted });
    if (this.#nominated.length > 0) events.push({ type: 'task.nominated', rows: this.#nominated });
    if (this.#rows.length > 0) {
      const rows: readonly AssignedTasks[] = this.#rows;
      events.push({ type: 'task.assigned', rows, choices: [...this.#choices.values()] });
    }
    for (const [explanation, ids] of this.#explained)
      events.push({ type: 'task.unplaced', ids, explanation });
    this.#rowNumbers.clear(this.#slots);
    return events;
  }
}
