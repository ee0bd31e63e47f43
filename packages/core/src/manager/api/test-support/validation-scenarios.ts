/** What swarm mode's control API refuses of a service, as data: an input, and the field and rule that it breaks. */

import type { ServiceSpecInput } from '../../../model/service-spec.ts';

/** One refusal. */
export interface ValidationScenario {
  readonly name: string;
  /** What is asked for beside a name and an image. Not as the types have it: whoever calls may have none. */
  readonly input: Readonly<Record<string, unknown>>;
  readonly field: string;
  readonly rule: RegExp;
}

const task = (more: object): Partial<ServiceSpecInput> => ({ task: { image: 'web', ...more } as never });
const limits = (more: object) => task({ resources: { limits: more } });
const reservations = (more: object) => task({ resources: { reservations: more } });

const POLICY = { min: 2, max: 8, metric: 'cpu', target: 0.5 };
const scaled = (more: object, others: object = {}) => ({ autoscale: { ...POLICY, ...more }, ...others });

/** What swarm mode does not have. */
const AUTOSCALE_SCENARIOS: readonly ValidationScenario[] = [
  {
    name: 'a metric that decides about a global service',
    input: scaled({}, { mode: 'global' }),
    field: 'autoscale',
    rule: /is for replicated services, and the mode is global/,
  },
  {
    name: 'a metric that decides about a job',
    input: scaled({}, { mode: 'replicated-job' }),
    field: 'autoscale',
    rule: /the mode is replicated-job/,
  },
  {
    name: 'more tasks than a metric may ask for',
    input: scaled({}, { replicas: 9 }),
    field: 'replicas',
    rule: /must be from 2 to 8, as autoscale has it/,
  },
  {
    name: 'fewer tasks than a metric may ask for',
    input: scaled({}, { replicas: 1 }),
    field: 'replicas',
    rule: /must be from 2 to 8/,
  },
  {
    name: 'bounds the wrong way round',
    input: scaled({ max: 1 }),
    field: 'autoscale.max',
    rule: /least min, 2/,
  },
  {
    name: 'no task to measure',
    input: scaled({ min: 0 }),
    field: 'autoscale.min',
    rule: /must be at least 1: cpu is measured at tasks/,
  },
  {
    name: 'no task to measure by a metric of the average task',
    input: scaled({ min: 0, metric: { name: 'latency', of: 'task' } }),
    field: 'autoscale.min',
    rule: /must be at least 1: latency/,
  },
  {
    name: 'a target of nothing',
    input: scaled({ target: 0 }),
    field: 'autoscale.target',
    rule: /more than 0/,
  },
  {
    name: 'a metric that there is not',
    input: scaled({ metric: 'disk' }),
    field: 'autoscale.metric',
    rule: /must be 'cpu', 'memory' or a metric by its name/,
  },
  {
    name: 'no target',
    input: scaled({ target: undefined }),
    field: 'autoscale.target',
    rule: /must be a number/,
  },
  {
    name: 'all of it tolerated',
    input: scaled({ tolerance: 2 }),
    field: 'autoscale.tolerance',
    rule: /from 0 to 1/,
  },
  {
    name: 'a metric that is lost before it is looked at',
    input: scaled({ staleMs: 10_000 }),
    field: 'autoscale.staleMs',
    rule: /must be more than everyMs, 15000/,
  },
  {
    name: 'more canaries than a metric may leave tasks',
    input: scaled({}, { update: { canary: { tasks: 3 } } }),
    field: 'update.canary.tasks',
    rule: /must be at most the fewest that autoscale may come to, 2/,
  },
];

