/** What must hold at every moment, whatever goes wrong. */

import type { ChangeSet, Node, Service, Task } from '@skep/core';
import { isTerminal } from '@skep/core';
import {
  type ClusterState,
  countUp,
  isDesiredAfter,
  isMeantToRun,
  maxUnavailable,
  mayStartFirst,
  meetsConstraints,
  serves,
  taskStateRank,
} from '@skep/core/testing';
import { type Tally, Violation } from '@skep/raft/simulator';
import type { SimulatedCluster } from '../simulated-cluster.ts';
import { SECRET_MARK } from './user.ts';

/** Rounding of sums of processors. */
const EPSILON = 1e-9;

/** Looks at one committed transaction. @throws Violation */
export function checkTransaction({ changes }: ChangeSet, state: ClusterState, tally: Tally): void {
  const slots = new Map<string, Task>();
  for (const change of changes) {
    if (change.kind === 'service') {
      countRuns(change.before, change.after, tally);
      checkScale(change.before, change.after, tally);
    }
    if (change.kind !== 'task') continue;
    const { before, after } = change;
    if (!after) continue;
    checkWords(after);
    if (before) {
      checkTask(before, after);
      checkStop(before, after, state);
      checkPreemption(before, after, state, tally);
    } else checkUndone(after, state);
    if (after.status.state === 'assigned' && before?.status.state !== 'assigned') {
      checkPlacement(after, state);
      tally.add('tasks placed');
    }
    if (after.status.state === 'running' && before?.status.state !== 'running')
      tally.add('tasks began to run');
    if (isMeantToRun(after.desiredState)) slots.set(`${after.serviceId} ${state.slotKey(after)}`, after);
  }
  for (const task of slots.values()) {
    checkSlot(task, state);
    checkConcurrency(task, state);
  }
}

/** No manager may have come to an end by itself, whatever befell it. @throws Violation */
export function checkManagers(sim: SimulatedCluster): void {
  for (const manager of sim.managers) {
    const failure = sim.failureOf(manager);
    if (failure === undefined) continue;
    const why = failure instanceof Error ? failure.message : String(failure);
    throw new Violation(`${manager} could not go on: ${why}`);
  }
}

/** Looks at what really runs, on every machine. @throws Violation */
export function checkMachines(sim: SimulatedCluster): void {
  for (const worker of sim.workers) {
    for (const { id, starts, nodeId, task } of sim.host(worker).runtimes()) {
      if (starts > 1) throw new Violation(`task ${id} was started ${starts} times on ${worker}`);
      const known = sim.state.task(id);
      if (known !== undefined && known.nodeId !== nodeId) {
        throw new Violation(`task ${id} is at ${worker}, and belongs to node ${known.nodeId}`);
      }
      const asked = new Set(task.spec.secrets.map(({ name }) => name));
      const secret = task.files.find(({ kind, name }) => kind === 'secret' && !asked.has(name));
      if (secret !== undefined)
        throw new Violation(`task ${id} got secret ${secret.name}, for which it did not ask`);
    }
  }
}

/** What a task's node says of it is read by everybody. */
function checkWords({ id, status }: Task): void {
  if (!`${status.message} ${status.error ?? ''}`.includes(SECRET_MARK)) return;
  throw new Violation(`the status of task ${id} tells a secret`);
}

function checkTask(before: Task, after: Task): void {
  const [from, to] = [before.status.state, after.status.state];
  if (taskStateRank(to) < taskStateRank(from)) {
    throw new Violation(`task ${after.id} was observed ${to} after it was ${from}`);
  }
  if (isDesiredAfter(before.desiredState, after.desiredState)) {
    throw new Violation(
      `task ${after.id} is wanted ${after.desiredState} after it was wanted ${before.desiredState}`,
    );
  }
  if (before.nodeId !== undefined && before.nodeId !== after.nodeId) {
    throw new Violation(`task ${after.id} moved from node ${before.nodeId} to ${after.nodeId}`);
  }
}

