/** Equality of plain data: objects, arrays, bytes and primitives, as specs, descriptions and statuses are made of. */

/** True when both say the same. A property that is `undefined` counts as absent; order does not count. */
export function plainEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (isList(a) || isList(b)) {
    if (!isList(a) || !isList(b) || a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!plainEqual(a[index], b[index])) return false;
    return true;
  }
  const told = Object.entries(a).filter(([, value]) => value !== undefined);
  return (
    told.length === Object.values(b).filter((value) => value !== undefined).length &&
    told.every(([key, value]) => Object.hasOwn(b, key) && plainEqual(value, Reflect.get(b, key)))
  );
}

function isList(value: object): value is ArrayLike<unknown> & object {
  return Array.isArray(value) || value instanceof Uint8Array;
}
