/** What a log throws, as the callers of a cluster know it. */

import { UnavailableError } from '../errors.ts';
import type { LogError } from './event-log.ts';

/** An error of a log as an UnavailableError with the log's code as its reason; any other error as it is. */
export function asUnavailable(error: unknown): unknown {
  if (!isLogError(error)) return error;
  return new UnavailableError(error.code, error.message, {
    cause: error,
    retryable: error.code === 'locked',
  });
}

/** An engine that knows the port as a type alone throws an error of its own make, by the same name and codes. */
function isLogError(error: unknown): error is LogError {
  return error instanceof Error && error.name === 'LogError';
}
