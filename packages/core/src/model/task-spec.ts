/**
 * What one task of a service should be: what runs, with what, where it may stand, and how it is restarted.
 * Types are inferred from the schemas, so that a spec that passed the door is what the type says.
 */

import * as z from 'zod';
import { affinityRules } from './affinity.ts';
import { labels, milliseconds, objectName, programText, templateText } from './names.ts';

/** Least memory that a reservation or limit may name: 4 MiB. */
export const MEMORY_BYTES_MIN = 4 * 1024 * 1024;
/** Least share of a processor that a reservation or limit may name. */
export const CPUS_MIN = 0.001;

const cpus = z.number().min(CPUS_MIN, `must be at least ${CPUS_MIN}`);
const memoryBytes = z
  .number()
  .int('must be a whole number of bytes')
  .min(MEMORY_BYTES_MIN, 'must be at least 4 MiB');
const port = z
  .number()
  .int('must be a whole number')
  .min(1, 'must be from 1 to 65535')
  .max(65_535, 'must be from 1 to 65535');
/** What ends up with an operating system: no NUL anywhere. */
const text = programText.min(1, 'must not be empty');
/** The same, as a template. */
const filledIn = templateText.min(1, 'must not be empty');

/** One command line: program and arguments, never a shell's text. */
const commandLine = z
  .array(programText)
  .min(1, 'must name a program')
  .refine(([program]) => program !== '', 'must name a program');
const environment = z.record(
  programText.min(1, 'must not be empty').refine((name) => !name.includes('='), 'must not hold ='),
  templateText,
);

const healthTest = z.discriminatedUnion('kind', [
  /** No probe, and the image's own is turned off. */
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('exec'), command: commandLine }),
  z.strictObject({
    kind: z.literal('http'),
    port,
    path: z.string().startsWith('/', 'must begin with /').default('/'),
  }),
  z.strictObject({ kind: z.literal('tcp'), port }),
]);

const health = z.strictObject({
  test: healthTest,
  /** Between the end of one probe and the next. Default 30 s, as Docker has it. */
  intervalMs: milliseconds.min(1, 'must be at least 1 ms').default(30_000),
  timeoutMs: milliseconds.min(1, 'must be at least 1 ms').default(30_000),
  /** So many failures in a row make a running task unhealthy. */
  retries: z.number().int().min(1, 'must be at least 1').default(3),
  /** Failures in this time after the start do not count. */
  startPeriodMs: milliseconds.default(0),
  /** Between probes until the first success. Default 500 ms, so that a quick task is quickly there. */
  startIntervalMs: milliseconds.min(1, 'must be at least 1 ms').default(500),
});

const mount = z.strictObject({
  type: z.enum(['bind', 'volume', 'tmpfs']),
  /** Host path of a bind, name of a volume; absent for tmpfs and anonymous volumes. A template. */
  source: filledIn.optional(),
  /** A template. */
  target: filledIn,
  readOnly: z.boolean().default(false),
  /**
   * The volume lives on one node: once a task has run with it, tasks that mount it go to that node and no other. Default:
   * where the name has `{{.Task.Slot}}` in it.
   */
  pinned: z.boolean().optional(),
});

const fileReference = z.strictObject({
  /** Name of the secret or config. */
  name: objectName,
  /** Which of its revisions. Default: the newest when the spec comes in; a stored spec names it. */
  revision: z.number().int('must be a whole number').min(1, 'must be at least 1').optional(),
  /** File name that the task sees. Default: the name. */
  target: text.optional(),
  mode: z.number().int().min(0).max(0o777).default(0o444),
});

const generic = z.record(
  z.string().min(1, 'must not be empty'),
  z.number().int('must be a whole number').min(1, 'must be at least 1'),
);

const resources = z.strictObject({
  /** What the scheduler sets aside on the node. */
  reservations: z
    .strictObject({ cpus: cpus.optional(), memoryBytes: memoryBytes.optional(), generic: generic.optional() })
    .default({}),
  /** What the driver enforces, where it can. */
  limits: z
    .strictObject({
      cpus: cpus.optional(),
      memoryBytes: memoryBytes.optional(),
      pids: z.number().int().min(1, 'must be at least 1').optional(),
    })
    .default({}),
});

const restart = z.strictObject({
  condition: z.enum(['none', 'on-failure', 'any']).default('any'),
  /** Before a replacement starts. */
  delayMs: milliseconds.default(5_000),
  /** `exponential` doubles the delay with each failure in a row; `fixed` is Swarm's. */
  backoff: z.enum(['exponential', 'fixed']).default('exponential'),
  /** Longest delay of exponential back-off. */
  maxDelayMs: milliseconds.default(300_000),
  /** A task that ran this long ends the row of failures. */
  resetAfterMs: milliseconds.default(600_000),
  /** Restarts allowed in `windowMs`; 0 = no limit. */
  maxAttempts: z.number().int().min(0, 'must not be negative').default(0),
  /** 0 = for ever. */
  windowMs: milliseconds.default(0),
});

const capabilities = z
  .array(
    z
      .string()
      .regex(/^(ALL|(CAP_)?[A-Z][A-Z_]*)$/, 'must be the name of a capability such as NET_ADMIN, or ALL'),
  )
  .optional();

