/**
 * What may be asked between nodes: methods, each declared once with who may call it, who answers, and how large and how
 * long it may be. Server and client both go by the declaration, so neither can forget a rule of it.
 */

import type { ZodType } from 'zod';
import { NodeError } from '../errors.ts';
import type { NodeRole } from '../security/identity.ts';

/** Takes a decoded message for what it should be. @throws NodeError `MALFORMED`, naming the field. */
export type Decoder<T> = (value: unknown) => T;

/** How many messages go each way: one and one, one and many, many and many. */
export type MethodKind = 'unary' | 'server-stream' | 'duplex';

/** A declared method. */
export interface Method<Kind extends MethodKind, Request, Response> {
  /** `membership.join`: the part that serves it, and what it does. */
  readonly name: string;
  readonly kind: Kind;
  /** Roles that may call it; `anyone` may also be without a certificate. */
  readonly callers: 'anyone' | readonly NodeRole[];
  /** `leader`: a manager that does not lead passes the call on. */
  readonly answeredBy: 'any' | 'leader';
  readonly request: Decoder<Request>;
  readonly response: Decoder<Response>;
  /** How long a call may take, in ms, unless the caller says less. Default: 10 s for a unary method, no end otherwise. */
  readonly deadlineMs?: number;
  /** Longest message each way, in bytes. Default 4 MiB; 64 KiB where anyone may call. */
  readonly messageBytesMax?: number;
}

/** Any method. */
export type AnyMethod = Method<MethodKind, unknown, unknown>;

export const UNARY_DEADLINE_MS = 10_000;
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
const STRANGERS_MESSAGE_BYTES_MAX = 64 * 1024;

/** The longest message of a method, in bytes. */
export function messageBytesMax({ callers, messageBytesMax: declared }: AnyMethodRules): number {
  return declared ?? (callers === 'anyone' ? STRANGERS_MESSAGE_BYTES_MAX : MESSAGE_BYTES_MAX);
}

/** How long a call of a method may take, in ms; undefined: without end. */
export function deadlineOf({ kind, deadlineMs }: AnyMethodRules): number | undefined {
  return deadlineMs ?? (kind === 'unary' ? UNARY_DEADLINE_MS : undefined);
}

/** The rules of a method, without its types. */
export type AnyMethodRules = Pick<
  AnyMethod,
  'name' | 'kind' | 'callers' | 'answeredBy' | 'deadlineMs' | 'messageBytesMax'
>;

/** A decoder from a schema. */
export function decodedBy<T>(schema: ZodType<T>): Decoder<T> {
  return (value) => {
    const parsed = schema.safeParse(value);
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    const field = issue?.path.join('.') ?? '';
    throw new NodeError(
      'MALFORMED',
      `a message breaks a rule: ${field === '' ? '' : `${field}: `}${issue?.message}`,
    );
  };
}

/** For what the receiving part checks by itself, field by field, or leaves as it is. */
export function undecoded<T>(value: unknown): T {
  return value as T;
}

/** Nothing to say. */
export const nothing: Decoder<undefined> = () => undefined;
