/** How failures of the disk become errors of the log. */

import { LogError } from '../log/event-log.ts';

/** The failure as it is if the log knows it, else as `io` with what was being done. */
export function asLogError(error: unknown, what: string): LogError {
  if (error instanceof LogError) return error;
  return new LogError('io', `${what}: ${messageOf(error)}`, { cause: error });
}

/** What an error says, whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
