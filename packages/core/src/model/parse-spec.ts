/** The door: turns what people wrote into a spec, or into one typed error that names every broken rule. */

import type * as z from 'zod';
import { InvalidSpecError, type SpecIssue } from '../errors.ts';
import { affinityIssues } from './affinity.ts';
import { autoscaleIssues } from './autoscale.ts';
import { checkConstraints, parseConstraintKey } from './constraint.ts';
import { LEASE_ROOM_MS } from './lease.ts';
import { pinIssues } from './pinned-volumes.ts';
import { plainEqual } from './plain-equal.ts';
import { ruleInWords } from './rule-words.ts';
import { jobSize, type ServiceSpec, type ServiceSpecInput, serviceSpecSchema } from './service-spec.ts';
import { blueGreenIsImpossible } from './update-policy.ts';

/**
 * Parses any spec by its schema.
 *
 * @throws InvalidSpecError naming each field and rule.
 */
export function parseSpec<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const refused = protoNames(input, []);
  if (refused.length > 0) throw new InvalidSpecError(refused);
  const parsed = schema.safeParse(input, { error: ruleInWords });
  if (parsed.success) return parsed.data;
  throw new InvalidSpecError(parsed.error.issues.flatMap(issuesOf));
}

/**
 * Parses a service spec: the schema's rules, and those that need more than one field.
 *
 * @throws InvalidSpecError naming each field and rule.
 */
export function parseServiceSpec(input: ServiceSpecInput): ServiceSpec {
  const spec = parseSpec(serviceSpecSchema, input);
  const issues = [
    ...replicaIssues(spec),
    ...autoscaleIssues(spec),
    ...jobIssues(spec),
    ...dependencyIssues(spec),
    ...maxOneIssues(spec),
    ...portIssues(spec),
    ...mountIssues(spec),
    ...pinIssues(spec),
    ...fileIssues(spec),
    ...networkIssues(spec),
    ...programIssues(spec),
    ...checkConstraints(spec.task.placement.constraints, 'task.placement.constraints'),
    ...preferenceIssues(spec),
    ...affinityIssues(spec.task.placement, 'task.placement'),
    ...updateIssues(spec),
  ];
  if (issues.length > 0) throw new InvalidSpecError(issues);
  // How many tasks a metric has come to, only the service knows.
  if (spec.autoscale !== undefined) return spec;
  if (spec.mode === 'replicated') return { ...spec, replicas: spec.replicas ?? 1 };
  return spec.mode === 'replicated-job' ? { ...spec, job: jobSize(spec) } : spec;
}

function replicaIssues(spec: ServiceSpec): SpecIssue[] {
  if (spec.replicas === undefined || spec.mode === 'replicated') return [];
  const rule = {
    global: 'a global service has one task per node, it takes no replicas',
    'replicated-job': 'a job takes completions in place of replicas',
    'global-job': 'a global job has one task per node, it takes no replicas',
  }[spec.mode];
  return [{ field: 'replicas', rule }];
}

function jobIssues({ mode, job, schedule, update }: ServiceSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const isJob = mode === 'replicated-job' || mode === 'global-job';
  if (isJob && !plainEqual(update, serviceSpecSchema.shape.update.parse(undefined))) {
    issues.push({ field: 'update', rule: 'a job is not updated slot by slot: a change begins another run' });
  }
  if (job !== undefined && mode !== 'replicated-job') {
    issues.push({ field: 'job', rule: `is that of a replicated-job, and the mode is ${mode}` });
  }
  if (schedule !== undefined && !isJob) {
    issues.push({ field: 'schedule', rule: `only a job runs on a schedule, and the mode is ${mode}` });
  }
  if (schedule?.deadlineMs !== undefined && schedule.missed === 'skip') {
    issues.push({
      field: 'schedule.deadlineMs',
      rule: "has no meaning where missed runs are left out ('skip')",
    });
  }
  return issues;
}

function maxOneIssues({ maxOne, mode, task, update, rollback, disruption }: ServiceSpec): SpecIssue[] {
  if (!maxOne) return [];
  const issues: SpecIssue[] = [];
  if (mode !== 'replicated') {
    issues.push({ field: 'maxOne', rule: `is for replicated services, and the mode is ${mode}` });
  }
  const leastMs = task.stopGraceMs + LEASE_ROOM_MS;
  if (maxOne.leaseMs < leastMs) {
    issues.push({
      field: 'maxOne.leaseMs',
      rule: `must be at least ${leastMs}: a task gets ${task.stopGraceMs} ms to stop in, and heartbeats need some`,
    });
  }
  const orders = { update: update.order, rollback: rollback?.order, disruption: disruption?.order };
  for (const [field, order] of Object.entries(orders)) {
    if (order !== 'start-first') continue;
    issues.push({
      field: `${field}.order`,
      rule: 'must be stop-first where there is never more than one task',
    });
  }
  return issues;
}

