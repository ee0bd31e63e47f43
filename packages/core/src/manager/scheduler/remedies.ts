/**
 * Finds what would make a task fit: for each node all that stands in the way, not only what the filters meet first;
 * then the fewest changes that do, and on how many nodes. Sound: whoever makes the changes that a remedy names on one
 * of the nodes that it names has made the task fit there.
 *
 * It reads a state and nothing else, so that every member can answer. A generator: it looks at every task that has a
 * place, in slices.
 */

import { parseConstraint, termsOf } from '../../model/constraint.ts';
import type { NodeId } from '../../model/ids.ts';
import type { Node, Task, VolumeHome } from '../../model/objects.ts';
import { pinnedVolumes } from '../../model/pinned-volumes.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { type RuleInState, requiredRules } from './affinity-in-state.ts';
import { freeAmount, GenericUse, offered } from './generic-use.ts';
import { holdsPlace } from './holds-place.ts';
import { keptRoom } from './preemption/kept-in-state.ts';
import {
  changeInWords,
  type NewNode,
  newNodeInWords,
  REMEDIES_MAX,
  REMEDY_NODES_MAX,
  type Remedy,
  type RemedyChange,
} from './remedy.ts';
import {
  compileRequirements,
  driversOf,
  hasPlugin,
  hostPortsOf,
  hostPortText,
  isOnPlatform,
  needsOf,
  type Requirements,
  toCpus,
  toNanoCpus,
} from './requirements.ts';
import { type ParsedConstraint, unmetConstraints } from './unmet-constraints.ts';

/** Tasks and nodes looked at between two chances to let others in. */
const LOOKS_PER_STEP = 2_048;

/** What stands in the way on one node. Undefined: what nobody can change there. */
type Way = readonly RemedyChange[] | undefined;

/** What can be said of a task without a place. */
export interface Prospects {
  /** It fits somewhere as things are, and only waits for its turn. */
  readonly fits: boolean;
  /** What would make it fit; best first. */
  readonly remedies: readonly Remedy[];
}

/** Finds remedies for a task without a place. */
export function* findRemedies(task: Task, state: ClusterState): Generator<undefined, Prospects, undefined> {
  const requirements = requirementsOf(task, state);
  const constraints = task.spec.placement.constraints.map((text) => parseConstraint(text));
  const rules = yield* requiredRules(task, state);
  const followed = pinnedVolumes(task, state.service(task.serviceId)?.spec);
  const volumes = followed.flatMap((name) => state.volume(name) ?? []);
  const keptOn = yield* keptRoom(task, state);
  const ways = new Map<string, { readonly node: Node; readonly way: readonly RemedyChange[] }[]>();
  let looks = 0;
  for (const node of task.nodeId === undefined ? state.nodes() : onlyNode(task.nodeId, state)) {
    const use = useOf(node.id, task, state, keptOn.get(node.id));
    looks += 1 + use.tasks;
    const way = wayTo(node, task, { requirements, constraints, rules, volumes }, use);
    if (way?.length === 0) return { fits: true, remedies: [] };
    if (way) {
      const shape = JSON.stringify(way.map(shapeOf));
      ways.set(shape, [...(ways.get(shape) ?? []), { node, way }]);
    }
    if (looks >= LOOKS_PER_STEP) {
      looks = 0;
      yield;
    }
  }
  const remedies = [...ways.values()].map(easiest);
  remedies.sort((a, b) => a.changes.length - b.changes.length || b.count - a.count);
  const isFree = task.nodeId === undefined && volumes.length === 0 && rules.every(isKeptAnywhere);
  const newNode = isFree ? newNodeFor(task, requirements, constraints) : [];
  return { fits: false, remedies: [...remedies.slice(0, REMEDIES_MAX), ...newNode] };
}

function requirementsOf(task: Task, state: ClusterState): Requirements {
  return compileRequirements(task, driversOf(state));
}

function* onlyNode(id: NodeId, state: ClusterState): Generator<Node, undefined, undefined> {
  const node = state.node(id);
  if (node) yield node;
}

/** What is taken on one node. */
interface Use {
  readonly tasks: number;
  readonly nanoCpus: number;
  readonly memoryBytes: number;
  readonly generic: GenericUse;
  readonly hostPorts: ReadonlySet<number>;
  /** Active tasks of the service. */
  readonly ofService: number;
}

/** @param kept - tasks for which room is kept there. */
function useOf(id: NodeId, { serviceId }: Task, state: ClusterState, kept: readonly Task[] = []): Use {
  const generic = new GenericUse();
  const hostPorts = new Set<number>();
  let tasks = 0;
  let nanoCpus = 0;
  let memoryBytes = 0;
  let ofService = 0;
  const count = (task: Task) => {
    const needs = needsOf(task.spec);
    nanoCpus += needs.nanoCpus;
    memoryBytes += needs.memoryBytes;
    generic.book(needs.generic, task.assignedGeneric, 1);
    for (const port of hostPortsOf(task.ports)) hostPorts.add(port);
    if (task.serviceId === serviceId && isMeantToRun(task.desiredState)) ofService += 1;
  };
  for (const task of state.tasksOfNode(id)) {
    tasks += 1;
    if (holdsPlace(task)) count(task);
  }
  kept.forEach(count);
  return { tasks, nanoCpus, memoryBytes, generic, hostPorts, ofService };
}

/** All that is asked of a node. */
interface Asked {
  readonly requirements: Requirements;
  readonly constraints: readonly ParsedConstraint[];
  readonly rules: readonly RuleInState[];
  /** Those that it follows, and that live somewhere. */
  readonly volumes: readonly VolumeHome[];
}

