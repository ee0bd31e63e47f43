/**
 * Which objects a block of records touches, as numbers: 32-bit hashes of ids and names, sorted. Two objects that share
 * a hash cost a block read in vain, never a change missed.
 */

import type { Node, Service, Task } from '../model/objects.ts';
import type { ChangeSet, ObjectKind } from '../state/change.ts';
import { hashString } from '../state/persistent/hash-string.ts';

/** The key of an object, by its id. */
export function objectKey(id: string): number {
  return hashString(id) >>> 0;
}

/** The key of whatever has this name, or this hostname. */
export function nameOfKey(kind: ObjectKind, name: string): number {
  return hashString(`${kind}/${name.toLowerCase()}`) >>> 0;
}

/** The key of the tasks of a service. */
export function tasksKey(serviceId: string): number {
  return hashString(`tasks/${serviceId}`) >>> 0;
}

/** The keys of all that these changes touch, sorted, each once. */
export function touchedKeys(sets: readonly ChangeSet[]): Uint32Array {
  const keys: number[] = [];
  let serviceId: string | undefined;
  for (const { changes } of sets) {
    for (const { kind, before, after } of changes) {
      const object = after ?? before;
      if (object === undefined) continue;
      keys.push(objectKey(object.id));
      if (kind === 'task') {
        const task = object as Task;
        // Tasks of one service come in rows, so its key is pushed once a row.
        if (task.serviceId !== serviceId) keys.push(tasksKey(task.serviceId));
        serviceId = task.serviceId;
        continue;
      }
      const name = kind === 'node' ? (object as Node).description.hostname : (object as Service).spec.name;
      if (name !== undefined) keys.push(nameOfKey(kind, name));
    }
  }
  return distinct(Uint32Array.from(keys).sort());
}

/** Whether sorted keys hold this one. */
export function hasKey(keys: Uint32Array, key: number): boolean {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((keys[middle] ?? 0) < key) low = middle + 1;
    else high = middle;
  }
  return keys[low] === key;
}

function distinct(sorted: Uint32Array): Uint32Array {
  let length = 0;
  for (const key of sorted) {
    if (length > 0 && sorted[length - 1] === key) continue;
    sorted[length] = key;
    length += 1;
  }
  return sorted.slice(0, length);
}