function dependencyIssues({ name, dependsOn = [] }: ServiceSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const seen = new Set<string>([name.toLowerCase()]);
  dependsOn.forEach(({ service }, index) => {
    const key = service.toLowerCase();
    const rule =
      key === name.toLowerCase() ? 'a service can not wait for itself' : `'${service}' is named twice`;
    if (seen.has(key)) issues.push({ field: `dependsOn[${index}].service`, rule });
    seen.add(key);
  });
  return issues;
}

function updateIssues(spec: ServiceSpec): SpecIssue[] {
  const { canary, blueGreen } = spec.update;
  const issues: SpecIssue[] = [];
  const { autoscale, replicas = 1 } = spec;
  const least = autoscale === undefined ? replicas : Math.max(1, autoscale.min);
  if (canary && spec.mode === 'replicated' && canary.tasks > least) {
    const what = autoscale === undefined ? 'the replicas' : 'the fewest that autoscale may come to';
    issues.push({ field: 'update.canary.tasks', rule: `must be at most ${what}, ${least}` });
  }
  if (!blueGreen) return issues;
  if (canary) issues.push({ field: 'update.canary', rule: 'must not be given together with blueGreen' });
  const impossible = blueGreenIsImpossible(spec);
  if (impossible !== undefined)
    issues.push({ field: 'update.blueGreen', rule: `is impossible: ${impossible}` });
  return issues;
}

function programIssues(spec: ServiceSpec): SpecIssue[] {
  return spec.task.image === undefined && spec.task.command === undefined
    ? [{ field: 'task.image', rule: 'must be provided, unless a command is' }]
    : [];
}

function portIssues(spec: ServiceSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const seen = new Set<string>();
  spec.ports.forEach((port, index) => {
    if (spec.endpointMode === 'dnsrr' && port.mode === 'ingress') {
      issues.push({ field: `ports[${index}].mode`, rule: 'must be host when endpointMode is dnsrr' });
    }
    if (port.published === undefined) return;
    const key = `${port.published}/${port.protocol}`;
    if (seen.has(key)) {
      issues.push({ field: `ports[${index}].published`, rule: `port ${key} is published twice` });
    }
    seen.add(key);
  });
  return issues;
}

function mountIssues(spec: ServiceSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  const seen = new Set<string>();
  spec.task.mounts.forEach((mount, index) => {
    const field = `task.mounts[${index}]`;
    if (seen.has(mount.target))
      issues.push({ field: `${field}.target`, rule: `'${mount.target}' is mounted twice` });
    seen.add(mount.target);
    if (mount.type === 'bind' && mount.source === undefined) {
      issues.push({ field: `${field}.source`, rule: 'must be provided for a bind mount' });
    }
    if (mount.type === 'tmpfs' && mount.source !== undefined) {
      issues.push({ field: `${field}.source`, rule: 'must be absent for a tmpfs mount' });
    }
  });
  return issues;
}

function fileIssues(spec: ServiceSpec): SpecIssue[] {
  const issues: SpecIssue[] = [];
  for (const kind of ['secrets', 'configs'] as const) {
    const seen = new Set<string>();
    spec.task[kind].forEach((file, index) => {
      const target = file.target ?? file.name;
      if (seen.has(target))
        issues.push({ field: `task.${kind}[${index}].target`, rule: `'${target}' is used twice` });
      seen.add(target);
    });
  }
  return issues;
}

function networkIssues(spec: ServiceSpec): SpecIssue[] {
  const names = spec.task.networks.map(({ name }) => name.toLowerCase());
  return names.flatMap((name, index) =>
    names.indexOf(name) < index
      ? [{ field: `task.networks[${index}].name`, rule: `network '${name}' is named twice` }]
      : [],
  );
}

function preferenceIssues(spec: ServiceSpec): SpecIssue[] {
  return spec.task.placement.preferences.flatMap(({ spread }, index) => {
    const key = parseConstraintKey(spread);
    return key && 'label' in key
      ? []
      : [
          {
            field: `task.placement.preferences[${index}].spread`,
            rule: `'${spread}' must be node.labels.NAME or engine.labels.NAME`,
          },
        ];
  });
}

/** Deeper than any spec goes; what refers to itself has no end. */
const DEPTH_MAX = 10;

/** The schemas would drop a label or variable of this name without a word. */
function protoNames(value: unknown, path: readonly PropertyKey[]): SpecIssue[] {
  if (typeof value !== 'object' || value === null || path.length > DEPTH_MAX) return [];
  if (Array.isArray(value)) return value.flatMap((item, index) => protoNames(item, [...path, index]));
  return Object.entries(value).flatMap(([key, item]) =>
    key === '__proto__'
      ? [{ field: pathText([...path, key]), rule: `'__proto__' can't be used as a name` }]
      : protoNames(item, [...path, key]),
  );
}

function issuesOf(issue: z.core.$ZodIssue): SpecIssue[] {
  const field = pathText(issue.path);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      field: field === '' ? key : `${field}.${key}`,
      rule: 'unknown field',
    }));
  }
  if (issue.code === 'invalid_key') return issue.issues.map(({ message }) => ({ field, rule: message }));
  return [{ field, rule: issue.message }];
}

function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text === '' ? String(part) : `${text}.${String(part)}`;
  }, '');
}
