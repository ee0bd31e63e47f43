/** What history tells: one change of one object, with who did it, when, and why. */

import type { Actor, EventType } from '../events/event.ts';
import { type Difference, fieldDifferences } from '../model/differences.ts';
import type { CommandId } from '../model/ids.ts';
import type { ObjectByKind, ObjectKind } from '../state/change.ts';

/** One change of one object. */
export type HistoryChange<K extends ObjectKind = ObjectKind> = K extends ObjectKind
  ? {
      /** The event that it came of. */
      readonly type: EventType;
      readonly kind: K;
      readonly action: 'created' | 'updated' | 'removed';
      /** The object behind the change; of a removed one, what it was last. */
      readonly object: ObjectByKind[K];
      /** The object before the change; absent when it was created. */
      readonly before?: ObjectByKind[K];
      /** Of an updated one: the fields that differ, with their values. Versions and times of updates are left out. */
      readonly differences: readonly Difference[];
      /** Index of the transaction. */
      readonly index: number;
      /** When it was committed, by the leader's clock; milliseconds since 1970. */
      readonly at: number;
      readonly actor: Actor;
      /** Index of the transaction that led to it. */
      readonly cause?: number;
      /** The command that it carried out, of those that came from users. */
      readonly commandId?: CommandId;
    }
  : never;

/** What history tells, one after the other. */
export type HistoryEvent<K extends ObjectKind = ObjectKind> =
  | HistoryChange<K>
  /**
   * This member was not told what happened after `after` up to `index` (it was away, and caught up with a snapshot), so
   * that changes are missing here.
   */
  | { readonly type: 'gap'; readonly after: number; readonly index: number };

/** What changes with every change, or repeats what stands beside it. */
const BOOKKEEPING: ReadonlySet<string> = new Set([
  'version',
  'updatedAt',
  'statusAppliedAt',
  'previousSpec',
  'previousSpecVersion',
]);

/** The fields of two versions of an object that differ, but for those that only keep books. */
export function objectDifferences(before: object, after: object): Difference[] {
  return fieldDifferences(withoutBookkeeping(before), withoutBookkeeping(after));
}

function withoutBookkeeping(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([name]) => !BOOKKEEPING.has(name)));
}
