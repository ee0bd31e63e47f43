/**
 * A scenario as data: given these objects, and what happens then, one component decides this. Swarm's scenarios are
 * written in it, and where Skep differs on purpose, the scenario says so in its name.
 */

import type { ClusterEvent } from '../../events/event.ts';
import { asId, type NodeId, type TaskId } from '../../model/ids.ts';
import type { ClusterSpecInput } from '../../model/other-specs.ts';
import { nodeSpecSchema } from '../../model/other-specs.ts';
import { serviceSpecSchema } from '../../model/service-spec.ts';
import type { DesiredState, TaskState } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { LoopHarness } from '../../testing/loop-harness.ts';
import {
  aCluster,
  aDescription,
  type BuiltNode,
  type BuiltService,
  type StateBuilder,
} from '../../testing/state-builder.ts';
import type { ControlLoop } from '../control-loop.ts';

/** A task that is there already. Tasks are known by service and number: `web-1`, `web-2`. */
export interface GivenTask {
  /** Default: the first service. */
  readonly of?: string;
  /** Default: behind the slots given before. Absent in a global service. */
  readonly slot?: number;
  readonly node?: string;
  readonly is: TaskState;
  readonly wanted?: DesiredState;
  readonly startAfter?: number;
}

/** What happens once the loop has begun. */
export type Happening =
  | { readonly node: string; readonly becomes: Partial<BuiltNode> }
  | { readonly joins: BuiltNode }
  | { readonly leaves: string }
  | { readonly task: string; readonly is: TaskState }
  | { readonly task: string; readonly wanted: DesiredState }
  | { readonly forgotten: string }
  | { readonly service: string; readonly becomes: Partial<BuiltService>; readonly tasksChanged?: boolean }
  | { readonly comes: BuiltService }
  | { readonly removed: string }
  | { readonly passes: number };

/** One scenario. */
export interface LoopScenario {
  readonly name: string;
  readonly cluster?: ClusterSpecInput;
  /** Default: three ready nodes. */
  readonly nodes?: readonly BuiltNode[];
  readonly services: readonly BuiltService[];
  /** The services have not been given their ports. */
  readonly unallocated?: true;
  readonly tasks?: readonly GivenTask[];
  /** What happens after the loop has done what was to be done at first. Default: nothing. */
  readonly after?: readonly Happening[];
  /** What the loop decides; with `after`, after that. In any order. */
  readonly leadsTo: readonly string[];
}

/** Plays a scenario: what the loop decided at last, in the words of scenarios, sorted. */
export function play(scenario: LoopScenario, create: () => ControlLoop): string[] {
  const cluster = build(scenario);
  const harness = new LoopHarness(cluster, [create()]);
  let decided = harness.run();
  for (const [index, each] of (scenario.after ?? []).entries()) {
    if (index === 0) decided = [];
    if ('passes' in each) decided.push(...harness.advance(each.passes));
    else happen(cluster, each);
    decided.push(...harness.run());
  }
  return decided.flatMap((event) => inWords(event, cluster.state)).sort();
}

function build(scenario: LoopScenario): StateBuilder {
  const { cluster: spec = {}, nodes = [{}, {}, {}], services, unallocated, tasks = [] } = scenario;
  const cluster = aCluster(spec);
  for (const node of nodes) cluster.withNode(node);
  for (const service of services) cluster.withService(service, { allocated: unallocated !== true });
  for (const { of = services[0]?.name ?? '', slot, node, is, wanted, startAfter } of tasks) {
    cluster.withTasks(of, 1, {
      state: is,
      ...(slot === undefined ? {} : { slot }),
      ...(node === undefined ? {} : { nodes: [node] }),
      ...(wanted === undefined ? {} : { desired: wanted }),
      ...(startAfter === undefined ? {} : { startAfter: cluster.at + startAfter }),
    });
  }
  return cluster;
}

function happen(cluster: StateBuilder, each: Exclude<Happening, { readonly passes: number }>): void {
  if ('joins' in each) cluster.withNode(each.joins);
  else if ('comes' in each) cluster.withService(each.comes);
  else if ('leaves' in each) cluster.apply({ type: 'node.removed', id: asId<NodeId>(each.leaves) });
  else if ('removed' in each) cluster.apply({ type: 'service.removed', id: asId(each.removed) });
  else if ('forgotten' in each) cluster.apply({ type: 'task.removed', ids: [asId<TaskId>(each.forgotten)] });
  else if ('node' in each) change(cluster, each.node, each.becomes);
  else if ('service' in each) update(cluster, each);
  else if ('is' in each) cluster.withStatus([each.task], each.is);
  else cluster.withDesired([each.task], each.wanted);
}

