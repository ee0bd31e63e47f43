/**
 * What swarm mode's jobs do, as data: given these nodes and these tasks, one look at the job leads to this. Where Skep
 * differs on purpose, the scenario says so in its name.
 */

import type { ServiceSpecInput } from '../../../../model/service-spec.ts';
import type { DesiredState, TaskState } from '../../../../model/task-state.ts';
import type { BuiltNode } from '../../../../testing/state-builder.ts';

/** A task that is there already. */
export interface GivenTask {
  /** Of a replicated job. */
  readonly slot?: number;
  /** Of a global job; of a replicated one where the task is. Default: the first node. */
  readonly node?: string;
  readonly state: TaskState;
  /** Default: `complete`, what tasks of a job are wanted to do. */
  readonly desired?: DesiredState;
  /** Default 1, unless the job has gone on. */
  readonly iteration?: number;
}

/** One scenario. */
export interface JobScenario {
  readonly name: string;
  readonly spec: Omit<ServiceSpecInput, 'name' | 'task'> & {
    readonly task?: Partial<ServiceSpecInput['task']>;
  };
  /** Default: three ready nodes. */
  readonly nodes?: readonly BuiltNode[];
  readonly tasks?: readonly GivenTask[];
  /** The job's newest run. Default 1. */
  readonly iteration?: number;
  /** What comes of it. Slots and nodes of tasks that are made; ids of tasks, `1` being the first that was given. */
  readonly leadsTo: {
    readonly created?: readonly (number | string)[];
    readonly shutdown?: readonly number[];
    readonly removed?: readonly number[];
    readonly ended?: 'completed' | 'failed';
  };
}

const job = (completions: number, concurrency: number): JobScenario['spec'] => ({
  mode: 'replicated-job',
  job: { completions, concurrency },
});
const global: JobScenario['spec'] = { mode: 'global-job' };
const inSlots = (state: TaskState, ...slots: number[]): GivenTask[] => slots.map((slot) => ({ slot, state }));
const noRestart = { task: { image: 'image', restart: { condition: 'none' } } } as const;

/** Replicated jobs. */
export const REPLICATED_JOB_SCENARIOS: readonly JobScenario[] = [
  { name: 'new, all at once', spec: job(3, 3), leadsTo: { created: [1, 2, 3] } },
  { name: 'new, some at once', spec: job(9, 2), leadsTo: { created: [1, 2] } },
  { name: 'new, more at once than there are to complete', spec: job(2, 9), leadsTo: { created: [1, 2] } },
  { name: 'nothing to complete', spec: job(0, 1), leadsTo: { ended: 'completed' } },
  { name: 'as many at work as may be', spec: job(9, 2), tasks: inSlots('running', 1, 2), leadsTo: {} },
  {
    name: 'some still new or pending count',
    spec: job(9, 3),
    tasks: inSlots('pending', 1, 2),
    leadsTo: { created: [3] },
  },
  {
    name: 'some complete, others take their turn',
    spec: job(9, 3),
    tasks: [...inSlots('complete', 1, 2), ...inSlots('running', 3)],
    leadsTo: { created: [4, 5] },
  },
  {
    name: 'less is left than may be at once',
    spec: job(5, 3),
    tasks: [...inSlots('complete', 1, 2, 3), ...inSlots('running', 4)],
    leadsTo: { created: [5] },
  },
  {
    name: 'all that is left is at work',
    spec: job(3, 3),
    tasks: [...inSlots('complete', 1), ...inSlots('running', 2, 3)],
    leadsTo: {},
  },
  {
    name: 'all complete',
    spec: job(3, 1),
    tasks: inSlots('complete', 1, 2, 3),
    leadsTo: { ended: 'completed' },
  },
  {
    name: 'more complete than asked for',
    spec: job(2, 1),
    tasks: inSlots('complete', 1, 2, 3),
    leadsTo: { ended: 'completed' },
  },
  {
    name: 'a gap among the slots is filled first',
    spec: job(4, 4),
    tasks: inSlots('running', 1, 3, 4),
    leadsTo: { created: [2] },
  },
  {
    name: 'one failed, its slot gets another',
    spec: job(2, 2),
    tasks: [...inSlots('failed', 1), ...inSlots('running', 2)],
    leadsTo: { shutdown: [1], created: [1] },
  },
  {
    name: 'one was rejected, its slot gets another',
    spec: job(1, 1),
    tasks: inSlots('rejected', 1),
    leadsTo: { shutdown: [1], created: [1] },
  },
  {
    name: 'one was orphaned, its slot gets another',
    spec: job(1, 1),
    tasks: inSlots('orphaned', 1),
    leadsTo: { shutdown: [1], created: [1] },
  },
  {
    name: 'its node is down, its slot gets another',
    spec: job(1, 1),
    nodes: [{ state: 'down' }, {}],
    tasks: inSlots('running', 1),
    leadsTo: { shutdown: [1], created: [1] },
  },
  {
    name: 'its node is drained, its slot gets another',
    spec: job(1, 1),
    nodes: [{ availability: 'drain' }, {}],
    tasks: inSlots('running', 1),
    leadsTo: { shutdown: [1], created: [1] },
  },
  {
    name: 'its node is paused, it goes on',
    spec: job(1, 1),
    nodes: [{ availability: 'pause' }],
    tasks: inSlots('running', 1),
    leadsTo: {},
  },
  {
    name: 'what completed on a node that is drained stays',
    spec: job(2, 1),
    nodes: [{ availability: 'drain' }, {}],
    tasks: [
      { slot: 1, state: 'complete' },
      { slot: 2, node: 'node-2', state: 'running' },
    ],
    leadsTo: {},
  },
  {
    name: 'one failed and may not be restarted: unlike with Swarm, its slot stays taken, and the others go on',
    spec: { ...job(3, 1), ...noRestart },
    tasks: [{ slot: 1, state: 'failed', desired: 'shutdown' }],
    leadsTo: { created: [2] },
  },
  {
    name: 'one failed for good and the others completed: unlike with Swarm, the run fails',
    spec: { ...job(2, 1), ...noRestart },
    tasks: [
      { slot: 1, state: 'failed', desired: 'shutdown' },
      { slot: 2, state: 'complete' },
    ],
    leadsTo: { ended: 'failed' },
  },
  {
    name: 'a task of an older run is at work: it goes, and unlike with Swarm is waited for',
    spec: job(1, 1),
    iteration: 2,
    tasks: [{ slot: 1, state: 'running', iteration: 1 }],
    leadsTo: { removed: [1] },
  },
  {
    name: 'a task of an older run had not come to a node: it goes, and nothing is waited for',
    spec: job(1, 1),
    iteration: 2,
    tasks: [{ slot: 1, state: 'pending', iteration: 1 }],
    leadsTo: { removed: [1], created: [1] },
  },
  {
    name: 'tasks of older runs that ended stay, and count for nothing',
    spec: job(2, 2),
    iteration: 3,
    tasks: [
      { slot: 1, state: 'complete', iteration: 1 },
      { slot: 2, state: 'failed', desired: 'shutdown', iteration: 2 },
    ],
    leadsTo: { created: [1, 2] },
  },
  {
    name: 'two tasks at work in one slot come to be one',
    spec: job(1, 1),
    tasks: inSlots('running', 1).flatMap((task) => [task, task]),
    leadsTo: { shutdown: [1] },
  },
];

