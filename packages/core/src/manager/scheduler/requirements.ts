/**
 * What a task asks of the node it is to stand on, compiled from its spec once for all tasks of a service that are
 * alike, so that looking at a node reads numbers and never text.
 */

import { type ConstraintKey, constraintKeyText, parseConstraintKey } from '../../model/constraint.ts';
import { compileConstraints } from '../../model/constraint-match.ts';
import { asId, type NetworkId, type NodeId } from '../../model/ids.ts';
import type { AllocatedPort, Node, Task } from '../../model/objects.ts';
import type { PlacementStrategy, TaskSpec } from '../../model/task-spec.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { Affinity } from './counted-rules.ts';
import type { GenericNeeds } from './generic-use.ts';
import {
  causesOf,
  FIRST_OF_LISTS,
  FIT,
  LAST_REMEMBERED,
  ON_OTHER_PLATFORM,
  type Verdict,
  type VerdictCause,
} from './verdicts.ts';

/** What a task takes of a node's capacity. Limits do not count, only reservations. */
export interface Needs {
  /** In billionths of a processor, so that sums are exact. 0 = not asked for. */
  readonly nanoCpus: number;
  /** 0 = not asked for. */
  readonly memoryBytes: number;
  readonly generic: GenericNeeds;
}

/** What never depends on the tasks that a node has: plugins, constraints, platform. */
export interface StaticRequirements {
  /** The same for tasks that ask the same. Empty: nothing is asked. */
  readonly key: string;
  readonly judge: (node: Node) => Verdict;
  /** What the verdicts from {@link FIRST_OF_LISTS} on stand for. */
  readonly causes: readonly VerdictCause[];
}

/** All that a task asks. */
export interface Requirements {
  readonly needs: Needs;
  readonly static: StaticRequirements;
  /** Drivers of its networks. */
  readonly drivers: readonly string[];
  /** Host ports that it opens; see {@link hostPortsOf}. */
  readonly hostPorts: readonly number[];
  /** 0 = no limit. */
  readonly maxReplicasPerNode: number;
  /** Keys of the spread preferences, outermost first. */
  readonly spread: readonly ConstraintKey[];
  /** The same for tasks with the same preferences. */
  readonly spreadKey: string;
  /** By verdict, what it stands for. */
  readonly causes: readonly VerdictCause[];
  /** The verdict for want of the first generic resource that is asked for; the others follow. */
  readonly firstGeneric: Verdict;
  /** The verdict for the first host port being taken; the others follow. */
  readonly firstHostPort: Verdict;
  /** Absent: no rule holds for it. */
  readonly affinity?: Affinity;
  /** The verdict for the first required rule of affinity being broken; the others follow. */
  readonly firstAffinity: Verdict;
  /** Nodes are filled one after the other. */
  readonly binpack: boolean;
  /** Absent: it follows no volume. */
  readonly home?: VolumeHomes;
}

/** Where the volumes live that a task follows. */
export interface VolumeHomes {
  /** More than one: no node has them all. */
  readonly nodes: readonly NodeId[];
  /** The verdict on any other node. */
  readonly verdict: Verdict;
}

/** What is asked beside the task's own words: the rules that hold for it, and what goes where it says nothing. */
export interface PlacementContext {
  readonly affinity?: Affinity | undefined;
  readonly strategy?: PlacementStrategy | undefined;
  /** Where the volumes live that it follows. */
  readonly homes?: readonly Pick<Node, 'id' | 'description'>[];
}

/** True when nodes are ordered by more than failures, tasks and spread preferences. */
export function isScored({ affinity, binpack }: Requirements): boolean {
  return affinity !== undefined || binpack;
}

/** Billionths in one processor. */
const NANO = 1e9;
const PROTOCOLS: readonly AllocatedPort['protocol'][] = ['tcp', 'udp', 'sctp'];
const NO_PORTS: readonly number[] = [];
const ARCHITECTURE_ALIASES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };

// Specs are immutable and shared by all tasks made from them, so what was worked out once holds.
const needsBySpec = new WeakMap<TaskSpec, Needs>();

/** Processors as a whole number of billionths. */
export function toNanoCpus(cpus: number): number {
  return Math.round(cpus * NANO);
}

/** Processors, from a whole number of billionths. */
export function toCpus(nanoCpus: number): number {
  return nanoCpus / NANO;
}

/** What a task with this spec takes of a node's capacity. */
export function needsOf(spec: TaskSpec): Needs {
  const known = needsBySpec.get(spec);
  if (known) return known;
  const { cpus = 0, memoryBytes = 0, generic = {} } = spec.resources.reservations;
  const needs: Needs = { nanoCpus: toNanoCpus(cpus), memoryBytes, generic: Object.entries(generic) };
  needsBySpec.set(spec, needs);
  return needs;
}

/** The ports that a task opens on its node's own address, each as one number that holds the protocol too. */
export function hostPortsOf(ports: readonly AllocatedPort[]): readonly number[] {
  if (ports.length === 0) return NO_PORTS;
  const found: number[] = [];
  for (const { mode, published, protocol } of ports) {
    if (mode === 'host' && published !== undefined)
      found.push(PROTOCOLS.indexOf(protocol) * 65_536 + published);
  }
  return found.length === 0 ? NO_PORTS : found.sort((a, b) => a - b);
}

/**
 * Compiles what a task asks.
 *
 * @param networkDriver - the driver of a network by its name, where the network exists.
 * @param context - default: no rule holds, and nodes are taken evenly.
 */
