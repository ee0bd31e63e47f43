/** What the scheduler keeps of one service: where its tasks stand, where they failed of late, and what waits. */

import type { ServiceId } from '../../model/ids.ts';
import type { AffinityCounts } from './affinity-counts.ts';
import type { FailureRecord } from './failure-record.ts';
import { NodeCounts } from './node-counts.ts';
import type { PendingGroup } from './pending-group.ts';
import type { Requirements } from './requirements.ts';

/** One service, as long as it exists or anything of it stands or waits anywhere. */
export interface ServiceEntry {
  readonly id: ServiceId;
  /** Row number of the service, which orders services: older ones are placed first. */
  row: number;
  /** False once the service is removed, and its last tasks are going. */
  exists: boolean;
  /** Higher ones get nodes first. */
  priority: number;
  /** It has, or once had, another priority than 0: what its tasks hold is counted. */
  isPrioritised: boolean;
  /** Tasks for which room is being made. */
  nominees: number;
  /** Active tasks by node, without those that yield. */
  readonly active: NodeCounts;
  /** Tasks that stay until another one of their slot runs, by node. */
  readonly yielding: NodeCounts;
  /** Failures by spec version. */
  readonly failures: Map<number, FailureRecord>;
  /** What waits for a node, by {@link groupKey}. */
  readonly groups: Map<string, ServiceGroup>;
  /** Compiled requirements of the newest kinds of its tasks, by {@link groupKey}. */
  readonly compiled: Map<string, Requirements>;
  /** Version of the rules of affinity that they were compiled under. */
  compiledUnder: number;
  /** Counts of affinity that its tasks are counted in. */
  watchers: readonly AffinityCounts[];
}

/** What waits of one service. */
export type ServiceGroup = PendingGroup<ServiceEntry>;

export function newServiceEntry(
  id: ServiceId,
  row: number,
  exists: boolean,
  watchers: readonly AffinityCounts[] = [],
): ServiceEntry {
  return {
    id,
    row,
    exists,
    priority: 0,
    isPrioritised: false,
    nominees: 0,
    active: new NodeCounts(),
    yielding: new NodeCounts(),
    failures: new Map(),
    groups: new Map(),
    compiled: new Map(),
    compiledUnder: 0,
    watchers,
  };
}

/**
 * Tasks of one service that are alike for the scheduler have the same key: spec version, host ports, and the nodes on
 * which their volumes live.
 */
export function groupKey(
  specVersion: number,
  hostPorts: readonly number[],
  homes: readonly string[] = [],
): string {
  const key = hostPorts.length === 0 ? String(specVersion) : `${specVersion}/${hostPorts.join(',')}`;
  return homes.length === 0 ? key : `${key}@${homes.join(',')}`;
}
