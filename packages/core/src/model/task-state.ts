/**
 * The states of a task's life, in their order. An observed state only moves forward, so a late report can never
 * undo a newer one: the state is its own clock.
 */

/** Every state that can be observed, earliest first. */
export const TASK_STATES = [
  /** Created by the orchestrator; the allocator moves it on. */
  'new',
  /** Has what it needs from the allocator; the scheduler moves it on. */
  'pending',
  /** Has a node; from here the agent moves it on. */
  'assigned',
  /** The agent took it. */
  'accepted',
  /** The driver is fetching and creating what it needs. */
  'preparing',
  /** Prepared, and waiting for leave to start. */
  'ready',
  /** Started, and not yet healthy where health is probed. */
  'starting',
  'running',
  /** Ended by itself with exit code 0. */
  'complete',
  /** Ended because it should. */
  'shutdown',
  /** Ended by itself otherwise, or could not go on. */
  'failed',
  /** Could not be started here. */
  'rejected',
  /** Its node is gone for good; nobody knows how it ended. */
  'orphaned',
] as const;

/** An observed state. */
export type TaskState = (typeof TASK_STATES)[number];

/** Where a task should go, earliest first. Only managers write it, and it too only moves forward. */
export const DESIRED_STATES = ['ready', 'running', 'complete', 'shutdown', 'remove'] as const;

/**
 * A desired state. `complete` is that of a job's task, which is to run to its end and stays as it ended. `remove` is
 * desired only: the task is shut down, then forgotten.
 */
export type DesiredState = (typeof DESIRED_STATES)[number];

const RANK: Readonly<Record<TaskState, number>> = Object.fromEntries(
  TASK_STATES.map((state, rank) => [state, rank]),
) as Record<TaskState, number>;
const DESIRED_RANK = Object.fromEntries(DESIRED_STATES.map((state, rank) => [state, rank])) as Readonly<
  Record<DesiredState, number>
>;

/** Place of a state in the order, from 0. */
export function taskStateRank(state: TaskState): number {
  return RANK[state];
}

/** True when `a` comes later in a task's life than `b`. */
export function isAfter(a: TaskState, b: TaskState): boolean {
  return RANK[a] > RANK[b];
}

/** True when the task has ended. */
export function isTerminal(state: TaskState): boolean {
  return RANK[state] > RANK.running;
}

/** True when `a` asks for more of an end than `b`. */
export function isDesiredAfter(a: DesiredState, b: DesiredState): boolean {
  return DESIRED_RANK[a] > DESIRED_RANK[b];
}

/** True while the task is meant to live: to run on, or to run to its end. */
export function isMeantToRun(desired: DesiredState): boolean {
  return DESIRED_RANK[desired] < DESIRED_RANK.shutdown;
}

/** What a task is wanted to do once it may start: to run on, or to its end where it is of a job's run. */
export function startedState(task: { readonly jobIteration?: number }): 'running' | 'complete' {
  return task.jobIteration === undefined ? 'running' : 'complete';
}
