/** The output of all tasks of a service as one stream. */

import type { LogChunk, LogOptions } from '../driver/runtime-driver.ts';
import { ClosedError, DriverError, NotFoundError, PreconditionError } from '../errors.ts';
import type { NodeId, ServiceId, TaskId } from '../model/ids.ts';
import type { Task } from '../model/objects.ts';
import { isAfter, isTerminal } from '../model/task-state.ts';
import type { WaitOptions } from '../runtime/abort.ts';
import { concernsService } from '../state/change.ts';
import type { Control } from './control.ts';
import { followedOutput, isOutOfReach } from './followed-output.ts';

/** A piece of the output of one of a service's tasks. */
export interface ServiceLogChunk extends LogChunk {
  readonly taskId: TaskId;
  readonly slot: number;
  readonly nodeId: NodeId;
}

/** The output of one task. */
export type ReadTask = (id: TaskId, options: LogOptions & WaitOptions) => AsyncIterable<LogChunk>;

type Options = LogOptions & WaitOptions;
type Turn = { readonly task: Placed; readonly next: IteratorResult<LogChunk, undefined> };
type Placed = Task & { readonly nodeId: NodeId };
/** What was waited for: its outcome, or its error as it is asked for. */
type Arrived = () => Turn | { readonly tasks: readonly Placed[] };

/**
 * Reads all tasks that have come so far on a node that they may print. What was printed so far comes in the order of its time; followed, what comes after
 * is given as it comes, and tasks that are made later are followed, too; the output of a task goes on where it was when
 * the way to its node, or to the leader, was lost for a while.
 *
 * @throws PreconditionError at the end, naming tasks whose output could not be had, and why.
 */
export async function* serviceLogs(
  control: Control,
  id: ServiceId,
  readTask: ReadTask,
  options: Options,
): AsyncGenerator<ServiceLogChunk, void, undefined> {
  const { clock } = control;
  const read: ReadTask = (task, wanted) => {
    const { follow, since, tail, signal } = wanted;
    if (!follow || signal === undefined) return readTask(task, wanted);
    const range = { ...(since === undefined ? {} : { since }), ...(tail === undefined ? {} : { tail }) };
    return followedOutput(range, {
      ...{ clock, signal, isOver: () => isOver(control, task) },
      read: (rest) => readTask(task, { follow, signal, ...rest }),
    });
  };
  const merge = new Merge(read, options);
  try {
    merge.add(placedTasks(control, id, merge));
    if (!options.follow) {
      yield* merge.byTime();
    } else {
      yield* merge.asItComes((signal) =>
        control.until(
          `another task of service ${id}`,
          { signal },
          () => {
            const found = placedTasks(control, id, merge);
            return found.length > 0 ? found : undefined;
          },
          { concerns: (changes) => concernsService(changes, id) },
        ),
      );
    }
  } finally {
    merge.close();
  }
  if (merge.missing.size > 0) {
    const named = [...merge.missing].map(([task, why]) => `${task} (${why})`).join(', ');
    throw new PreconditionError(`the output is not complete, that of these tasks is missing: ${named}`);
  }
}

function placedTasks({ state }: Control, id: ServiceId, { known }: Merge): Placed[] {
  const isPlaced = (task: Task): task is Placed =>
    task.nodeId !== undefined && !known.has(task.id) && mayHaveOutput(task);
  return [...state.tasksOfService(id)].filter(isPlaced);
}

/** Before it is ready, its node knows nothing that could print; and what was rejected or lost its node never will. */
function mayHaveOutput({ status: { state } }: Task): boolean {
  return !isAfter('ready', state) && state !== 'rejected';
}

/** Whether nothing more can come of a task whose node is out of reach. */
function isOver({ state }: Control, id: TaskId): boolean {
  const { status, nodeId } = state.task(id) ?? {};
  if (status === undefined || nodeId === undefined || isTerminal(status.state)) return true;
  return state.node(nodeId) === undefined;
}

/** Several outputs on their way to one reader. */
class Merge {
  readonly known = new Set<TaskId>();
  readonly missing = new Map<TaskId, string>();
  readonly #readTask: ReadTask;
  readonly #options: Options;
  readonly #end = new AbortController();
  readonly #ends: AbortController[] = [];
  readonly #onAbort = () => this.#abort(this.#options.signal?.reason);
  readonly #reading = new Map<
    TaskId,
    { readonly turn: Promise<Turn>; readonly again: () => Promise<Turn> }
  >();
  readonly #arrived: Arrived[] = [];
  #wake = () => {};
  #isAsItComes = false;

