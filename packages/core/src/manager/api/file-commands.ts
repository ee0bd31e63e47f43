/** What users ask of networks, secrets and configs, decided. */

import {
  InUseError,
  InvalidSpecError,
  NameConflictError,
  NotFoundError,
  PreconditionError,
  type SpecIssue,
} from '../../errors.ts';
import type { ClusterEvent } from '../../events/event.ts';
import { differences } from '../../model/differences.ts';
import { type ConfigId, type NetworkId, newId, type SecretId } from '../../model/ids.ts';
import { isClusterWide, type NetworkSpec, subnetsOverlap } from '../../model/network.ts';
import type { Config, Meta, Network, Secret } from '../../model/objects.ts';
import {
  CONFIG_BYTES_MAX,
  type ConfigSpec,
  SECRET_BYTES_MAX,
  type SecretSpec,
} from '../../model/other-specs.ts';
import { plainEqual } from '../../model/plain-equal.ts';
import type { TaskSpec } from '../../model/task-spec.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { subnetTexts } from '../allocator/subnet-space.ts';
import type { DecideContext } from '../control-loop.ts';
import type { Decided } from '../leader-store.ts';
import type { Applied } from './applied.ts';
import { checkContent } from './file-content.ts';
import { checkRef, checkVersion } from './find.ts';
import { secretDigests } from './rotation.ts';

/** The network with this id or name. @throws NotFoundError */
export function findNetwork(state: ClusterState, ref: string): Network {
  checkRef('network', ref);
  return found('network', ref, state.network((state.idByName('network', ref) ?? ref) as NetworkId));
}

/** The secret with this id or name. @throws NotFoundError */
export function findSecret(state: ClusterState, ref: string): Secret {
  checkRef('secret', ref);
  return found('secret', ref, state.secret((state.idByName('secret', ref) ?? ref) as SecretId));
}

/** The config with this id or name. @throws NotFoundError */
export function findConfig(state: ClusterState, ref: string): Config {
  checkRef('config', ref);
  return found('config', ref, state.config((state.idByName('config', ref) ?? ref) as ConfigId));
}

/**
 * Creates a network.
 *
 * @throws NameConflictError, InvalidSpecError if a subnet overlaps with another's, PreconditionError if there is an
 *   ingress network already
 */
export function createNetwork(
  head: ClusterState,
  spec: NetworkSpec,
  context: DecideContext,
): Decided<NetworkId> {
  checkName(head, 'network', spec.name);
  checkIngress(head, spec);
  checkSubnets(head, spec);
  const id = newId<NetworkId>(context.random);
  return {
    events: [{ type: 'network.created', id, spec }],
    result: id,
    answer: { id, action: 'created', what: 'network' },
  };
}

/** Changes a network's labels. @throws VersionConflictError, PreconditionError */
export function updateNetwork(network: Network, spec: NetworkSpec, version?: number): Decided<NetworkId> {
  checkVersion('network', network, version);
  if (spec.name !== network.spec.name) throw new PreconditionError('renaming networks is not supported');
  if (!plainEqual({ ...spec, labels: {} }, { ...network.spec, labels: {} })) {
    const rule = 'a network keeps what it was made with: only its labels can change';
    const issues = differences({ ...network.spec, labels: {} }, { ...spec, labels: {} });
    throw new PreconditionError(
      rule,
      issues.map((field) => ({ field, rule })),
    );
  }
  const { id } = network;
  return {
    events: [{ type: 'network.updated', id, spec }],
    result: id,
    answer: { id, action: 'updated', what: 'network' },
  };
}

/** Removes a network that no service and no live task refers to. @throws InUseError */
export function removeNetwork(head: ClusterState, network: Network, version?: number): Decided<NetworkId> {
  checkVersion('network', network, version);
  checkUnused(
    head,
    'network',
    network.spec.name,
    (spec) => spec.networks,
    (uses) => outdatedTasks(head, uses),
  );
  const { id } = network;
  return {
    events: [{ type: 'network.removed', id }],
    result: id,
    answer: { id, action: 'removed', what: 'network' },
  };
}

