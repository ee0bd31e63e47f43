/**
 * Secrets and configs in revisions, decided: a spec that refers to one means the revision that was newest when the
 * spec came in, so that a running service changes only when someone says so. Rotating says so: a new revision, and
 * every service that uses the object is updated to it in the same transaction, by its own update settings, with the
 * old revision there to roll back to.
 */

import type { SpecIssue } from '../../errors.ts';
import type { ClusterEvent } from '../../events/event.ts';
import type { ServiceId } from '../../model/ids.ts';
import type { Config, Secret } from '../../model/objects.ts';
import { CONFIG_BYTES_MAX, SECRET_BYTES_MAX } from '../../model/other-specs.ts';
import { revisionOf } from '../../model/revision.ts';
import type { ServiceSpec } from '../../model/service-spec.ts';
import type { TaskSpec } from '../../model/task-spec.ts';
import { isMeantToRun, isTerminal } from '../../model/task-state.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import type { Decided } from '../leader-store.ts';
import { checkContent } from './file-content.ts';
import { checkVersion } from './find.ts';

type FileKind = 'secret' | 'config';

/** What a rotation did. */
export interface Rotated<Id extends string> {
  readonly id: Id;
  /** Number of the newest revision now. */
  readonly revision: number;
  /** False when the newest value was this one already, and nothing was done. */
  readonly changed: boolean;
  /** The services that are updated to it. */
  readonly services: readonly ServiceId[];
}

/** The spec with the revision of each secret and config that it refers to, and what it refers to in vain. */
export function pinFiles(
  head: ClusterState,
  spec: ServiceSpec,
): { readonly spec: ServiceSpec; readonly issues: readonly SpecIssue[] } {
  const { secrets, configs } = spec.task;
  if (secrets.length === 0 && configs.length === 0) return { spec, issues: [] };
  const issues: SpecIssue[] = [];
  const pin = (kind: FileKind, references: TaskSpec['secrets']) =>
    references.map((reference, index) => {
      const field = `task.${kind}s[${index}]`;
      const { name, revision } = reference;
      const file = fileOf(head, kind, name);
      if (!file) issues.push({ field: `${field}.name`, rule: `${kind} '${name}' does not exist` });
      else if (revision === undefined) return { ...reference, revision: file.revision };
      else if (!hasRevision(file, revision)) {
        const rule = `${kind} '${name}' has no revision ${revision}: its newest is ${file.revision}`;
        issues.push({ field: `${field}.revision`, rule });
      }
      return reference;
    });
  const task = { ...spec.task, secrets: pin('secret', secrets), configs: pin('config', configs) };
  return { spec: { ...spec, task }, issues };
}

/** A stored spec as it reads today: those from before there were revisions mean the first. */
export function asPinned(spec: ServiceSpec): ServiceSpec {
  const { secrets, configs } = spec.task;
  if ([...secrets, ...configs].every(({ revision }) => revision !== undefined)) return spec;
  const pin = (references: TaskSpec['secrets']) => references.map((each) => ({ revision: 1, ...each }));
  return { ...spec, task: { ...spec.task, secrets: pin(secrets), configs: pin(configs) } };
}

/** Gives a secret a newer value. @throws VersionConflictError, InvalidSpecError */
export function rotateSecret(
  head: ClusterState,
  secret: Secret,
  value: { readonly digest: string; readonly data: Uint8Array },
  version?: number,
): Decided<Rotated<Secret['id']>> {
  checkVersion('secret', secret, version);
  const { digest, data } = value;
  checkContent(data, { bytesMax: SECRET_BYTES_MAX, template: secret.spec.template });
  if (digest === secret.digest) return unchanged(secret);
  const revision = secret.revision + 1;
  const { services, events } = servicesMovedTo(head, 'secret', secret, revision);
  const stored: ClusterEvent[] = head.roots.vault.has(digest) ? [] : [{ type: 'vault.stored', digest, data }];
  return rotated(secret.id, 'secret', revision, services, [
    ...stored,
    { type: 'secret.rotated', id: secret.id, revision, digest, sizeBytes: data.length },
    ...events,
  ]);
}

/** Gives a config newer content. @throws VersionConflictError, InvalidSpecError */
export function rotateConfig(
  head: ClusterState,
  config: Config,
  data: Uint8Array,
  version?: number,
): Decided<Rotated<Config['id']>> {
  checkVersion('config', config, version);
  checkContent(data, { bytesMax: CONFIG_BYTES_MAX, template: config.spec.template });
  if (data.length === config.data.length && data.every((byte, at) => byte === config.data[at])) {
    return unchanged(config);
  }
  const revision = config.revision + 1;
  const { services, events } = servicesMovedTo(head, 'config', config, revision);
  return rotated(config.id, 'config', revision, services, [
    { type: 'config.rotated', id: config.id, revision, data },
    ...events,
  ]);
}

