/** The error of the event log's port, made here: the port is known to this package as a type alone. */

import type { LogErrorCode, Position } from '@skep/core/log';
import { RaftNodeError } from '../node/errors.ts';

/** What a `RaftEventLog` throws. It is matched by its code, as every error of that port. */
export class RaftLogError extends Error {
  override readonly name = 'LogError';
  readonly code: LogErrorCode;
  /** With `compacted`: the oldest position after which reading is possible. */
  readonly oldest?: Position;

  constructor(code: LogErrorCode, message: string, options: { cause?: unknown; oldest?: Position } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    if (options.oldest !== undefined) this.oldest = options.oldest;
  }
}

const CODES = {
  closed: 'closed',
  failed: 'io',
  unavailable: 'unavailable',
  busy: 'unavailable',
  'corrupt-snapshot': 'corrupt',
  'invalid-argument': 'io',
} as const;

/** What a node or a storage threw, in the port's words. The reason of an aborted signal stays as it is. */
export function asLogError(error: unknown, message: string, signal?: AbortSignal): unknown {
  if (signal?.aborted && error === signal.reason) return error;
  if (error instanceof RaftNodeError)
    return new RaftLogError(CODES[error.code], error.message, { cause: error });
  if (isLogError(error)) return error;
  const detail = error instanceof Error ? `: ${error.message}` : '';
  return new RaftLogError('io', `${message}${detail}`, { cause: error });
}

const KNOWN: ReadonlySet<unknown> = new Set<LogErrorCode>([
  'corrupt',
  'wrong-key',
  'unsupported-version',
  'locked',
  'compacted',
  'unavailable',
  'closed',
  'io',
]);

/** A storage may name its trouble in the port's codes. */
function isLogError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && KNOWN.has(error.code);
}
