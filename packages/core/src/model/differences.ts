/** Where two plain values differ. */

/** One field that differs. */
export interface Difference {
  /** Path of the field: `spec.task.image`, `spec.ports[0].target`. */
  readonly field: string;
  /** Absent when there was none. */
  readonly before?: unknown;
  /** Absent when there is none any more. */
  readonly after?: unknown;
}

/**
 * The paths at which two plain values differ, shortest first in their own order: `['replicas', 'task.image']`. Empty
 * when they are equal. Lists of different length differ as a whole.
 */
export function differences(a: unknown, b: unknown): string[] {
  return fieldDifferences(a, b).map(({ field }) => field);
}

/** The same with the values themselves. */
export function fieldDifferences(before: unknown, after: unknown, field = ''): Difference[] {
  if (Object.is(before, after)) return [];
  const isWhole =
    !isComposite(before) || !isComposite(after) || Array.isArray(before) !== Array.isArray(after);
  if (isWhole) return [difference(field, before, after)];
  if (Array.isArray(before) && Array.isArray(after)) {
    if (before.length !== after.length) return [difference(field, before, after)];
    return before.flatMap((item, index) => fieldDifferences(item, after[index], `${field}[${index}]`));
  }
  const left = before as Readonly<Record<string, unknown>>;
  const right = after as Readonly<Record<string, unknown>>;
  const keys = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...keys].flatMap((key) =>
    fieldDifferences(left[key], right[key], field === '' ? key : `${field}.${key}`),
  );
}

function difference(field: string, before: unknown, after: unknown): Difference {
  return {
    field,
    ...(before === undefined ? {} : { before }),
    ...(after === undefined ? {} : { after }),
  };
}

function isComposite(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
}