/** A task that could have served on is stopped by the orchestrator only as far as its service can spare it. */
function checkStop(before: Task, after: Task, state: ClusterState): void {
  const isStopped = serves(before) && after.desiredState === 'shutdown' && !isTerminal(after.status.state);
  const service = state.service(after.serviceId);
  const node = after.nodeId === undefined ? undefined : state.node(after.nodeId);
  if (!isStopped || service?.spec.mode !== 'replicated' || after.specVersion !== service.specVersion) return;
  if (!node || node.status.state === 'down') return;
  // It may not stay there, whether there is another place or not.
  if (before.evicted?.cause === 'constraint') return;
  // Nor this one; and its service says nothing of how many it can spare.
  if (before.evicted?.cause === 'preemption' && service.spec.disruption === undefined) return;
  if (mayStartFirst(service)) {
    if (state.slot(service.id, after.slot).some(serves)) return;
    throw new Violation(`task ${after.id} was stopped on a node that can be heard, before another served`);
  }
  const serving = countUp(service, state);
  const wanted = (service.spec.replicas ?? 1) - maxUnavailable(service);
  if (serving >= wanted) return;
  throw new Violation(`task ${after.id} was stopped: ${serving} serve, of which ${wanted} have to`);
}

function checkSlot(task: Task, state: ClusterState): void {
  const meant = state
    .slot(task.serviceId, state.slotKey(task))
    .filter((each) => isMeantToRun(each.desiredState) && each.jobIteration === task.jobIteration)
    // What completed in a job stays wanted as it is, beside what is made in its place elsewhere.
    .filter((each) => each.jobIteration === undefined || !isTerminal(each.status.state));
  // Two, while one serves until the one that takes its place does.
  const [first, second] = meant;
  const isHandover = first && second?.replaces !== undefined;
  const inHandover = isHandover && (serves(first) || isTerminal(first.status.state));
  if (meant.length <= (inHandover ? 2 : 1)) return;
  const ids = meant.map(({ id }) => id).join(', ');
  throw new Violation(
    `slot ${task.slot} of service ${task.serviceId} has ${meant.length} tasks that are meant to run: ${ids}`,
  );
}

/** What a run of a job has completed in a slot is not done again. */
function checkUndone(task: Task, state: ClusterState): void {
  const { id, serviceId, jobIteration } = task;
  if (jobIteration === undefined) return;
  const done = state
    .slot(serviceId, state.slotKey(task))
    .find((each) => each.jobIteration === jobIteration && each.status.state === 'complete');
  if (done === undefined) return;
  throw new Violation(`task ${id} was made for what task ${done.id} of the same run has completed`);
}

/** No more tasks of a run are at work than may be at once. */
function checkConcurrency({ serviceId, jobIteration }: Task, state: ClusterState): void {
  const service = state.service(serviceId);
  if (jobIteration === undefined || service?.spec.mode !== 'replicated-job') return;
  const { concurrency } = service.spec.job ?? {};
  if (concurrency === undefined || jobIteration !== service.jobStatus?.iteration) return;
  const atWork = [...state.tasksOfService(serviceId)].filter(
    (each) =>
      each.jobIteration === jobIteration && isMeantToRun(each.desiredState) && !isTerminal(each.status.state),
  ).length;
  if (atWork <= concurrency) return;
  throw new Violation(`job ${service.spec.name} has ${atWork} tasks at work, of which ${concurrency} may be`);
}

function countRuns(before: Service | undefined, after: Service | undefined, tally: Tally): void {
  const last = before?.jobStatus?.ended.at(-1)?.iteration ?? 0;
  for (const { iteration, outcome } of after?.jobStatus?.ended ?? []) {
    if (iteration > last) tally.add(`runs of jobs: ${outcome}`);
  }
}

