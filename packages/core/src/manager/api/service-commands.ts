/**
 * What users ask of services, decided: each function looks at the head state and answers with events, or throws a
 * typed error and nothing is changed.
 */

import { InvalidSpecError, NameConflictError, PreconditionError, type SpecIssue } from '../../errors.ts';
import type { ClusterEvent } from '../../events/event.ts';
import { withinBounds } from '../../model/autoscale.ts';
import { differences } from '../../model/differences.ts';
import { type NetworkId, newId, type ServiceId } from '../../model/ids.ts';
import type { Service } from '../../model/objects.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import type { ServiceSpec } from '../../model/service-spec.ts';
import { isMeantToRun } from '../../model/task-state.ts';
import { startFirstIsImpossible } from '../../model/update-policy.ts';
import { DIGEST_PREFIX } from '../../runtime/keyed-digest.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { becomesPrevious } from '../../state/update-standing.ts';
import { type DecideContext, ROWS_PER_TRANSACTION } from '../control-loop.ts';
import type { Decided } from '../leader-store.ts';
import type { Applied } from './applied.ts';
import { checkDependencies } from './dependencies.ts';
import { checkVersion } from './find.ts';
import { asPinned, pinFiles } from './rotation.ts';

/** A spec that passed the door, with the value of its registry credentials when they are new. */
export interface ServiceRequest {
  readonly spec: ServiceSpec;
  /** Stored under the digest that the spec holds in place of the value. */
  readonly credentials?: { readonly digest: string; readonly data: Uint8Array };
}

/** What a command on a service answers. */
export type ServiceChange = Applied<ServiceId>;

/** Creates a service. @throws NameConflictError, InvalidSpecError */
export function createService(
  head: ClusterState,
  request: ServiceRequest,
  context: DecideContext,
): Decided<ServiceChange> {
  if (head.serviceByName(request.spec.name)) throw new NameConflictError('service', request.spec.name);
  checkDependencies(head, request.spec);
  const spec = withReplicas(checkReferences(head, request, undefined), undefined);
  const id = newId<ServiceId>(context.random);
  return {
    events: [...storeCredentials(head, request), { type: 'service.created', id, spec }],
    result: {
      id,
      action: 'created',
      changes: [],
      warnings: [...limitWarnings(head, spec), ...updateWarnings(spec)],
    },
    answer: { id, action: 'created', what: 'service' },
  };
}

/** Gives a service another spec. @throws VersionConflictError, InvalidSpecError, PreconditionError */
export function updateService(
  head: ClusterState,
  service: Service,
  request: ServiceRequest,
  version?: number,
): Decided<ServiceChange> {
  checkVersion('service', service, version);
  checkIdentity(request.spec, service.spec);
  if (!plainEqual(request.spec.dependsOn ?? [], service.spec.dependsOn ?? []))
    checkDependencies(head, request.spec);
  const spec = withReplicas(checkReferences(head, request, service), service);
  const changes = differences(asPinned(service.spec), spec);
  const result = {
    id: service.id,
    changes,
    warnings: [...limitWarnings(head, spec), ...updateWarnings(spec)],
  };
  if (changes.length === 0) return { events: [], result: { ...result, action: 'unchanged' } };
  const portsChanged = changes.some((path) => path.startsWith('ports') || path === 'endpointMode');
  const tasksChanged = portsChanged || changes.some((path) => /^(task|maxOne)(\.|$)/.test(path));
  if (tasksChanged) checkCanary(head, service, spec);
  return {
    events: [
      ...storeCredentials(head, request),
      {
        type: 'service.updated',
        id: service.id,
        spec,
        tasksChanged,
        portsChanged,
        ...(beginsRun(service, spec, tasksChanged) ? { beginsRun: true } : {}),
      },
      ...dropCredentials(
        head,
        service,
        keptCredentials(
          spec,
          becomesPrevious(service, { tasksChanged }) ? service.spec : service.previousSpec,
        ),
      ),
    ],
    result: { ...result, action: 'updated' },
    answer: { id: service.id, action: 'updated', what: 'service' },
  };
}

/** What a service is known by, and what kind of tasks it has, stays. @throws PreconditionError */
function checkIdentity(next: ServiceSpec, present: ServiceSpec): void {
  if (next.name !== present.name) {
    const issue = { field: 'name', rule: `must stay '${present.name}': create another service instead` };
    throw new PreconditionError('renaming services is not supported', [issue]);
  }
  if (next.mode !== present.mode) {
    const issue = { field: 'mode', rule: `must stay '${present.mode}': create another service instead` };
    throw new PreconditionError('service mode change is not allowed', [issue]);
  }
}

