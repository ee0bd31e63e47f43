/** The shape of a JSON value: which keys there are, and of which types. Values are left aside. */

/** For each path (`[].Spec.Name`), the types that stand there. */
export type Shape = ReadonlyMap<string, ReadonlySet<string>>;

/** One place where two shapes differ. */
export interface ShapeDifference {
  /** The topmost path that differs. */
  readonly path: string;
  readonly kind: 'missing' | 'added' | 'type';
  readonly text: string;
}

/** The shape of a value. Members of a list share one. */
export function shapeOf(value: unknown): Shape {
  const shape = new Map<string, Set<string>>();
  note(value, '', shape);
  return shape;
}

function note(value: unknown, path: string, shape: Map<string, Set<string>>): void {
  const types = shape.get(path) ?? new Set();
  types.add(typeOf(value));
  shape.set(path, types);
  if (Array.isArray(value)) for (const member of value) note(member, `${path}[]`, shape);
  else if (typeof value === 'object' && value !== null) {
    for (const [key, member] of Object.entries(value)) {
      note(member, path === '' ? key : `${path}.${key}`, shape);
    }
  }
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

/** Where what was answered differs from what was recorded. What is below an empty list is unknown, and no difference. */
export function shapeDifferences(recorded: Shape, answered: Shape): ShapeDifference[] {
  const found: ShapeDifference[] = [];
  const reported = (path: string) => found.some((one) => path.startsWith(one.path) && path !== one.path);
  for (const [path, types] of recorded) {
    if (reported(path) || isUnknown(path, answered)) continue;
    const there = answered.get(path);
    if (there === undefined) found.push({ path, kind: 'missing', text: `${path} is missing` });
    else if (![...types].some((type) => there.has(type))) {
      const text = `${path} is ${[...there].join('|')} instead of ${[...types].join('|')}`;
      found.push({ path, kind: 'type', text });
    }
  }
  for (const path of answered.keys()) {
    if (recorded.has(path) || reported(path) || isUnknown(path, recorded)) continue;
    found.push({ path, kind: 'added', text: `${path} is added` });
  }
  return found;
}

/** Whether the path is below a list that has no members there. */
function isUnknown(path: string, shape: Shape): boolean {
  for (let at = path.indexOf('[]'); at >= 0; at = path.indexOf('[]', at + 2)) {
    if (shape.get(path.slice(0, at))?.has('array') && !shape.has(path.slice(0, at + 2))) return true;
  }
  return false;
}