/** Forgets the older values of a secret that no service, no way back and no living task refers to. */
export function pruneSecret(head: ClusterState, secret: Secret): Decided<readonly number[]> {
  const unused = unusedRevisions(head, 'secret', secret);
  if (unused.length === 0) return { events: [], result: [] };
  const kept = new Set(secretDigests(head, secret, unused));
  const digests = unused.map((revision) => revisionOf(secret, revision)?.digest);
  const forgotten = [...new Set(digests)].filter((digest) => digest !== undefined && !kept.has(digest));
  const pruned: ClusterEvent = { type: 'secret.pruned', id: secret.id, revisions: unused };
  const events: ClusterEvent[] =
    forgotten.length === 0 ? [pruned] : [pruned, { type: 'vault.removed', digests: forgotten as string[] }];
  return { events, result: unused, answer: { id: secret.id, action: 'updated', what: 'secret' } };
}

/** Forgets the older contents of a config that no service, no way back and no living task refers to. */
export function pruneConfig(head: ClusterState, config: Config): Decided<readonly number[]> {
  const unused = unusedRevisions(head, 'config', config);
  if (unused.length === 0) return { events: [], result: [] };
  return {
    events: [{ type: 'config.pruned', id: config.id, revisions: unused }],
    result: unused,
    answer: { id: config.id, action: 'updated', what: 'config' },
  };
}

/** Digests of all values in the cluster but those revisions of that secret: of secrets, and of registry credentials. */
export function secretDigests(
  head: ClusterState,
  except: Secret,
  revisions: readonly number[],
): readonly string[] {
  const digests: string[] = [];
  for (const secret of head.secrets()) {
    for (const { revision, digest } of [secret, ...secret.older]) {
      if (secret.id !== except.id || !revisions.includes(revision)) digests.push(digest);
    }
  }
  for (const { spec, previousSpec } of head.services()) {
    for (const digest of [spec.task.registryAuth, previousSpec?.task.registryAuth]) {
      if (digest !== undefined) digests.push(digest);
    }
  }
  return digests;
}

function fileOf(head: ClusterState, kind: FileKind, name: string): Secret | Config | undefined {
  const id = head.idByName(kind, name);
  if (id === undefined) return undefined;
  return kind === 'secret' ? head.secret(id as Secret['id']) : head.config(id as Config['id']);
}

function hasRevision(file: Secret | Config, revision: number): boolean {
  return file.revision === revision || file.older.some((each) => each.revision === revision);
}

function unchanged<Id extends string>(file: { readonly id: Id; readonly revision: number }) {
  const { id, revision } = file;
  return { events: [], result: { id, revision, changed: false, services: [] } };
}

function rotated<Id extends string>(
  id: Id,
  what: FileKind,
  revision: number,
  services: readonly ServiceId[],
  events: readonly ClusterEvent[],
): Decided<Rotated<Id>> {
  return {
    events,
    result: { id, revision, changed: true, services },
    answer: { id, action: 'updated', what },
  };
}

/** Updates of all services that use the file, to a revision of it. */
function servicesMovedTo(head: ClusterState, kind: FileKind, file: Secret | Config, revision: number) {
  const services: ServiceId[] = [];
  const events: ClusterEvent[] = [];
  for (const { id, spec } of head.services()) {
    const references = spec.task[`${kind}s`];
    if (!references.some(({ name }) => isNamed(name, file))) continue;
    const moved = references.map((each) => (isNamed(each.name, file) ? { ...each, revision } : each));
    const task = { ...spec.task, [`${kind}s`]: moved };
    services.push(id);
    events.push({
      type: 'service.updated',
      id,
      spec: { ...spec, task },
      tasksChanged: true,
      portsChanged: false,
    });
  }
  return { services, events };
}

function unusedRevisions(head: ClusterState, kind: FileKind, file: Secret | Config): number[] {
  if (file.older.length === 0) return [];
  const used = new Set<number>();
  const seen = new Set<TaskSpec>();
  const note = (spec: TaskSpec | undefined) => {
    if (!spec || seen.has(spec)) return;
    seen.add(spec);
    for (const { name, revision } of spec[`${kind}s`]) if (isNamed(name, file)) used.add(revision ?? 1);
  };
  for (const { spec, previousSpec } of head.services()) {
    note(spec.task);
    note(previousSpec?.task);
  }
  for (const { spec, desiredState, status } of head.tasks()) {
    if (isMeantToRun(desiredState) && !isTerminal(status.state)) note(spec);
  }
  return file.older.map(({ revision }) => revision).filter((revision) => !used.has(revision));
}

function isNamed(name: string, { spec }: Secret | Config): boolean {
  return name.toLowerCase() === spec.name.toLowerCase();
}