  constructor(readTask: ReadTask, options: Options) {
    this.#readTask = readTask;
    this.#options = options;
    options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    if (options.signal?.aborted) this.#onAbort();
  }

  add(tasks: readonly Placed[]): void {
    for (const task of tasks) {
      this.known.add(task.id);
      // One signal each: hosts take many listeners on one for a leak.
      const end = new AbortController();
      this.#ends.push(end);
      if (this.#end.signal.aborted) end.abort(this.#end.signal.reason);
      const chunks = this.#readTask(task.id, { ...this.#options, signal: end.signal });
      const reader = chunks[Symbol.asyncIterator]();
      const again = async (): Promise<Turn> => {
        try {
          return { task, next: await reader.next() };
        } catch (error) {
          if (!isOfOneTask(error)) throw error;
          this.missing.set(task.id, error.message);
          return { task, next: { done: true, value: undefined } };
        }
      };
      this.#turn(task.id, again);
    }
  }

  /** All of it, oldest first. */
  async *byTime(): AsyncGenerator<ServiceLogChunk, void, undefined> {
    const heads = new Map<TaskId, Turn>();
    for (;;) {
      for (const [id, { turn }] of this.#reading) {
        if (heads.has(id)) continue;
        const head = await turn;
        if (head.next.done) this.#reading.delete(id);
        else heads.set(id, head);
      }
      let oldest: Turn | undefined;
      for (const head of heads.values())
        if (oldest === undefined || timeOf(head) < timeOf(oldest)) oldest = head;
      if (oldest === undefined) return;
      heads.delete(oldest.task.id);
      this.#turn(oldest.task.id);
      yield chunkOf(oldest);
    }
  }

  /** Whatever comes next, until the signal aborts; tasks that come later with it. */
  async *asItComes(
    more: (signal: AbortSignal) => Promise<readonly Placed[]>,
  ): AsyncGenerator<ServiceLogChunk, void, undefined> {
    const { signal } = this.#end;
    const askForMore = () => this.#expect(more(signal).then((tasks) => ({ tasks })));
    this.#isAsItComes = true;
    for (const { turn } of this.#reading.values()) this.#expect(turn);
    askForMore();
    while (!signal.aborted) {
      try {
        const turn = await this.#next();
        if ('tasks' in turn) {
          this.add(turn.tasks);
          askForMore();
        } else if (turn.next.done) this.#reading.delete(turn.task.id);
        else {
          this.#turn(turn.task.id);
          yield chunkOf(turn);
        }
      } catch (error) {
        // A follower that gives up has reached its end.
        if (!this.#options.signal?.aborted) throw error;
      }
    }
  }

  /** Not by a race, which would leave something at each one that says nothing for each piece of another. */
  #expect(coming: Promise<Turn | { readonly tasks: readonly Placed[] }>): void {
    const arrive = (arrived: Arrived) => {
      this.#arrived.push(arrived);
      this.#wake();
    };
    coming.then(
      (value) => arrive(() => value),
      (error: unknown) =>
        arrive(() => {
          throw error;
        }),
    );
  }

  async #next(): Promise<Turn | { readonly tasks: readonly Placed[] }> {
    for (;;) {
      const arrived = this.#arrived.shift();
      if (arrived !== undefined) return arrived();
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    this.#abort(new ClosedError('the reading of the output'));
  }

  #abort(reason: unknown): void {
    this.#end.abort(reason);
    for (const end of this.#ends) end.abort(reason);
  }

  #turn(id: TaskId, again = this.#reading.get(id)?.again): void {
    if (again === undefined) return;
    const turn = again();
    turn.catch(() => {});
    this.#reading.set(id, { turn, again });
    if (this.#isAsItComes) this.#expect(turn);
  }
}

/** It says nothing of the other tasks: theirs is read on. */
function isOfOneTask(error: unknown): error is Error {
  return isOutOfReach(error) || error instanceof DriverError || error instanceof NotFoundError;
}

function timeOf({ next }: Turn): number {
  return next.done ? Number.POSITIVE_INFINITY : next.value.at;
}

function chunkOf({ task, next }: Turn): ServiceLogChunk {
  return { ...(next.value as LogChunk), taskId: task.id, slot: task.slot, nodeId: task.nodeId };
}
