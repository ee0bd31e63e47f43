/** Errors of the cluster as refusals, word for word as the engine has them where clients depend on it. */

import {
  AmbiguousError,
  InUseError,
  InvalidSpecError,
  isSkepError,
  NameConflictError,
  NotFoundError,
  type SkepError,
  type SpecIssue,
  VersionConflictError,
} from '@skep/core';
import { isNodeError, type NodeError } from '@skep/node';
import { clusterRefusal, Refusal } from './refusal.ts';

/** What an error is answered with. What was not thrown on purpose is told as such, and nothing of it. */
export function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  if (isSkepError(error)) return skepRefusal(error);
  if (isNodeError(error)) return nodeRefusal(error);
  return new Refusal(500, 'internal error');
}

function skepRefusal(error: SkepError): Refusal {
  if (error instanceof VersionConflictError) return clusterRefusal('Unknown', 'update out of sequence');
  if (error instanceof NotFoundError) return new Refusal(404, `${error.kind} ${error.id} not found`);
  if (error instanceof AmbiguousError) return new Refusal(400, error.message);
  if (error instanceof NameConflictError) return nameConflict(error);
  if (error instanceof InUseError) return inUse(error);
  if (error instanceof InvalidSpecError) return invalidSpec(error.issues);
  switch (error.code) {
    case 'PRECONDITION_FAILED':
      return preconditionFailed(error.message);
    case 'UNAVAILABLE':
    case 'CLOSED':
      return clusterRefusal('Unavailable', error.message);
    case 'DRIVER':
    case 'TIMEOUT':
    case 'OUTCOME_UNKNOWN':
      return clusterRefusal('Unknown', error.message);
    default:
      return clusterRefusal('FailedPrecondition', error.message);
  }
}

function nameConflict({ kind, conflicting }: NameConflictError): Refusal {
  if (kind === 'network') return new Refusal(409, `network with name ${conflicting} already exists`);
  const exists = `${kind} ${conflicting} already exists`;
  const description = kind === 'service' ? `name conflicts with an existing object: ${exists}` : exists;
  return clusterRefusal('AlreadyExists', description);
}

function inUse({ message, users }: InUseError): Refusal {
  const [, kind = '', name = ''] = /^(\S+) '([^']*)' is in use/.exec(message) ?? [];
  if (kind === 'network') {
    const description = `network ${name} is in use by ${users.map((user) => `service ${user}`).join(', ')}`;
    return clusterRefusal('FailedPrecondition', description);
  }
  const noun = users.length > 1 ? 'services' : 'service';
  return clusterRefusal(
    'InvalidArgument',
    `${kind} '${name}' is in use by the following ${noun}: ${users.join(', ')}`,
  );
}

const UNIMPLEMENTED = new Set(['renaming services is not supported', 'service mode change is not allowed']);

function preconditionFailed(message: string): Refusal {
  if (UNIMPLEMENTED.has(message)) return clusterRefusal('Unimplemented', message);
  if (message === 'only updates to labels are allowed') {
    return clusterRefusal('InvalidArgument', 'only updates to Labels are allowed');
  }
  return clusterRefusal('FailedPrecondition', message);
}

/** The engine tells the first broken rule only. */
function invalidSpec(issues: readonly SpecIssue[]): Refusal {
  const [issue] = issues;
  if (issue === undefined) return clusterRefusal('InvalidArgument', 'invalid spec');
  for (const { field, rule, refusal } of TRANSLATED) {
    const found = field.test(issue.field) ? rule.exec(issue.rule) : null;
    if (found !== null) return refusal(found);
  }
  const told = issues.map((each) => (each.field === '' ? each.rule : `${each.field}: ${each.rule}`));
  return clusterRefusal('InvalidArgument', told.join('; '));
}

interface Translated {
  readonly field: RegExp;
  readonly rule: RegExp;
  readonly refusal: (found: RegExpExecArray) => Refusal;
}

function invalid(field: RegExp, rule: RegExp, description: string): Translated {
  return { field, rule, refusal: () => clusterRefusal('InvalidArgument', description) };
}

const BAD_OBJECT_NAME =
  'invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]';

/** Rules that clients know in the engine's words. */
const TRANSLATED: readonly Translated[] = [
  invalid(/^name$/, /valid as a DNS/, 'name must be valid as a DNS name component'),
  invalid(/^name$/, /must be 63 characters/, 'name must be 63 characters or fewer'),
  invalid(/^name$/, /must be provided/, 'name must be provided'),
  invalid(/^name$/, /64 characters|inner dots/, BAD_OBJECT_NAME),
  invalid(
    /^task\.image$/,
    /must be provided|must not be empty/,
    'ContainerSpec: image reference must be provided',
  ),
  invalid(/^ports\[/, /is published twice/, 'EndpointSpec: duplicate published ports provided'),
  invalid(
    /^ports\[/,
    /must be host when endpointMode is dnsrr/,
    "EndpointSpec: port published with ingress mode can't be used with dnsrr mode",
  ),
  {
    field: /^ports\[/,
    rule: /^port '.*is already in use by.*$/,
    refusal: ([rule]) => clusterRefusal('InvalidArgument', rule),
  },
  {
    field: /^task\.networks\[/,
    rule: /^network '(.*)' does not exist$/,
    refusal: ([, name]) => new Refusal(500, `network ${name} not found`),
  },
  {
    field: /^task\.(secrets|configs)\[/,
    rule: /^(secret|config) '(.*)' does not exist$/,
    refusal: ([, kind, name]) => clusterRefusal('InvalidArgument', `${kind} not found: ${name}`),
  },
  {
    field: /^task\.placement\.constraints/,
    rule: /^.*$/s,
    refusal: ([rule]) => clusterRefusal('Unknown', `constraint ${constraintRule(rule)}`),
  },
];

/** The engine's words where the operator is what is wrong. */
function constraintRule(rule: string): string {
  return /==|operator/.test(rule) ? 'expected one operator from ==, !=' : rule;
}

function nodeRefusal({ code, message }: NodeError): Refusal {
  switch (code) {
    case 'LAST_MANAGER':
      return clusterRefusal('FailedPrecondition', 'attempting to demote the last manager of the swarm');
    case 'QUORUM_LOSS':
      return clusterRefusal(
        'FailedPrecondition',
        `can't remove member from the raft: this would result in a loss of quorum: ${message}`,
      );
    case 'TOKEN_MALFORMED':
    case 'TOKEN_REFUSED':
      return new Refusal(500, 'invalid join token');
    case 'INVALID_OPTION':
    case 'CA_REFUSED':
    case 'JOIN_TO_ITSELF':
      return new Refusal(400, message);
    case 'UNLOCK_KEY_REFUSED':
      return new Refusal(401, 'swarm could not be unlocked: invalid key provided');
    case 'NOT_LEADER':
    case 'BUSY':
    case 'UNREACHABLE':
    case 'CLOSED':
      return clusterRefusal('Unavailable', message);
    default:
      return clusterRefusal('Unknown', message);
  }
}