/** Creates a secret. The value goes to the vault under its digest. @throws NameConflictError, InvalidSpecError */
export function createSecret(
  head: ClusterState,
  request: { readonly spec: SecretSpec; readonly digest: string; readonly data: Uint8Array },
  context: DecideContext,
): Decided<SecretId> {
  const { spec, digest, data } = request;
  checkName(head, 'secret', spec.name);
  checkContent(data, { bytesMax: SECRET_BYTES_MAX, template: spec.template });
  const id = newId<SecretId>(context.random);
  const stored: ClusterEvent[] = head.roots.vault.has(digest) ? [] : [{ type: 'vault.stored', digest, data }];
  return {
    events: [...stored, { type: 'secret.created', id, spec, digest, sizeBytes: data.length }],
    result: id,
    answer: { id, action: 'created', what: 'secret' },
  };
}

/** Changes a secret's labels. @throws VersionConflictError, PreconditionError */
export function updateSecret(secret: Secret, spec: SecretSpec, version?: number): Decided<SecretId> {
  checkVersion('secret', secret, version);
  checkOnlyLabels(secret.spec, spec);
  const { id } = secret;
  return {
    events: [{ type: 'secret.updated', id, spec }],
    result: id,
    answer: { id, action: 'updated', what: 'secret' },
  };
}

/** Removes a secret that no service refers to, and its values with it. @throws InUseError */
export function removeSecret(head: ClusterState, secret: Secret, version?: number): Decided<SecretId> {
  checkVersion('secret', secret, version);
  checkUnused(head, 'secret', secret.spec.name, (spec) => spec.secrets);
  const own = [secret, ...secret.older];
  const kept = new Set(
    secretDigests(
      head,
      secret,
      own.map(({ revision }) => revision),
    ),
  );
  const digests = [...new Set(own.map(({ digest }) => digest))].filter((digest) => !kept.has(digest));
  return {
    events: [
      { type: 'secret.removed', id: secret.id },
      ...(digests.length === 0 ? [] : [{ type: 'vault.removed', digests } as const]),
    ],
    result: secret.id,
    answer: { id: secret.id, action: 'removed', what: 'secret' },
  };
}

/** Creates a config. @throws NameConflictError, InvalidSpecError */
export function createConfig(
  head: ClusterState,
  request: { readonly spec: ConfigSpec; readonly data: Uint8Array },
  context: DecideContext,
): Decided<ConfigId> {
  checkName(head, 'config', request.spec.name);
  checkContent(request.data, { bytesMax: CONFIG_BYTES_MAX, template: request.spec.template });
  const id = newId<ConfigId>(context.random);
  return {
    events: [{ type: 'config.created', id, ...request }],
    result: id,
    answer: { id, action: 'created', what: 'config' },
  };
}

/** Changes a config's labels. @throws VersionConflictError, PreconditionError */
export function updateConfig(config: Config, spec: ConfigSpec, version?: number): Decided<ConfigId> {
  checkVersion('config', config, version);
  checkOnlyLabels(config.spec, spec);
  const { id } = config;
  return {
    events: [{ type: 'config.updated', id, spec }],
    result: id,
    answer: { id, action: 'updated', what: 'config' },
  };
}

/** Removes a config that no service refers to. @throws InUseError */
export function removeConfig(head: ClusterState, config: Config, version?: number): Decided<ConfigId> {
  checkVersion('config', config, version);
  checkUnused(head, 'config', config.spec.name, (spec) => spec.configs);
  const { id } = config;
  return {
    events: [{ type: 'config.removed', id }],
    result: id,
    answer: { id, action: 'removed', what: 'config' },
  };
}

/** Makes the network of that name be as the spec says. @throws PreconditionError */
export function applyNetwork(
  head: ClusterState,
  spec: NetworkSpec,
  context: DecideContext,
): Decided<Applied<NetworkId>> {
  const id = head.idByName('network', spec.name);
  if (id === undefined) return asCreated(createNetwork(head, spec, context));
  const network = findNetwork(head, id);
  return asUpdated(network, spec, () => updateNetwork(network, spec));
}

/** Makes the secret of that name have these labels; another value is refused. @throws PreconditionError */
export function applySecret(
  head: ClusterState,
  request: { readonly spec: SecretSpec; readonly digest: string; readonly data: Uint8Array },
  context: DecideContext,
): Decided<Applied<SecretId>> {
  const { spec, digest } = request;
  const id = head.idByName('secret', spec.name);
  if (id === undefined) return asCreated(createSecret(head, request, context));
  const secret = findSecret(head, id);
  if (secret.digest !== digest) throw new PreconditionError(otherContent('secret', spec.name));
  return asUpdated(secret, spec, () => updateSecret(secret, spec));
}