function change(cluster: StateBuilder, ref: string, becomes: Partial<BuiltNode>): void {
  const id = asId<NodeId>(ref);
  const { state, labels, availability, ...described } = becomes;
  const node = cluster.state.node(id);
  if (state !== undefined) cluster.withNodeState(ref, state);
  if (labels !== undefined || availability !== undefined) {
    const wanted = {
      ...node?.spec,
      ...(labels ? { labels } : {}),
      ...(availability ? { availability } : {}),
    };
    cluster.apply({ type: 'node.updated', id, spec: nodeSpecSchema.parse(wanted) });
  }
  if (Object.keys(described).length === 0) return;
  const description = aDescription({ id: ref, ...described });
  cluster.apply({ type: 'node.described', id, description, address: node?.status.address ?? '' });
}

function update(
  cluster: StateBuilder,
  { service: name, becomes, tasksChanged = false }: Extract<Happening, { readonly service: string }>,
): void {
  const service = cluster.state.serviceByName(name);
  if (!service) throw new RangeError(`there is no service ${name}`);
  const task = { ...service.spec.task, ...becomes.task };
  const spec = serviceSpecSchema.parse({ ...service.spec, ...becomes, task });
  const portsChanged = becomes.ports !== undefined;
  cluster.apply({
    type: 'service.updated',
    id: service.id,
    spec,
    tasksChanged: tasksChanged || portsChanged,
    portsChanged,
  });
}

/** An event in the words of scenarios. Tasks that a loop makes are known by their slots, since their ids are random. */
function inWords(event: ClusterEvent, state: ClusterState): string[] {
  const named = (id: TaskId) => (/-\d+$/.test(id) ? id : slotOf(state, id));
  switch (event.type) {
    case 'task.created':
      return event.rows.map(({ slot, nodeId, startAfter }) => {
        const where = nodeId === undefined ? `${event.serviceId}.${slot}` : `${event.serviceId}@${nodeId}`;
        return `create ${where}${startAfter === undefined ? '' : ', to be started later'}`;
      });
    case 'task.desired':
      return event.ids.map((id) => `${DESIRED[event.state]} ${named(id)}`);
    case 'task.removed':
      return event.ids.map((id) => `forget ${named(id)}`);
    case 'task.allocated':
      return event.ids.map((id) => `allocate ${named(id)}`);
    case 'task.status':
      return event.rows.map(({ id, status }) => `${status.state} ${named(id)}`);
    case 'task.evicted':
      return event.ids.map((id) => `evict ${named(id)}`);
    case 'task.kept':
      return event.ids.map((id) => `keep ${named(id)}`);
    case 'task.nominated':
      return event.rows.map(({ id, nodeId, victims }) => {
        const left = victims.map(named).join(', ');
        return `keep ${nodeId} for ${named(id)}${left === '' ? '' : `, in place of ${left}`}`;
      });
    case 'task.preempted':
      return event.rows.map(({ id, by }) => `preempt ${named(id)} for ${named(by.task)}`);
    case 'task.unnominated':
      return event.ids.map((id) => `keep nothing for ${named(id)}`);
    case 'task.assigned':
      return event.rows.flatMap(({ nodeId, tasks }) => tasks.map((id) => `assign ${named(id)} to ${nodeId}`));
    case 'task.unplaced':
      return event.ids.map((id) => `${named(id)}: ${event.explanation.message}`);
    case 'service.allocated':
      return event.endpoint.ports.map(
        ({ published, target, protocol }) => `publish ${target} of ${event.id} as ${published}/${protocol}`,
      );
    case 'service.unallocated':
      return [`${event.id}: ${event.error}`];
    case 'service.update-status':
      return [`${event.id} is ${event.status.state}`];
    default:
      throw new Error(`unexpected ${event.type}`);
  }
}

const DESIRED: Readonly<Record<DesiredState, string>> = {
  ready: 'prepare',
  running: 'start',
  complete: 'start',
  shutdown: 'shut down',
  remove: 'remove',
};

function slotOf(state: ClusterState, id: TaskId): string {
  const task = state.task(id);
  if (!task) return 'a new task';
  return task.slot === 0 ? `${task.serviceId}@${task.nodeId}` : `${task.serviceId}.${task.slot}`;
}
