/** Changes of the cluster as the engine's events of swarm scope. */

import type { HistoryChange, Node, Service, WatchEvent } from '@skep/core';

/** An event in the engine's shape, but for its time in nanoseconds. */
export interface SwarmEvent {
  readonly Type: 'node' | 'service' | 'network' | 'secret' | 'config';
  readonly Action: 'create' | 'update' | 'remove';
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'swarm';
  /** Seconds since 1970. */
  readonly time: number;
}

/** A change of an object, from a watch or from history. */
export type ObjectChange =
  | Extract<WatchEvent, { readonly type: 'created' | 'updated' | 'removed' }>
  | HistoryChange;

const ACTIONS = { created: 'create', updated: 'update', removed: 'remove' } as const;

/** The event that a change is; undefined for what the engine has none of: tasks, the cluster itself. */
export function swarmEventOf(change: ObjectChange): SwarmEvent | undefined {
  const action = 'action' in change ? change.action : change.type;
  const attributes = attributesOf(change);
  if (attributes === undefined || change.kind === 'task' || change.kind === 'cluster') return undefined;
  return {
    Type: change.kind,
    Action: ACTIONS[action],
    Actor: { ID: change.object.id, Attributes: attributes },
    scope: 'swarm',
    time: Math.floor(change.at / 1_000),
  };
}

/** The line of an event. Nanoseconds since 1970 are more than a double can hold, so they are written as text. */
export function eventLine(event: SwarmEvent, at: number): string {
  return `${JSON.stringify(event).slice(0, -1)},"timeNano":${at}000000}\n`;
}

function attributesOf(change: ObjectChange): Record<string, string> | undefined {
  const before = 'before' in change ? change.before : undefined;
  switch (change.kind) {
    case 'node':
      return nodeAttributes(change.object, before as Node | undefined);
    case 'service':
      return serviceAttributes(change.object, before as Service | undefined);
    case 'network':
    case 'secret':
    case 'config':
      return { name: change.object.spec.name };
    default:
      return undefined;
  }
}

function nodeAttributes(node: Node, before: Node | undefined): Record<string, string> {
  const { spec, status, description } = node;
  return {
    name: description.hostname,
    ...(before && {
      ...difference('state', before.status.state, status.state),
      ...difference('availability', before.spec.availability, spec.availability),
      ...difference('role', before.spec.role, spec.role),
    }),
  };
}

function serviceAttributes(service: Service, before: Service | undefined): Record<string, string> {
  const { spec, updateStatus } = service;
  return {
    name: spec.name,
    ...(before && {
      ...difference('replicas', before.spec.replicas, spec.replicas),
      ...difference('image', before.spec.task.image, spec.task.image),
      ...difference('updatestate', before.updateStatus?.state, updateStatus?.state),
    }),
  };
}

/** What was absent is told by what it is now alone. */
function difference(name: string, before?: string | number, now?: string | number): Record<string, string> {
  if (before === now) return {};
  return {
    ...(before !== undefined && { [`${name}.old`]: String(before) }),
    ...(now !== undefined && { [`${name}.new`]: String(now) }),
  };
}
