/** What goes wrong between an agent and the managers, in the agent's words. */

import { SessionError } from '@skep/core/member';
import { isNodeError } from '../errors.ts';

/** The error as an agent takes it: unless the managers say otherwise, trying again is worth while. */
export function sessionErrorOf(error: unknown): SessionError {
  if (error instanceof SessionError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const isRemoved = isNodeError(error) && error.code === 'NODE_REMOVED';
  return new SessionError(isRemoved ? 'node-removed' : 'unavailable', message);
}