/** A metric asks for no more and no fewer tasks than may be, and for none while it is lost. */
function checkScale(before: Service | undefined, after: Service | undefined, tally: Tally): void {
  const { autoscale, replicas = 0, name } = after?.spec ?? {};
  if (autoscale && (replicas < autoscale.min || replicas > autoscale.max)) {
    throw new Violation(
      `service ${name} is to have ${replicas} tasks, and ${autoscale.min} to ${autoscale.max} are allowed`,
    );
  }
  const [was, is] = [before?.autoscaleStatus, after?.autoscaleStatus];
  if (is?.lost && !was?.lost) tally.add('metrics lost');
  if (is?.last === undefined || is.last === was?.last) return;
  tally.add('services scaled by a metric');
  if (was?.lost)
    throw new Violation(`service ${name} was scaled while its metric was lost: ${was.lost.reason}`);
}

function checkPlacement(task: Task, state: ClusterState): void {
  const why = unfit(task, task.nodeId === undefined ? undefined : state.node(task.nodeId), state);
  if (why === undefined) return;
  throw new Violation(`task ${task.id} was assigned to node ${task.nodeId}, which ${why}`);
}

/** Why a task may not have been given to a node, if so. */
function unfit(task: Task, node: Node | undefined, state: ClusterState): string | undefined {
  if (!node) return 'does not exist';
  if (node.status.state !== 'ready') return `is ${node.status.state}`;
  if (node.spec.availability !== 'active') return `is at ${node.spec.availability}`;
  const { constraints, maxReplicasPerNode } = task.spec.placement;
  if (!meetsConstraints(node, constraints)) return `does not meet ${constraints.join(', ')}`;
  const there = [...state.tasksOfNode(node.id)].filter(
    ({ desiredState, status }) =>
      isMeantToRun(desiredState) &&
      !isTerminal(status.state) &&
      taskStateRank(status.state) >= taskStateRank('assigned'),
  );
  const { cpus } = node.description.resources;
  const promised = cpusOf(there);
  if (promised > cpus + EPSILON) return `has ${cpus} processors, of which ${promised} are promised`;
  const kept = task.nomination === undefined ? cpusOf(keptFrom(task, node, state)) : 0;
  if (promised + kept > cpus + EPSILON) {
    return `has ${cpus} processors, of which ${promised} are promised and ${kept} are kept for others`;
  }
  // Of several specs of one service, each stands by its own limit alone.
  const ofService = there.filter(
    ({ serviceId, spec }) =>
      serviceId === task.serviceId && spec.placement.maxReplicasPerNode === maxReplicasPerNode,
  ).length;
  if (maxReplicasPerNode === 0 || ofService <= maxReplicasPerNode) return undefined;
  return `has ${ofService} of the service, where ${maxReplicasPerNode} are allowed`;
}

function cpusOf(tasks: readonly Task[]): number {
  return tasks.reduce((sum, { spec }) => sum + (spec.resources.reservations.cpus ?? 0), 0);
}

/** Tasks that waited for room on the node already, and that this one must not get in the way of. */
function keptFrom(task: Task, node: Node, state: ClusterState): readonly Task[] {
  const priorityOf = ({ serviceId }: Task) => state.service(serviceId)?.spec.priority ?? 0;
  return [...state.tasks()].filter(
    (other) =>
      other.nomination?.nodeId === node.id &&
      // What was decided together leaves room for each.
      other.nomination.index < state.index &&
      other.status.state === 'pending' &&
      isMeantToRun(other.desiredState) &&
      priorityOf(other) >= priorityOf(task),
  );
}

/** Whoever leaves for another one is worth less, and its room is kept for that one. */
function checkPreemption(before: Task, after: Task, state: ClusterState, tally: Tally): void {
  if (after.evicted?.cause !== 'preemption' || before.evicted === after.evicted) return;
  const { task, priority, over } = after.evicted.by;
  tally.add('tasks that made room');
  if (priority <= over)
    throw new Violation(`task ${after.id} leaves for task ${task}, which is worth no more`);
  if (state.task(task)?.nomination?.nodeId === after.nodeId) return;
  throw new Violation(`task ${after.id} leaves for task ${task}, for which its room is not kept`);
}
