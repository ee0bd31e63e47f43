/**
 * Errors on their way between nodes. What this project throws on purpose keeps its class, its code and its fields;
 * anything else is `INTERNAL` without a word of it, since it may hold what the caller must not see. Causes stay behind.
 */

import {
  AbortedError,
  AmbiguousError,
  ClosedError,
  DriverError,
  IndexConflictError,
  InUseError,
  InvalidSpecError,
  isSkepError,
  NameConflictError,
  NotFoundError,
  OutcomeUnknownError,
  PreconditionError,
  TimeoutError,
  UnavailableError,
  VersionConflictError,
} from '@skep/core';
import { SessionError } from '@skep/core/member';
import * as z from 'zod';
import { isNodeError, NodeError, type NodeErrorCode } from '../errors.ts';

/** An error as a message. Fields that a class does not have are absent. */
const wireErrorSchema = z.looseObject({
  class: z.string(),
  message: z.string(),
  code: z.string().default(''),
  kind: z.string().default(''),
  id: z.string().default(''),
  reason: z.string().default(''),
  commandId: z.string().default(''),
  conflicting: z.string().default(''),
  expected: z.number().default(0),
  actual: z.number().default(0),
  temporary: z.boolean().default(false),
  retryable: z.boolean().default(false),
  users: z.array(z.string()).default([]),
  matches: z.array(z.string()).default([]),
  reasons: z.array(z.string()).default([]),
  issues: z.array(z.object({ field: z.string(), rule: z.string() })).default([]),
});
type WireError = z.output<typeof wireErrorSchema>;

/** Fields that travel, where an error has them. */
const FIELDS = [
  'code',
  'kind',
  'id',
  'reason',
  'commandId',
  'conflicting',
  'expected',
  'actual',
  'temporary',
  'retryable',
  'users',
  'matches',
  'reasons',
  'issues',
] as const;

const MAKERS: Readonly<Record<string, (wire: WireError) => Error>> = {
  InvalidSpecError: ({ issues }) => new InvalidSpecError(issues),
  NotFoundError: ({ kind, id }) => new NotFoundError(kind, id),
  AmbiguousError: ({ kind, id, matches }) => new AmbiguousError(kind, id, matches),
  NameConflictError: ({ kind, conflicting }) => new NameConflictError(kind, conflicting),
  VersionConflictError: ({ kind, id, expected, actual }) =>
    new VersionConflictError(kind, id, expected, actual),
  IndexConflictError: ({ expected, actual }) => new IndexConflictError(expected, actual),
  InUseError: ({ message, users }) => withMessage(new InUseError('', '', users), message),
  PreconditionError: ({ message, issues }) => new PreconditionError(message, issues),
  UnavailableError: ({ reason, message, retryable }) => new UnavailableError(reason, message, { retryable }),
  OutcomeUnknownError: ({ commandId, message }) => new OutcomeUnknownError(commandId, message),
  TimeoutError: ({ message, reasons }) => withMessage(new TimeoutError(message, reasons), message),
  AbortedError: () => new AbortedError('aborted at the other node'),
  ClosedError: ({ message }) => withMessage(new ClosedError(''), message),
  DriverError: ({ message, temporary }) => new DriverError(message, { temporary }),
  SessionError: ({ code, message }) => new SessionError(code as SessionError['code'], message),
  NodeError: ({ code, message }) => new NodeError(code as NodeErrorCode, message),
};

/** An error as it is sent. */
export function toWireError(error: unknown): Readonly<Record<string, unknown>> {
  const isOurs = isSkepError(error) || isNodeError(error) || error instanceof SessionError;
  if (!isOurs) return { class: 'NodeError', code: 'INTERNAL', message: 'the other node failed' };
  const fields = error as unknown as Readonly<Record<string, unknown>>;
  const told = FIELDS.filter((name) => fields[name] !== undefined).map((name) => [name, fields[name]]);
  return { class: error.name, message: error.message, ...Object.fromEntries(told) };
}

/** The error in a message. What a newer node says and this one does not know is `INTERNAL` with its words. */
export function fromWireError(value: unknown): Error {
  const parsed = wireErrorSchema.safeParse(value);
  if (!parsed.success) return new NodeError('MALFORMED', 'an error of the other node can not be read');
  const wire = parsed.data;
  const make = Object.hasOwn(MAKERS, wire.class) ? MAKERS[wire.class] : undefined;
  return make?.(wire) ?? new NodeError('INTERNAL', wire.message);
}

function withMessage<E extends Error>(error: E, message: string): E {
  error.message = message;
  return error;
}
