/**
 * What one node is told to run, as pure functions of committed state and of what the node was told before. Nothing
 * here waits or sends.
 */

import { drainDelayOf } from '../../model/drain-delay.ts';
import { asId, type NodeId, type TaskId } from '../../model/ids.ts';
import type { Config, Secret, Task } from '../../model/objects.ts';
import { revisionOf } from '../../model/revision.ts';
import { isAfter, isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type {
  AssignedFile,
  AssignedTask,
  AssignmentsMessage,
  KnownAssignments,
} from '../../worker/dispatcher-port.ts';
import { fileKey } from '../../worker/file-key.ts';

/** Most tasks that one incremental message updates or removes; the rest follow in the next. */
export const TASKS_PER_MESSAGE = 1_000;

/** A file as a node was told it. */
interface ToldFile {
  readonly version: AssignedFile['version'];
  readonly users: Set<TaskId>;
}

/** What a node was told in this session. Grows and shrinks with what it runs. */
export interface Told {
  readonly tasks: Map<TaskId, AssignedTask>;
  readonly files: Map<string, ToldFile>;
}

/** A node that was told nothing yet. */
export function toldNothing(): Told {
  return { tasks: new Map(), files: new Map() };
}

type Complete = Extract<AssignmentsMessage, { kind: 'complete' }>;
type Incremental = Extract<AssignmentsMessage, { kind: 'incremental' }>;

/** Tells which of the tasks that are to stop have to wait, since somebody may still send them traffic. */
export type Holds = (task: Task) => boolean;

/** As where no node has an endpoint feed. */
const holdsNone: Holds = () => false;

/** All that a node should run, ended tasks that are still known included. Notes in `told` what the message says. */
export function completeSet(
  nodeId: NodeId,
  state: ClusterState,
  told: Told,
  holds: Holds = holdsNone,
): Complete {
  told.tasks.clear();
  told.files.clear();
  const files = new Map<string, AssignedFile>();
  for (const task of state.tasksOfNode(nodeId)) {
    if (!isAssigned(task)) continue;
    told.tasks.set(task.id, toAssigned(task, state, undefined, holds));
    for (const file of useFiles(task, state, told)) files.set(file.key, file);
  }
  return { kind: 'complete', tasks: [...told.tasks.values()], files: [...files.values()] };
}

/**
 * What an agent lacks that knows so much from sessions before: with it, it has what {@link completeSet} says. Notes in
 * `told` all that it knows then.
 */
export function resumedSet(
  nodeId: NodeId,
  state: ClusterState,
  told: Told,
  known: KnownAssignments,
  holds: Holds = holdsNone,
): Incremental {
  const { tasks, files } = completeSet(nodeId, state, told, holds);
  const knownTasks = new Map(known.tasks.map((task) => [task.id, task]));
  const knownFiles = new Map(known.files.map(({ key, version }) => [key, version]));
  const isNews = ({ task, held }: AssignedTask) => {
    const before = knownTasks.get(task.id);
    return before?.desiredState !== task.desiredState || before.held !== held;
  };
  return {
    kind: 'incremental',
    update: tasks.filter(isNews),
    remove: known.tasks.map(({ id }) => id).filter((id) => !told.tasks.has(id)),
    updateFiles: files.filter(({ key, version }) => knownFiles.get(key) !== version),
    removeFiles: known.files.map(({ key }) => key).filter((key) => !told.files.has(key)),
  };
}

/**
 * What became of these tasks since the node was told of them. A mere change of status is no news to the node that
 * reported it. Takes the tasks that it looked at out of `dirty`, and notes in `told` what the message says.
 *
 * @returns undefined when there is nothing to tell.
 */
export function incrementalSet(
  nodeId: NodeId,
  state: ClusterState,
  told: Told,
  dirty: Set<TaskId>,
  holds: Holds = holdsNone,
): Incremental | undefined {
  const update: AssignedTask[] = [];
  const remove: TaskId[] = [];
  const updateFiles = new Map<string, AssignedFile>();
  const released = new Set<string>();
  for (const id of dirty) {
    if (update.length + remove.length >= TASKS_PER_MESSAGE) break;
    dirty.delete(id);
    const task = state.task(id);
    const before = told.tasks.get(id);
    if (!task || task.nodeId !== nodeId || !isAssigned(task)) {
      if (before) remove.push(id);
      told.tasks.delete(id);
      for (const key of releaseFiles(id, told)) released.add(key);
      continue;
    }
    const assigned = toAssigned(task, state, before, holds);
    told.tasks.set(id, assigned);
    if (!before || before.held !== assigned.held || concernsNode(before.task, task)) update.push(assigned);
    if (needsFiles(task)) {
      for (const file of useFiles(task, state, told)) updateFiles.set(file.key, file);
    } else {
      for (const key of releaseFiles(id, told)) released.add(key);
    }
  }
  // One task may release a file that another of the same message takes up.
  const removeFiles = [...released].filter((key) => !told.files.has(key));
  if (update.length + remove.length + updateFiles.size + removeFiles.length === 0) return undefined;
  return { kind: 'incremental', update, remove, updateFiles: [...updateFiles.values()], removeFiles };
}

/** True for a task that its node has to know of. */
function isAssigned(task: Task): boolean {
  return !isAfter('assigned', task.status.state);
}

/** True when a change is more than an echo of what the node itself reported. Rows are immutable: same is unchanged. */
function concernsNode(before: Task, after: Task): boolean {
  return (
    before.desiredState !== after.desiredState ||
    before.spec !== after.spec ||
    before.ports !== after.ports ||
    before.assignedGeneric !== after.assignedGeneric
  );
}

function toAssigned(
  task: Task,
  state: ClusterState,
  before: AssignedTask | undefined,
  holds: Holds,
): AssignedTask {
  // A removed service's tasks outlive its row by a little.
  const spec = state.service(task.serviceId)?.spec;
  const departed = spec ? undefined : state.roots.departed.get(task.serviceId);
  const serviceName = spec?.name ?? departed?.name ?? task.serviceId;
  const labels = spec?.labels ?? before?.serviceLabels ?? {};
  const drainDelayMs = restOfDelay(task, drainDelayOf(task, spec ?? departed), state.at);
  return {
    task,
    serviceName,
    ...(Object.keys(labels).length === 0 ? {} : { serviceLabels: labels }),
    ...(drainDelayMs === 0 ? {} : { drainDelayMs }),
    ...(holds(task) ? { held: true } : {}),
  };
}

/** What is left of the drain delay, when an agent is told anew: after a change of leader, or the node's return. */
function restOfDelay({ leaving }: Task, delayMs: number, at: number): number {
  if (!leaving) return delayMs;
  return Math.max(0, (leaving.releasedAt ?? leaving.since) + delayMs - at);
}

function needsFiles(task: Task): boolean {
  return !isTerminal(task.status.state) && isMeantToRun(task.desiredState);
}

/** Notes the task as a user of the files it refers to; gives those that the node does not have as they are now. */
function useFiles(task: Task, state: ClusterState, told: Told): AssignedFile[] {
  if (!needsFiles(task)) return [];
  const news: AssignedFile[] = [];
  const use = (file: AssignedFile | undefined) => {
    if (!file) return;
    const { key, version } = file;
    const known = told.files.get(key);
    if (known?.version === version) {
      known.users.add(task.id);
      return;
    }
    told.files.set(key, { version, users: new Set([...(known?.users ?? []), task.id]) });
    news.push(file);
  };
  for (const { name, revision } of task.spec.secrets) use(secretFile(name, revision ?? 1, state));
  for (const { name, revision } of task.spec.configs) use(configFile(name, revision ?? 1, state));
  return news;
}

/** Takes the task off the users of its files; gives the keys that have none left. */
function releaseFiles(id: TaskId, told: Told): string[] {
  const unused: string[] = [];
  for (const [key, { users }] of told.files) {
    if (users.delete(id) && users.size === 0) {
      told.files.delete(key);
      unused.push(key);
    }
  }
  return unused;
}

function secretFile(name: string, revision: number, state: ClusterState): AssignedFile | undefined {
  const id = state.idByName('secret', name);
  const secret = id === undefined ? undefined : state.secret(asId(id));
  const found = secret && revisionOf(secret, revision);
  const data = found && state.roots.vault.get(found.digest);
  if (!data) return undefined;
  return assignedFile('secret', secret, { revision, version: found.digest, data });
}

function configFile(name: string, revision: number, state: ClusterState): AssignedFile | undefined {
  const id = state.idByName('config', name);
  const config = id === undefined ? undefined : state.config(asId(id));
  const found = config && revisionOf(config, revision);
  if (!found) return undefined;
  return assignedFile('config', config, { revision, version: config.id, data: found.data });
}

function assignedFile(
  kind: 'secret' | 'config',
  { spec }: Secret | Config,
  content: { readonly revision: number; readonly version: string; readonly data: Uint8Array },
): AssignedFile {
  const { revision, version, data } = content;
  return {
    key: fileKey(kind, spec.name, revision),
    version,
    file: { kind, name: spec.name, data },
    ...(spec.template ? { template: true } : {}),
  };
}
