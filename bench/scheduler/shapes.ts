/** What is scheduled: how many of what, and what the tasks ask of their nodes. */

/** A cluster and the tasks that wait in it. */
export interface Shape {
  readonly nodes: number;
  readonly tasks: number;
  readonly services: number;
  /** Each service may stand on half of the nodes only. */
  readonly constraints: boolean;
  /** Each task reserves a share of a processor and memory. */
  readonly reservations: boolean;
  /** Each service is spread over 4 zones, and over 10 racks in each. */
  readonly preferences: boolean;
}

const SIZES = [
  { nodes: 1_000, tasks: 10_000, services: 10 },
  { nodes: 1_000, tasks: 100_000, services: 100 },
  { nodes: 5_000, tasks: 100_000, services: 100 },
  { nodes: 10_000, tasks: 1_000_000, services: 1_000 },
] as const;

/** What tasks may ask. */
const KINDS = ['constraints', 'reservations', 'preferences'] as const;

const PLAIN = { constraints: false, reservations: false, preferences: false } as const;

/** Every size plain, with a constraint, with reservations, and with a two-level preference. */
export const DEFAULT_SHAPES: readonly Shape[] = SIZES.flatMap((size) => [
  { ...size, ...PLAIN },
  ...KINDS.map((kind) => ({ ...size, ...PLAIN, [kind]: true })),
]);

/** `10,000 x 1,000,000 / 1,000` nodes, tasks and services. */
export function sizeInWords({ nodes, tasks, services }: Shape): string {
  return (
    [nodes, tasks].map((count) => count.toLocaleString('en-US')).join(' x ') +
    ` / ${services.toLocaleString('en-US')}`
  );
}

/** What its tasks ask. */
export function kindInWords(shape: Shape): string {
  return KINDS.filter((kind) => shape[kind]).join(', ') || 'plain';
}

/** The arguments that ask for this shape. */
export function shapeArguments(shape: Shape): string[] {
  const { nodes, tasks, services } = shape;
  const size = ['--nodes', String(nodes), '--tasks', String(tasks), '--services', String(services)];
  return [...size, ...KINDS.filter((kind) => shape[kind]).map((kind) => `--${kind}`)];
}

/** How often a shape is timed: small ones last milliseconds, the largest takes seconds and says the same each time. */
export function runsOf({ tasks }: Shape): number {
  if (tasks <= 10_000) return 15;
  return tasks <= 100_000 ? 5 : 3;
}