export function compileRequirements(
  task: Task,
  networkDriver: (name: string) => string | undefined,
  { affinity, strategy, homes = [] }: PlacementContext = {},
): Requirements {
  const { placement, networks } = task.spec;
  const spread = placement.preferences.flatMap((preference) => parseConstraintKey(preference.spread) ?? []);
  const drivers = [...new Set(networks.flatMap(({ name }) => networkDriver(name) ?? []))].sort();
  const needs = needsOf(task.spec);
  const fixed = compileStatic(placement, drivers);
  const hostPorts = hostPortsOf(task.ports);
  const generic = needs.generic.map(([what, asked]): VerdictCause => ({ filter: 'resources', what, asked }));
  const ports = hostPorts.map((port): VerdictCause => ({ filter: 'host-port', what: hostPortText(port) }));
  const rules = (affinity?.required ?? []).map(
    ({ kind, broken }): VerdictCause => ({
      filter: kind === 'affinity' ? 'affinity' : 'anti-affinity',
      what: broken,
    }),
  );
  const names = homes.map(({ description }) => description.hostname).join(' and ');
  const home: VerdictCause[] =
    homes.length === 0 ? [] : [{ filter: 'volume', what: `they live on ${names}` }];
  const asked = { cpus: toCpus(needs.nanoCpus), memoryBytes: needs.memoryBytes };
  const firstGeneric = FIRST_OF_LISTS + fixed.causes.length;
  const firstHostPort = firstGeneric + generic.length;
  const firstAffinity = firstHostPort + ports.length;
  return {
    needs,
    drivers,
    static: fixed,
    hostPorts,
    maxReplicasPerNode: placement.maxReplicasPerNode,
    spread,
    spreadKey: JSON.stringify(spread.map(constraintKeyText)),
    causes: causesOf(asked, [...fixed.causes, ...generic, ...ports, ...rules, ...home]),
    firstGeneric,
    firstHostPort,
    ...(affinity === undefined ? {} : { affinity }),
    firstAffinity,
    binpack: (placement.strategy ?? strategy) === 'binpack',
    ...(homes.length === 0
      ? {}
      : { home: { nodes: homes.map(({ id }) => id), verdict: firstAffinity + rules.length } }),
  };
}

/** Finds the driver of a network by the network's name. */
export function driversOf(state: ClusterState): (name: string) => string | undefined {
  return (name) => {
    const id = state.idByName('network', name);
    return id === undefined ? undefined : state.network(asId<NetworkId>(id))?.spec.driver;
  };
}

/** A port of {@link hostPortsOf} as people write it: `8080/tcp`. */
export function hostPortText(port: number): string {
  return `${port % 65_536}/${PROTOCOLS[Math.floor(port / 65_536)] ?? ''}`;
}

function compileStatic(placement: TaskSpec['placement'], drivers: readonly string[]): StaticRequirements {
  const { constraints, platforms } = placement;
  if (constraints.length === 0 && platforms.length === 0 && drivers.length === 0) {
    return { key: '', judge: () => FIT, causes: [] };
  }
  const meets = constraints.map((constraint) => compileConstraints([constraint]));
  const causes = [
    ...drivers.map((driver): VerdictCause => ({ filter: 'plugin', what: `network/${driver}` })),
    ...constraints.map((what): VerdictCause => ({ filter: 'constraint', what })),
  ].slice(0, LAST_REMEMBERED + 1 - FIRST_OF_LISTS);
  const verdict = (place: number) => Math.min(FIRST_OF_LISTS + place, LAST_REMEMBERED);
  return {
    key: JSON.stringify([constraints, platforms.map(({ os, architecture }) => [os, architecture]), drivers]),
    judge: (node) => {
      const missing = drivers.findIndex((driver) => !hasPlugin(node, 'network', driver));
      if (missing !== -1) return verdict(missing);
      const unmet = meets.findIndex((isMet) => !isMet(node));
      if (unmet !== -1) return verdict(drivers.length + unmet);
      return isOnPlatform(node, platforms) ? FIT : ON_OTHER_PLATFORM;
    },
    causes,
  };
}

/** A driver that does not tell its plugins is trusted to have them. `name:latest` is the plugin `name`. */
export function hasPlugin(node: Node, type: string, name: string): boolean {
  const { plugins } = node.description.engine;
  if (plugins === undefined) return true;
  const wanted = `${type}/${name}`;
  return plugins.some((plugin) => {
    const slash = plugin.indexOf('/');
    const text = plugin.slice(0, slash).toLowerCase() + plugin.slice(slash);
    return text === wanted || text === `${wanted}:latest`;
  });
}

/** Any of the platforms will do; none are all. */
export function isOnPlatform(node: Node, platforms: TaskSpec['placement']['platforms']): boolean {
  if (platforms.length === 0) return true;
  const { os, architecture } = node.description.platform;
  return platforms.some(
    (platform) =>
      (platform.os === '' || platform.os.toLowerCase() === os.toLowerCase()) &&
      (platform.architecture === '' ||
        commonArchitecture(platform.architecture) === commonArchitecture(architecture)),
  );
}

function commonArchitecture(architecture: string): string {
  const lower = architecture.toLowerCase();
  return Object.hasOwn(ARCHITECTURE_ALIASES, lower) ? (ARCHITECTURE_ALIASES[lower] ?? lower) : lower;
}
