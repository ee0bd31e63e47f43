/**
 * What a transaction changed, object by object: the feed that control loops and watchers live on. It is made while
 * the transaction is applied, so nobody ever compares whole states.
 */

import type { Actor } from '../events/event.ts';
import type { ClusterObject, Config, Network, Node, Secret, Service, Task } from '../model/objects.ts';

/** The kinds of objects and what they look like. */
export interface ObjectByKind {
  readonly cluster: ClusterObject;
  readonly node: Node;
  readonly service: Service;
  readonly task: Task;
  readonly network: Network;
  readonly secret: Secret;
  readonly config: Config;
}

/** Name of a kind of object. */
export type ObjectKind = keyof ObjectByKind;

/** One object's change. Created: no `before`. Removed: no `after`. At least one is there. */
export type ChangeOf<K extends ObjectKind> = K extends ObjectKind
  ? {
      readonly kind: K;
      readonly before: ObjectByKind[K] | undefined;
      readonly after: ObjectByKind[K] | undefined;
    }
  : never;

/** Any object's change. */
export type Change = ChangeOf<ObjectKind>;

/** What one transaction changed. An object that it touched twice stands here twice, in order. */
export interface ChangeSet {
  /** Index of the transaction. */
  readonly index: number;
  readonly at: number;
  readonly actor: Actor;
  readonly cause?: number;
  readonly changes: readonly Change[];
  /** Volumes that have come to live on a node, or do no more. Absent: none. */
  readonly volumes?: readonly string[];
  /** Secret values were dropped: what is durable must forget them too. */
  readonly forgets: boolean;
  /** The transaction carries secret values, which nothing but the log may keep. */
  readonly confides: boolean;
}

/** Whether a change set has anything of a service: itself, its tasks, or a node, on which its tasks may stand. */
export function concernsService(changes: ChangeSet, id: string): boolean {
  for (const { kind, before, after } of changes.changes) {
    if (kind === 'node') return true;
    const object = after ?? before;
    if (kind === 'task' && object && (object as Task).serviceId === id) return true;
    if (kind === 'service' && object?.id === id) return true;
  }
  return false;
}