/**
 * A canary that is all of the service is none. How many tasks a global service has, no spec tells, so it is looked at when
 * they are to be replaced. @throws InvalidSpecError
 */
function checkCanary(head: ClusterState, { id }: Service, { mode, update: { canary } }: ServiceSpec): void {
  if (mode !== 'global' || canary === undefined) return;
  let tasks = 0;
  for (const { desiredState } of head.tasksOfService(id)) if (isMeantToRun(desiredState)) tasks += 1;
  if (tasks === 0 || canary.tasks <= tasks) return;
  const rule = `must be at most the tasks that the service has, one on each of ${tasks} nodes`;
  throw new InvalidSpecError([{ field: 'update.canary.tasks', rule }]);
}

/**
 * Whether an update begins another run of a job: when what it does is another thing, and when it is forced. Where a
 * schedule says when runs begin, only when it is forced.
 */
function beginsRun({ spec: before, jobStatus }: Service, after: ServiceSpec, tasksChanged: boolean): boolean {
  if (!jobStatus) return false;
  if (after.task.forceUpdate !== before.task.forceUpdate) return true;
  if (after.schedule !== undefined) return false;
  // Without its schedule a job that has not run yet would never do so.
  return tasksChanged || before.job?.completions !== after.job?.completions || jobStatus.iteration === 0;
}

/** Makes the service of that name be as the spec says. @throws as {@link createService} and {@link updateService} */
export function applyService(
  head: ClusterState,
  request: ServiceRequest,
  context: DecideContext,
): Decided<ServiceChange> {
  const service = head.serviceByName(request.spec.name);
  return service ? updateService(head, service, request) : createService(head, request, context);
}

/** Where a metric decides about the number of tasks and nobody gave one, the service keeps what it has. */
function withReplicas(spec: ServiceSpec, service: Service | undefined): ServiceSpec {
  const { autoscale } = spec;
  if (autoscale === undefined || spec.replicas !== undefined) return spec;
  return { ...spec, replicas: withinBounds(service?.spec.replicas ?? autoscale.min, autoscale) };
}

/** The spec with another number of replicas. @throws InvalidSpecError for a global service */
export function scaledSpec(spec: ServiceSpec, replicas: number): ServiceSpec {
  if (spec.mode === 'replicated') return { ...spec, replicas };
  if (spec.mode === 'replicated-job') {
    throw new InvalidSpecError([
      {
        field: 'replicas',
        rule: 'a job has no replicas: change its job.completions, which begins another run',
      },
    ]);
  }
  throw new InvalidSpecError([
    { field: 'replicas', rule: 'scale can only be used with replicated services' },
  ]);
}

/** Removes a service and, in time, its tasks. @throws VersionConflictError */
export function removeService(
  head: ClusterState,
  service: Service,
  version?: number,
): Decided<{ id: ServiceId }> {
  checkVersion('service', service, version);
  const event: ClusterEvent = {
    type: 'service.removed',
    id: service.id,
    ...(hasMoreTasksThan(ROWS_PER_TRANSACTION, service, head) ? { tasksFollow: true } : {}),
  };
  return {
    events: [event, ...dropCredentials(head, service, [])],
    result: { id: service.id },
    answer: { id: service.id, action: 'removed', what: 'service' },
  };
}

function hasMoreTasksThan(most: number, { id }: Service, head: ClusterState): boolean {
  let count = 0;
  for (const _task of head.tasksOfService(id)) if (++count > most) return true;
  return false;
}

function storeCredentials(head: ClusterState, { credentials }: ServiceRequest): ClusterEvent[] {
  if (!credentials || head.roots.vault.has(credentials.digest)) return [];
  return [{ type: 'vault.stored', digest: credentials.digest, data: credentials.data }];
}

/** What a service goes on to need: its credentials, and those to go back to. One that drops its own drops both. */
function keptCredentials(
  spec: ServiceSpec,
  previous: ServiceSpec | undefined,
): readonly (string | undefined)[] {
  const { registryAuth } = spec.task;
  return registryAuth === undefined ? [] : [registryAuth, previous?.task.registryAuth];
}

/** Digests of the credentials that a service has, and had before. */
function ownCredentials(service: Service): readonly (string | undefined)[] {
  return [service.spec.task.registryAuth, service.previousSpec?.task.registryAuth];
}

