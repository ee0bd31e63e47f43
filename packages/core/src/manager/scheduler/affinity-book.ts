/**
 * The rules of affinity that services have, and counts of the tasks that they are about. As long as no service has any,
 * it holds nothing and costs nothing; with rules, a task that comes or goes costs one step for each rule that is about
 * its service.
 */

import { type AffinityRule, hasAffinity, selectionText, selects } from '../../model/affinity.ts';
import { constraintKeyText, parseConstraintKey } from '../../model/constraint.ts';
import type { ServiceId } from '../../model/ids.ts';
import type { Node, Service, Task } from '../../model/objects.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import type { ServiceSpec } from '../../model/service-spec.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { AffinityCounts, Places } from './affinity-counts.ts';
import { rulesFor } from './affinity-rules.ts';
import type { Affinity, CountedRule } from './counted-rules.ts';
import { placeOf } from './holds-place.ts';
import type { NodeTable } from './node-table.ts';
import type { ServiceEntry } from './service-entry.ts';

/** Counts are all dropped, and made anew when asked for, once there are so many more than services. */
const COUNTS_PER_SERVICE_MAX = 4;
const COUNTS_MIN = 256;

/** Counts, and a rule that is about what they count. */
interface Counted {
  readonly rule: AffinityRule;
  readonly counts: AffinityCounts;
}

/** All rules and counts. */
export class AffinityBook {
  /** Counts by which a rule that was broken may be kept now, or the other way round, since this was emptied last. */
  readonly changed = new Set<AffinityCounts>();
  readonly #nodes: NodeTable;
  readonly #services: ReadonlyMap<ServiceId, ServiceEntry>;
  /** Services whose specs have rules. */
  readonly #ruled = new Map<ServiceId, ServiceSpec>();
  readonly #places = new Map<string, Places>();
  readonly #counted = new Map<string, Counted>();
  readonly #watchers = new Map<ServiceId, AffinityCounts[]>();
  #version = 0;

  constructor(nodes: NodeTable, services: ReadonlyMap<ServiceId, ServiceEntry>) {
    this.#nodes = nodes;
    this.#services = services;
  }

  /** Rules that were compiled under another version may be other ones now. */
  get version(): number {
    return this.#version;
  }

  /** Any service has rules. */
  get hasRules(): boolean {
    return this.#ruled.size > 0;
  }

  /** The counts that tasks of a service are counted in. */
  watchersOf(id: ServiceId): readonly AffinityCounts[] {
    return this.#watchers.get(id) ?? NOBODY;
  }

  /** A task on a node begins or ends to count. */
  count(id: ServiceId, slot: number, sign: 1 | -1, basis: AffinityCounts['basis']): void {
    if (this.#watchers.size === 0) return;
    for (const counts of this.watchersOf(id)) {
      if (counts.basis === basis) this.#note(counts, this.#add(counts, slot, sign));
    }
  }

  /** A service came, changed or went. */
  foldService(before: Service | undefined, after: Service | undefined): void {
    const id = (after ?? before)?.id;
    if (id === undefined) return;
    const isRuled = after !== undefined && hasAffinity(after.spec.task.placement);
    if (isRuled) this.#ruled.set(id, after.spec);
    else this.#ruled.delete(id);
    const [was, is] = [before, after].map((service) => service?.spec.task.placement.antiAffinity);
    if (!plainEqual(was, is)) this.#version += 1;
    if (this.#counted.size === 0 || !after) return;
    if (before && !plainEqual(before.spec.labels, after.spec.labels)) this.#dropCounts();
    if (before) return;
    for (const { rule, counts } of this.#counted.values()) {
      if (selects(rule, after.spec)) this.#watch(id, counts);
    }
  }

  /** A node changed: it may be in another place now. */
  foldNode(slot: number, before: Node, after: Node): void {
    for (const places of this.#places.values()) {
      if (places.single) continue;
      const from = places.of(slot, before);
      places.forget(slot);
      const to = places.of(slot, after);
      if (from === to) continue;
      for (const { counts } of this.#counted.values()) {
        if (counts.places === places) this.#note(counts, counts.move(slot, from, to, this.#nodes.length));
      }
    }
  }

  /** A node goes, with all that stands on it. */
  removeNode(slot: number, node: Node): void {
    for (const { counts } of this.#counted.values()) {
      this.#note(counts, counts.clear(slot, node, this.#nodes.length));
    }
    for (const places of this.#places.values()) places.forget(slot);
  }

  /** The rules for tasks like this one; undefined when there are none. */
  compile(sample: Task, state: ClusterState): Affinity | undefined {
    const { placement } = sample.spec;
    if (this.#ruled.size === 0 && !hasAffinity(placement)) return undefined;
    const service = state.service(sample.serviceId);
    if (!service) return undefined;
    if (this.#counted.size > COUNTS_PER_SERVICE_MAX * this.#services.size + COUNTS_MIN) this.#dropCounts();
    const rules: CountedRule[] = [];
    for (const each of rulesFor(placement, service.spec, this.#ruled.values())) {
      // A task that is to stop attracts nobody any more, and is in the way until it has stopped.
      const counts = this.#countsOf(each.rule, each.kind === 'affinity' ? 'active' : 'holding', state);
      if (counts) rules.push({ ...each, counts });
    }
    if (rules.length === 0) return undefined;
    return {
      required: rules.filter(({ rule }) => rule.strength === 'required'),
      preferred: rules.filter(({ rule }) => rule.strength === 'preferred'),
      isSelf: rules.some(({ isSelf }) => isSelf),
    };
  }

  #countsOf(
    rule: AffinityRule,
    basis: AffinityCounts['basis'],
    state: ClusterState,
  ): AffinityCounts | undefined {
    const topology = parseConstraintKey(rule.topology);
    if (!topology) return undefined;
    const placesKey = constraintKeyText(topology);
    const key = JSON.stringify([basis, placesKey, selectionText(rule)]);
    const known = this.#counted.get(key);
    if (known) return known.counts;
    const places = this.#places.get(placesKey) ?? new Places(topology);
    this.#places.set(placesKey, places);
    const counts = new AffinityCounts(places, basis);
    this.#counted.set(key, { rule, counts });
    for (const service of state.services()) {
      if (!selects(rule, service.spec)) continue;
      this.#watch(service.id, counts);
      for (const task of state.tasksOfService(service.id)) {
        const nodeId = placeOf(task);
        if (nodeId === undefined || (basis === 'active' && !isMeantToRun(task.desiredState))) continue;
        const slot = this.#nodes.slotOf(nodeId);
        if (slot !== -1) this.#add(counts, slot, 1);
      }
    }
    return counts;
  }

  #watch(id: ServiceId, counts: AffinityCounts): void {
    const watchers = this.#watchers.get(id) ?? [];
    this.#watchers.set(id, watchers);
    watchers.push(counts);
    const entry = this.#services.get(id);
    if (entry) entry.watchers = watchers;
  }

  #add(counts: AffinityCounts, slot: number, delta: number): boolean {
    return counts.add(slot, this.#nodes.nodes[slot], delta, this.#nodes.length);
  }

  #note(counts: AffinityCounts, turned: boolean): void {
    if (turned) this.changed.add(counts);
  }

  #dropCounts(): void {
    this.#counted.clear();
    this.#places.clear();
    this.#watchers.clear();
    this.changed.clear();
    for (const service of this.#services.values()) service.watchers = NOBODY;
    this.#version += 1;
  }
}

/** No counts: a service that no rule is about. */
export const NOBODY: readonly AffinityCounts[] = [];