/** Global jobs. */
export const GLOBAL_JOB_SCENARIOS: readonly JobScenario[] = [
  { name: 'new', spec: global, leadsTo: { created: ['node-1', 'node-2', 'node-3'] } },
  {
    name: 'nodes that can not be given a task',
    spec: global,
    nodes: [
      { state: 'down' },
      { state: 'unknown' },
      { availability: 'drain' },
      { availability: 'pause' },
      {},
    ],
    leadsTo: { created: ['node-5'] },
  },
  {
    name: 'nodes that do not meet the constraints',
    spec: { ...global, task: { image: 'image', placement: { constraints: ['node.labels.disk==ssd'] } } },
    nodes: [{ labels: { disk: 'ssd' } }, {}, { labels: { disk: 'hdd' } }],
    leadsTo: { created: ['node-1'] },
  },
  {
    name: 'nodes that have a task already',
    spec: global,
    tasks: [
      { node: 'node-1', state: 'running' },
      { node: 'node-2', state: 'complete' },
    ],
    leadsTo: { created: ['node-3'] },
  },
  {
    name: 'all complete',
    spec: global,
    nodes: [{}, {}],
    tasks: [
      { node: 'node-1', state: 'complete' },
      { node: 'node-2', state: 'complete' },
    ],
    leadsTo: { ended: 'completed' },
  },
  {
    name: 'a node that is not heard of just now is waited for',
    spec: global,
    nodes: [{}, { state: 'unknown' }],
    tasks: [{ node: 'node-1', state: 'complete' }],
    leadsTo: {},
  },
  {
    name: 'a node that is down is not waited for',
    spec: global,
    nodes: [{}, { state: 'down' }],
    tasks: [{ node: 'node-1', state: 'complete' }],
    leadsTo: { ended: 'completed' },
  },
  {
    name: 'no node may have a task: the run waits for one',
    spec: global,
    nodes: [{ availability: 'drain' }],
    leadsTo: {},
  },
  {
    name: 'one failed, its node gets another',
    spec: global,
    nodes: [{}],
    tasks: [{ node: 'node-1', state: 'failed' }],
    leadsTo: { shutdown: [1], created: ['node-1'] },
  },
  {
    name: 'one failed for good',
    spec: { ...global, ...noRestart },
    nodes: [{}],
    tasks: [{ node: 'node-1', state: 'failed', desired: 'shutdown' }],
    leadsTo: { ended: 'failed' },
  },
  {
    name: 'a node is drained while its task is at work',
    spec: global,
    nodes: [{ availability: 'drain' }, {}],
    tasks: [
      { node: 'node-1', state: 'running' },
      { node: 'node-2', state: 'running' },
    ],
    leadsTo: { shutdown: [1] },
  },
  {
    name: 'a task of an older run is at work: it goes, and its node waits for that',
    spec: global,
    iteration: 2,
    nodes: [{}, {}],
    tasks: [
      { node: 'node-1', state: 'running', iteration: 1 },
      { node: 'node-2', state: 'complete', iteration: 1 },
    ],
    leadsTo: { removed: [1] },
  },
];