/** Credentials that the service used and nobody uses any more are forgotten, on disk too. */
function dropCredentials(
  head: ClusterState,
  service: Service,
  kept: readonly (string | undefined)[],
): ClusterEvent[] {
  const candidates = new Set(
    ownCredentials(service).filter((digest) => digest !== undefined && !kept.includes(digest)),
  );
  // Few services have credentials, and no other should pay for a look at all of them.
  if (candidates.size === 0) return [];
  for (const other of head.services()) {
    if (other.id === service.id) continue;
    candidates.delete(other.spec.task.registryAuth);
    candidates.delete(other.previousSpec?.task.registryAuth);
  }
  for (const secret of head.secrets()) {
    for (const { digest } of [secret, ...secret.older]) candidates.delete(digest);
  }
  const digests = [...candidates].filter((digest) => digest !== undefined && head.roots.vault.has(digest));
  return digests.length === 0 ? [] : [{ type: 'vault.removed', digests: digests as string[] }];
}

/** @returns the spec, with the revisions of what it refers to. */
function checkReferences(
  head: ClusterState,
  request: ServiceRequest,
  service: Service | undefined,
): ServiceSpec {
  const { spec, issues: missing } = pinFiles(head, request.spec);
  const issues = credentialIssues(request, service);
  spec.task.networks.forEach(({ name }, index) => {
    const field = `task.networks[${index}].name`;
    const id = head.idByName('network', name);
    const network = id === undefined ? undefined : head.network(id as NetworkId);
    if (!network) issues.push({ field, rule: `network '${name}' does not exist` });
    else if (network.spec.ingress)
      issues.push({ field, rule: `'${name}' is the ingress network: publish a port instead` });
  });
  issues.push(...missing);
  if (spec.ports.length > 0) issues.push(...portConflicts(head, spec, service));
  if (issues.length > 0) throw new InvalidSpecError(issues);
  return spec;
}

/**
 * A digest in place of a value stands for what the service has already. Any other could be that of a secret, whose
 * value would then be sent to a registry.
 */
function credentialIssues({ spec, credentials }: ServiceRequest, service: Service | undefined): SpecIssue[] {
  const { registryAuth } = spec.task;
  if (registryAuth === undefined || registryAuth === credentials?.digest) return [];
  if (!registryAuth.startsWith(DIGEST_PREFIX)) return [];
  if (service && ownCredentials(service).includes(registryAuth)) return [];
  return [{ field: 'task.registryAuth', rule: 'is no credential of this service' }];
}

/** Ingress ports exclude each other and host ports; two services may use one host port, on different nodes. */
function portConflicts(head: ClusterState, spec: ServiceSpec, service: Service | undefined): SpecIssue[] {
  const issues: SpecIssue[] = [];
  for (const other of head.services()) {
    if (other.id === service?.id) continue;
    for (const taken of other.endpoint?.ports ?? other.spec.ports) {
      spec.ports.forEach((port, index) => {
        const same = port.published !== undefined && port.published === taken.published;
        if (!same || port.protocol !== taken.protocol || (port.mode === 'host' && taken.mode === 'host'))
          return;
        const rule = `port '${port.published}' is already in use by service '${other.spec.name}' (${other.id}) as ${
          taken.mode === 'host' ? 'a host-published' : 'an ingress'
        } port`;
        issues.push({ field: `ports[${index}].published`, rule });
      });
    }
  }
  return issues;
}

/** An order that can't be kept is told, and why. */
function updateWarnings(spec: ServiceSpec): SpecIssue[] {
  const impossible = startFirstIsImpossible(spec);
  if (impossible === undefined) return [];
  const rule = `start-first is impossible, tasks are stopped first: ${impossible}`;
  return (['update', 'rollback'] as const)
    .filter((policy) => spec[policy]?.order === 'start-first')
    .map((policy) => ({ field: `${policy}.order`, rule }));
}

/** Limits that no node of the cluster can enforce are told, since a limit that isn't one is worse than none. */
function limitWarnings(head: ClusterState, spec: ServiceSpec): SpecIssue[] {
  const { limits } = spec.task.resources;
  const asked = [
    { field: 'cpus', ability: 'cpus', wanted: limits.cpus !== undefined },
    { field: 'memoryBytes', ability: 'memory', wanted: limits.memoryBytes !== undefined },
    { field: 'pids', ability: 'pids', wanted: limits.pids !== undefined },
  ] as const;
  const nodes = asked.some(({ wanted }) => wanted) ? [...head.nodes()] : [];
  if (nodes.length === 0) return [];
  return asked
    .filter(({ ability, wanted }) => {
      return wanted && !nodes.some(({ description }) => description.capabilities.limits[ability]);
    })
    .map(({ field }) => ({
      field: `task.resources.limits.${field}`,
      rule: 'no node of this cluster can enforce this limit, it is not applied',
    }));
}