/** Refusals of a service's spec. */
export const VALIDATION_SCENARIOS: readonly ValidationScenario[] = [
  { name: 'no name', input: { name: '' }, field: 'name', rule: /name must be provided/ },
  {
    name: 'a name that is no label',
    input: { name: 'web_' },
    field: 'name',
    rule: /valid as a DNS name component/,
  },
  { name: 'a name with a dot', input: { name: 'a.b' }, field: 'name', rule: /valid as a DNS name component/ },
  { name: 'a long name', input: { name: 'a'.repeat(64) }, field: 'name', rule: /63 characters or fewer/ },
  { name: 'a mode that there is not', input: { mode: 'many' }, field: 'mode', rule: /must be 'replicated'/ },
  { name: 'nothing to run', input: { task: {} }, field: 'task.image', rule: /must be provided/ },
  { name: 'fewer tasks than none', input: { replicas: -1 }, field: 'replicas', rule: /negative/ },
  { name: 'half a task', input: { replicas: 1.5 }, field: 'replicas', rule: /whole number/ },
  {
    name: 'replicas of a global service',
    input: { mode: 'global', replicas: 1 },
    field: 'replicas',
    rule: /takes no replicas/,
  },
  {
    name: 'too little processor',
    input: limits({ cpus: 0.0001 }),
    field: 'task.resources.limits.cpus',
    rule: /at least 0.001/,
  },
  {
    name: 'too little memory',
    input: limits({ memoryBytes: 1_024 }),
    field: 'task.resources.limits.memoryBytes',
    rule: /at least 4 MiB/,
  },
  {
    name: 'too little processor set aside',
    input: reservations({ cpus: -1 }),
    field: 'task.resources.reservations.cpus',
    rule: /at least 0.001/,
  },
  {
    name: 'too little memory set aside',
    input: reservations({ memoryBytes: 1 }),
    field: 'task.resources.reservations.memoryBytes',
    rule: /at least 4 MiB/,
  },
  {
    name: 'a generic resource of no pieces',
    input: reservations({ generic: { gpu: 0 } }),
    field: 'task.resources.reservations.generic.gpu',
    rule: /at least 1/,
  },
  {
    name: 'a negative restart delay',
    input: task({ restart: { delayMs: -1 } }),
    field: 'task.restart.delayMs',
    rule: /negative/,
  },
  {
    name: 'a negative restart window',
    input: task({ restart: { windowMs: -1 } }),
    field: 'task.restart.windowMs',
    rule: /negative/,
  },
  {
    name: 'an unknown restart condition',
    input: task({ restart: { condition: 'often' } }),
    field: 'task.restart.condition',
    rule: /must be/,
  },
  {
    name: 'a negative update delay',
    input: { update: { delayMs: -1 } },
    field: 'update.delayMs',
    rule: /negative/,
  },
  {
    name: 'a negative monitor',
    input: { update: { monitorMs: -1 } },
    field: 'update.monitorMs',
    rule: /negative/,
  },
  {
    name: 'a failure ratio above one',
    input: { update: { maxFailureRatio: 1.01 } },
    field: 'update.maxFailureRatio',
    rule: /from 0 to 1/,
  },
  {
    name: 'a failure ratio below none',
    input: { update: { maxFailureRatio: -0.1 } },
    field: 'update.maxFailureRatio',
    rule: /from 0 to 1/,
  },
  {
    name: 'a rollback that rolls back',
    input: { rollback: { failureAction: 'rollback' } },
    field: 'rollback.failureAction',
    rule: /must be/,
  },
  {
    name: 'two mounts in one place',
    input: task({
      mounts: [
        { type: 'tmpfs', target: '/a' },
        { type: 'tmpfs', target: '/a' },
      ],
    }),
    field: 'task.mounts[1].target',
    rule: /mounted twice/,
  },
  {
    name: 'a bind mount of nothing',
    input: task({ mounts: [{ type: 'bind', target: '/a' }] }),
    field: 'task.mounts[0].source',
    rule: /must be provided/,
  },
  {
    name: 'a health check without pause',
    input: task({ health: { test: { kind: 'tcp', port: 80 }, intervalMs: 0 } }),
    field: 'task.health.intervalMs',
    rule: /at least 1 ms/,
  },
  {
    name: 'a health check that never counts',
    input: task({ health: { test: { kind: 'tcp', port: 80 }, retries: 0 } }),
    field: 'task.health.retries',
    rule: /at least 1/,
  },
  {
    name: 'a template that is none',
    input: task({ hostname: '{{.Nobody}}' }),
    field: 'task.hostname',
    rule: /./,
  },
  {
    name: 'one port published twice',
    input: {
      ports: [
        { target: 80, published: 80 },
        { target: 81, published: 80 },
      ],
    },
    field: 'ports[1].published',
    rule: /published twice/,
  },
  {
    name: 'a port that there is not',
    input: { ports: [{ target: 65_536 }] },
    field: 'ports[0].target',
    rule: /from 1 to 65535/,
  },
  {
    name: 'an ingress port without an address',
    input: { endpointMode: 'dnsrr', ports: [{ target: 80 }] },
    field: 'ports[0].mode',
    rule: /must be host/,
  },
  {
    name: 'a constraint that is none',
    input: task({ placement: { constraints: ['node.id=a'] } }),
    field: 'task.placement.constraints[0]',
    rule: /./,
  },
  {
    name: 'a spread over no label',
    input: task({ placement: { preferences: [{ spread: 'node.id' }] } }),
    field: 'task.placement.preferences[0].spread',
    rule: /node.labels.NAME/,
  },
  {
    name: 'one network twice',
    input: task({ networks: [{ name: 'a' }, { name: 'A' }] }),
    field: 'task.networks[1].name',
    rule: /named twice/,
  },
  {
    name: 'two files in one place',
    input: task({
      secrets: [
        { name: 'a', target: 'x' },
        { name: 'b', target: 'x' },
      ],
    }),
    field: 'task.secrets[1].target',
    rule: /used twice/,
  },
  {
    name: 'a job that is updated',
    input: { mode: 'replicated-job', update: { parallelism: 2 } },
    field: 'update',
    rule: /begins another run/,
  },
  { name: 'a field that there is not', input: { replica: 1 }, field: 'replica', rule: /unknown field/ },
  {
    name: 'a network that there is not',
    input: task({ networks: [{ name: 'nowhere' }] }),
    field: 'task.networks[0].name',
    rule: /does not exist/,
  },
  {
    name: 'a secret that there is not',
    input: task({ secrets: [{ name: 'nothing' }] }),
    field: 'task.secrets[0].name',
    rule: /does not exist/,
  },
  ...AUTOSCALE_SCENARIOS,
];
