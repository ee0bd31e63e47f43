/** Finds out whether something waits for itself, over others. Pure. */

/**
 * The way from a name back to itself, which it begins and ends with; undefined if there is none. Each name is looked at
 * once, however many ways lead to it.
 */
export function findCycle(
  start: string,
  dependenciesOf: (name: string) => readonly string[],
): readonly string[] | undefined {
  const home = start.toLowerCase();
  const seen = new Set<string>();
  const open: (readonly string[])[] = [[start]];
  for (let way = open.pop(); way !== undefined; way = open.pop()) {
    for (const next of dependenciesOf(way.at(-1) ?? start)) {
      const key = next.toLowerCase();
      if (key === home) return [...way, start];
      if (seen.has(key)) continue;
      seen.add(key);
      open.push([...way, next]);
    }
  }
  return undefined;
}
