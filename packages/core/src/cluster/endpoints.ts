/** The endpoint feed: who may receive a service's traffic now. */

import { distinctUntilChanged, Observable } from 'rxjs';
import { differences } from '../model/differences.ts';
import { asId, type NodeId, type TaskId } from '../model/ids.ts';
import type { Service, TaskPort } from '../model/objects.ts';
import type { Lifetime } from '../runtime/lifetime.ts';
import { concernsService } from '../state/change.ts';
import type { ChangeFeed } from '../state/change-feed.ts';
import type { ClusterState } from '../state/cluster-state.ts';

/** One task that may receive traffic. */
export interface Endpoint {
  readonly taskId: TaskId;
  readonly nodeId: NodeId;
  /** Address of the task's node. */
  readonly address: string;
  /** Where the task's target ports are reached on that address. */
  readonly ports: readonly TaskPort[];
}

/** All tasks of a service that may receive traffic, by task id. */
export type Endpoints = readonly Endpoint[];

/**
 * The endpoints of a service: tasks that run (which means healthy, where health is probed), are meant to, and whose
 * node is not down. A task that is told to stop leaves in the same transaction that tells it.
 */
export function endpointsOf(state: ClusterState, service: Service): Endpoints {
  const endpoints: Endpoint[] = [];
  for (const task of state.tasksOfService(service.id)) {
    if (task.status.state !== 'running' || task.desiredState !== 'running' || task.nodeId === undefined)
      continue;
    const node = state.node(task.nodeId);
    if (!node || node.status.state === 'down') continue;
    endpoints.push({
      taskId: task.id,
      nodeId: task.nodeId,
      address: node.status.address,
      ports: task.status.runtime?.ports ?? [],
    });
  }
  return endpoints.sort((a, b) => (a.taskId < b.taskId ? -1 : 1));
}

/**
 * The endpoints of a service now, and each time that they differ. Looks only at commits that concern the service.
 *
 * @param ref - id or name; a service that is not there, or no more, has none.
 */
export function watchEndpoints(feed: ChangeFeed, ref: string, lifetime: Lifetime): Observable<Endpoints> {
  const find = (state: ClusterState) => state.serviceByName(ref) ?? state.service(asId(ref));
  const now = (): Endpoints => {
    const service = find(feed.state);
    return service ? endpointsOf(feed.state, service) : [];
  };
  return new Observable<Endpoints>((subscriber) => {
    let known = find(feed.state)?.id;
    let queued = false;
    // Subscribers run after the commit, not inside it: what they do must not hold up the log.
    const tell = () => {
      queued = false;
      if (!subscriber.closed) subscriber.next(now());
    };
    tell();
    const stop = feed.onAdvance((entry) => {
      const id = find(feed.state)?.id;
      const same = id === known && entry !== undefined;
      known = id;
      if (queued || (same && (id === undefined || !concernsService(entry.changes, id)))) return;
      queued = true;
      queueMicrotask(tell);
    });
    const stopLiving = lifetime.onEnd(() => subscriber.complete());
    return () => {
      stop();
      stopLiving();
    };
  }).pipe(distinctUntilChanged((a, b) => differences(a, b).length === 0));
}