const ulimit = z
  .strictObject({
    /** -1 = no limit. */
    soft: z.number().int('must be a whole number').min(-1, 'must be at least -1'),
    /** -1 = no limit. */
    hard: z.number().int('must be a whole number').min(-1, 'must be at least -1'),
  })
  .refine(({ soft, hard }) => hard === -1 || (soft !== -1 && soft <= hard), {
    path: ['soft'],
    error: 'must not be above the hard limit',
  });

const device = z.strictObject({
  /** Path on the node. */
  source: text,
  /** Path that the task sees. Default: the source. */
  target: text.optional(),
  /** What the task may do: read, write, make the node. */
  permissions: z
    .string()
    .regex(/^(?!.*(.).*\1)[rwm]{1,3}$/, 'must be some of r, w and m')
    .default('rwm'),
});

/** How nodes are taken by tasks. */
export const placementStrategy = z.enum(['spread', 'binpack']);

const placement = z.strictObject({
  /** All must hold: `node.labels.rack==a`. */
  constraints: z.array(z.string()).default([]),
  /** Spread over the values of a label first, in this order. */
  preferences: z.array(z.strictObject({ spread: text })).default([]),
  /** Any of these will do; none = all. */
  platforms: z
    .array(z.strictObject({ os: z.string().default(''), architecture: z.string().default('') }))
    .default([]),
  /** Near to tasks of these services. */
  affinity: affinityRules,
  /** Away from tasks of these services, which stay away from it just as well where that is required. */
  antiAffinity: affinityRules,
  /**
   * `spread`: evenly over the nodes. `binpack`: one node is filled before the next is begun. Default: as the cluster's
   * settings have it.
   */
  strategy: placementStrategy.optional(),
  /** Most tasks of the service on one node; 0 = no limit. */
  maxReplicasPerNode: z.number().int().min(0, 'must not be negative').default(0),
});

/** Schema of {@link TaskSpec}. */
export const taskSpecSchema = z.strictObject({
  /** What to run, in the driver's words: an image reference, a name in the process driver's table. */
  image: text.optional(),
  /** Replaces the program that the image would run. */
  command: commandLine.optional(),
  /** Arguments for the program. */
  args: z.array(programText).optional(),
  /** Values are templates: `{{.Node.Hostname}}`, `{{.Task.Slot}}`. */
  env: environment.default({}),
  /** Working directory. */
  dir: text.optional(),
  user: text.optional(),
  /** A template. */
  hostname: filledIn.optional(),
  labels: labels.default({}),
  tty: z.boolean().default(false),
  /** A small init as the task's first process: it passes signals on and collects the dead. Default: as the driver has it. */
  init: z.boolean().optional(),
  readOnly: z.boolean().default(false),
  stopSignal: z
    .string()
    .regex(/^SIG[A-Z0-9+]+$/, 'must be a signal name such as SIGTERM')
    .optional(),
  /** Between the stop signal and the kill. Default 10 s. */
  stopGraceMs: milliseconds.default(10_000),
  health: health.optional(),
  mounts: z.array(mount).default([]),
  secrets: z.array(fileReference).default([]),
  configs: z.array(fileReference).default([]),
  /** Names of networks, with the task's aliases there. */
  networks: z.array(z.strictObject({ name: text, aliases: z.array(text).default([]) })).default([]),
  resources: resources.default({ reservations: {}, limits: {} }),
  /** Limits of the task's processes, by name as in limits.conf(5): `nofile`. Absent: as the driver has them. */
  ulimits: z
    .record(z.string().regex(/^[a-z]+$/, 'must be the name of a resource such as nofile'), ulimit)
    .optional(),
  /** Kernel settings of the task's own namespaces: `net.core.somaxconn`. */
  sysctls: z
    .record(z.string().regex(/^[a-z0-9_./-]+$/i, 'must be the name of a kernel setting'), programText)
    .optional(),
  /** Linux capabilities beside those that the driver gives: `NET_ADMIN`. */
  capabilityAdd: capabilities,
  /** Linux capabilities taken away. */
  capabilityDrop: capabilities,
  devices: z.array(device).optional(),
  /** All capabilities and devices of the node. Drivers refuse it unless their owner allows it. */
  privileged: z.boolean().optional(),
  /** Where output goes. Absent: where the driver keeps it. */
  logDriver: z.strictObject({ name: text, options: z.record(text, z.string()).default({}) }).optional(),
  restart: restart.default(() => restart.parse({})),
  placement: placement.default(() => placement.parse({})),
  /** Credentials for the image's registry. In a stored spec this is their digest, never the value. */
  registryAuth: text.optional(),
  /** Changing it replaces the tasks though nothing else changed. */
  forceUpdate: z.number().int().min(0).default(0),
});

/** What one task should be, complete with defaults. */
export type TaskSpec = z.output<typeof taskSpecSchema>;
/** A task spec as people write it. */
export type TaskSpecInput = z.input<typeof taskSpecSchema>;
/** How a task is probed for health. */
export type HealthSpec = NonNullable<TaskSpec['health']>;
/** How a slot is given a new task when its task ended. */
export type RestartPolicy = TaskSpec['restart'];
/** How nodes are taken by tasks. */
export type PlacementStrategy = z.output<typeof placementStrategy>;
/** Where a task may stand. */
export type Placement = TaskSpec['placement'];