/** Makes the config of that name have these labels; other content is refused. @throws PreconditionError */
export function applyConfig(
  head: ClusterState,
  request: { readonly spec: ConfigSpec; readonly data: Uint8Array },
  context: DecideContext,
): Decided<Applied<ConfigId>> {
  const { spec, data } = request;
  const id = head.idByName('config', spec.name);
  if (id === undefined) return asCreated(createConfig(head, request, context));
  const config = findConfig(head, id);
  const same = config.data.length === data.length && config.data.every((byte, at) => byte === data[at]);
  if (!same) throw new PreconditionError(otherContent('config', spec.name));
  return asUpdated(config, spec, () => updateConfig(config, spec));
}

function asCreated<Id extends string>({ result: id, ...decided }: Decided<Id>): Decided<Applied<Id>> {
  return { ...decided, result: { id, action: 'created', changes: [], warnings: [] } };
}

function asUpdated<Id extends string>(
  object: { readonly id: Id; readonly spec: unknown },
  spec: unknown,
  update: () => Decided<Id>,
): Decided<Applied<Id>> {
  const changes = differences(object.spec, spec);
  const { id } = object;
  if (changes.length === 0) return { events: [], result: { id, action: 'unchanged', changes, warnings: [] } };
  return { ...update(), result: { id, action: 'updated', changes, warnings: [] } };
}

function checkOnlyLabels(before: SecretSpec | ConfigSpec, after: SecretSpec | ConfigSpec): void {
  const same = before.name === after.name && (before.template ?? false) === (after.template ?? false);
  if (!same) throw new PreconditionError('only updates to labels are allowed');
}

function otherContent(kind: string, name: string): string {
  return `${kind} '${name}' exists with other content: rotate it, or use another name`;
}

function found<T extends Meta>(kind: string, ref: string, object: T | undefined): T {
  if (!object) throw new NotFoundError(kind, ref);
  return object;
}

function checkName(head: ClusterState, kind: 'network' | 'secret' | 'config', name: string): void {
  if (head.idByName(kind, name) !== undefined) throw new NameConflictError(kind, name);
}

function checkIngress(head: ClusterState, spec: NetworkSpec): void {
  if (!spec.ingress) return;
  for (const other of head.networks()) {
    if (other.spec.ingress)
      throw new PreconditionError(`ingress network '${other.spec.name}' exists already`);
  }
}

/** Whoever is in two networks could not tell one address of theirs from the other. @throws InvalidSpecError */
function checkSubnets(head: ClusterState, spec: NetworkSpec): void {
  if (spec.subnets.length === 0 || !isClusterWide(spec)) return;
  const issues: SpecIssue[] = [];
  for (const other of head.networks()) {
    if (!isClusterWide(other.spec)) continue;
    for (const taken of subnetTexts(other)) {
      spec.subnets.forEach(({ subnet }, index) => {
        if (!subnetsOverlap(subnet, taken)) return;
        const rule = `'${subnet}' must not overlap with ${taken} of network '${other.spec.name}'`;
        issues.push({ field: `subnets[${index}].subnet`, rule });
      });
    }
  }
  if (issues.length > 0) throw new InvalidSpecError(issues);
}

function checkUnused(
  head: ClusterState,
  kind: string,
  name: string,
  references: (spec: TaskSpec) => readonly { readonly name: string }[],
  moreUsers: (uses: (spec: TaskSpec) => boolean) => readonly string[] = () => [],
): void {
  const wanted = name.toLowerCase();
  const uses = (spec: TaskSpec) => references(spec).some((each) => each.name.toLowerCase() === wanted);
  const users = [...head.services()].filter(({ spec }) => uses(spec.task)).map(({ spec }) => spec.name);
  users.push(...moreUsers(uses));
  if (users.length > 0) throw new InUseError(kind, name, users);
}

/** Tasks that live on though their service has a newer spec, one for each such spec. */
function outdatedTasks(head: ClusterState, uses: (spec: TaskSpec) => boolean): string[] {
  const seen = new Set([...head.services()].map(({ spec }) => spec.task));
  const users: string[] = [];
  for (const { id, spec, desiredState, status } of head.tasks()) {
    if (seen.has(spec) || !isMeantToRun(desiredState) || isTerminal(status.state)) continue;
    seen.add(spec);
    if (uses(spec)) users.push(`task ${id}`);
  }
  return users;
}
