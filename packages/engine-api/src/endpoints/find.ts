/** Finding an object as clients name it: by its id, its name with its case, or the beginning of its id. */

import { AmbiguousError } from '@skep/core';
import { Refusal } from '../server/refusal.ts';

/** What has an id. */
interface Identified {
  readonly id: string;
}

/**
 * The object that a reference stands for.
 *
 * @param quick - looks it up by id or name, and may throw or give one whose name differs in case
 * @param list - all objects, for the beginning of an id
 * @throws Refusal 404, or 400 where several ids begin so; AmbiguousError where several have the name
 */
export function findNamed<T extends Identified>(
  kind: string,
  reference: string,
  {
    quick,
    list,
    nameOf,
  }: {
    readonly quick: () => T;
    readonly list: () => readonly T[];
    readonly nameOf: (object: T) => string;
  },
): T {
  const direct = tried(quick);
  if (direct !== undefined && (direct.id === reference || nameOf(direct) === reference)) return direct;
  const begun = reference === '' ? [] : list().filter(({ id }) => id.startsWith(reference));
  const [only, another] = begun;
  if (only === undefined) throw new Refusal(404, `${kind} ${reference} not found`);
  if (another !== undefined) {
    throw new Refusal(400, `${kind} ${reference} is ambiguous (${begun.length} matches found)`);
  }
  return only;
}

function tried<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch (error) {
    if (error instanceof AmbiguousError) throw error;
    return undefined;
  }
}
