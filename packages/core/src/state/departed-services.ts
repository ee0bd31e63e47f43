/**
 * Services that were removed while tasks of theirs remain: what is kept of them, so that those tasks are still found by
 * the service's number and its name, and when even that is forgotten.
 */

import type { ServiceId } from '../model/ids.ts';
import { type DepartedService, nameKey } from './cluster-state.ts';
import type { DraftRoots } from './draft-roots.ts';

/** The service's name becomes free, and stands for the departed one as long as nobody newer departs under it. */
export function noteDeparture({ roots, owner }: DraftRoots, id: ServiceId, departed: DepartedService): void {
  const { name } = departed;
  roots.names = roots.names.delete(nameKey('service', name), owner).set(nameKey('departed', name), id, owner);
  roots.departed = roots.departed.set(id, departed, owner);
}

/** Forgets a departed service, unless tasks of it remain. @param row The number of its row. */
export function forgetServiceWithoutTasks({ roots, owner }: DraftRoots, id: ServiceId, row: number): void {
  if (roots.slots.get(row) !== undefined) return;
  const key = nameKey('departed', roots.departed.get(id)?.name ?? '');
  roots.departed = roots.departed.delete(id, owner);
  roots.services = { ...roots.services, ids: roots.services.ids.delete(id, owner) };
  if (roots.names.get(key) !== id) return;
  const heir = newestDeparted(roots, key);
  roots.names = heir === undefined ? roots.names.delete(key, owner) : roots.names.set(key, heir, owner);
}

/** The departed service that a name stands for: of those who had it, the one made last. */
function newestDeparted(roots: DraftRoots['roots'], key: string): ServiceId | undefined {
  let newest: { readonly id: ServiceId; readonly row: number } | undefined;
  for (const [id, { name }] of roots.departed.entries()) {
    const row = roots.services.ids.get(id) ?? 0;
    if (nameKey('departed', name) === key && row > (newest?.row ?? 0)) newest = { id, row };
  }
  return newest?.id;
}