function wayTo(node: Node, task: Task, { requirements, constraints, rules, volumes }: Asked, use: Use): Way {
  const { placement } = task.spec;
  if (!isOnPlatform(node, placement.platforms)) return undefined;
  const unmet = unmetConstraints(node, constraints, placement.constraints);
  if (!unmet) return undefined;
  const way: RemedyChange[] = [];
  if (node.status.state !== 'ready') way.push({ kind: 'ready' });
  if (node.spec.availability !== 'active') way.push({ kind: 'active' });
  way.push(...lackingResources(node, requirements, use), ...unmet);
  for (const driver of requirements.drivers) {
    if (!hasPlugin(node, 'network', driver)) way.push({ kind: 'plugin', plugin: `network/${driver}` });
  }
  for (const port of requirements.hostPorts) {
    if (use.hostPorts.has(port)) way.push({ kind: 'host-port', port: hostPortText(port) });
  }
  const most = requirements.maxReplicasPerNode;
  if (most > 0 && use.ofService >= most) {
    way.push({ kind: 'replicas', most: use.ofService + 1, ending: use.ofService - most + 1 });
  }
  const elsewhere = volumes.filter(({ nodeId }) => nodeId !== node.id).map(({ name }) => name);
  if (elsewhere.length > 0) way.push({ kind: 'volume', volumes: elsewhere });
  for (const { kind, wanted, of, key } of rules) {
    // In another place other tasks are near.
    if (way.some((change) => mayMove(change, key))) return undefined;
    const standing = of(node);
    if (standing === 'outside') return undefined;
    if (standing === 'broken') way.push({ kind: kind === 'affinity' ? 'near' : 'away', wanted });
  }
  return way;
}

function lackingResources(node: Node, { needs }: Requirements, use: Use): RemedyChange[] {
  const { cpus, memoryBytes, generic } = node.description.resources;
  const lacks: RemedyChange[] = [];
  const lack = (resource: string, more: number) => {
    if (more > 0) lacks.push({ kind: 'resource', resource, more });
  };
  if (needs.nanoCpus > 0) lack('cpus', toCpus(needs.nanoCpus + use.nanoCpus - toNanoCpus(cpus)));
  if (needs.memoryBytes > 0) lack('memory', needs.memoryBytes + use.memoryBytes - memoryBytes);
  for (const [name, amount] of needs.generic) {
    lack(name, amount - freeAmount(offered(generic, name), name, [use.generic]));
  }
  return lacks;
}

/** What a change is about, without how much of it. */
function shapeOf(change: RemedyChange): unknown {
  switch (change.kind) {
    case 'resource':
      return [change.kind, change.resource];
    case 'replicas':
      return [change.kind];
    default:
      return change;
  }
}

function amountsOf(way: readonly RemedyChange[]): number[] {
  return way.flatMap((change) =>
    change.kind === 'resource' ? [change.more] : change.kind === 'replicas' ? [change.most] : [],
  );
}

/** Of nodes that need the same kinds of changes: the least that does on one, and all on which it does. */
function easiest(
  nodes: readonly { readonly node: Node; readonly way: readonly RemedyChange[] }[],
): Extract<Remedy, { readonly kind: 'change' }> {
  const [first, ...others] = nodes as [(typeof nodes)[number], ...(typeof nodes)[number][]];
  const best = others.reduce(
    (least, each) => (isLess(amountsOf(each.way), amountsOf(least.way)) ? each : least),
    first,
  );
  const most = amountsOf(best.way);
  const fitting = nodes.filter(({ way }) => amountsOf(way).every((amount, at) => amount <= (most[at] ?? 0)));
  const named = fitting.map(({ node: { id, description } }) => ({ id, name: description.hostname }));
  const words = best.way.map(changeInWords).join(' and ');
  const where = named.length === 1 ? `on ${named[0]?.name ?? ''}` : `on any of ${named.length} nodes`;
  return {
    kind: 'change',
    changes: best.way,
    nodes: named.slice(0, REMEDY_NODES_MAX),
    count: named.length,
    message: `${words} ${where}`,
  };
}

function isLess(a: readonly number[], b: readonly number[]): boolean {
  for (const [at, amount] of a.entries()) if (amount !== b[at]) return amount < (b[at] ?? 0);
  return false;
}

/** The change may take the node from one place to another, of those that this key makes. */
function mayMove(change: RemedyChange, key: string): boolean {
  if (change.kind === 'label' || change.kind === 'other-label') return change.label === key;
  return change.kind === 'role' ? key === 'node.role' : change.kind === 'constraint' && key !== 'node.id';
}

/** A node that nothing stands on keeps it, wherever it comes to be. */
function isKeptAnywhere({ kind, rule }: RuleInState): boolean {
  return kind === 'antiAffinity' && rule.topology === 'node.id';
}

/** A new node would do, unless a constraint names one that is there. */
function newNodeFor(
  { spec }: Task,
  { needs }: Requirements,
  constraints: readonly ParsedConstraint[],
): Remedy[] {
  const named = constraints.some(
    (each) =>
      'rule' in each ||
      termsOf(each).every(
        ({ key, operator }) => key.kind === 'node.id' && (operator === '==' || operator === 'in'),
      ),
  );
  if (named) return [];
  const node: NewNode = {
    cpus: toCpus(needs.nanoCpus),
    memoryBytes: needs.memoryBytes,
    generic: Object.fromEntries(needs.generic),
    constraints: spec.placement.constraints,
    platforms: spec.placement.platforms.map(({ os, architecture }) =>
      [os || '*', architecture || '*'].join('/'),
    ),
  };
  return [{ kind: 'new-node', node, message: newNodeInWords(node) }];
}
