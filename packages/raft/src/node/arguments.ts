/** Whether a proposal can be taken at all. What would be garbage in the log, or wait for ever, is refused at the door. */

import { SESSION_BYTES_MAX } from './command-envelope.ts';
import { RaftNodeError } from './errors.ts';
import type { ProposalId } from './proposals.ts';
import { encodeSessionName } from './session-names.ts';

/** The error that names the argument and its rule; undefined if all are in order. */
export function brokenProposal(
  command: Uint8Array,
  { id, timeoutMs }: { readonly id?: ProposalId; readonly timeoutMs?: number },
): RaftNodeError | undefined {
  if (!(command instanceof Uint8Array)) return invalid('command must be a Uint8Array');
  if (timeoutMs !== undefined && !(timeoutMs >= 0)) {
    return invalid(`timeoutMs must be at least 0, not ${timeoutMs}`);
  }
  if (id === undefined) return undefined;
  const { session, number, base } = id;
  const sessionBytes = typeof session === 'string' ? encodeSessionName(session).length : 0;
  if (sessionBytes < 1 || sessionBytes > SESSION_BYTES_MAX) {
    return invalid(`id.session must be a text of 1 to ${SESSION_BYTES_MAX} bytes`);
  }
  if (!Number.isSafeInteger(number) || number < 1) {
    return invalid(`id.number must be a whole number from 1, not ${number}`);
  }
  if (!Number.isSafeInteger(base) || base < 0) {
    return invalid(`id.base must be a whole number from 0, not ${base}`);
  }
  return undefined;
}

function invalid(message: string): RaftNodeError {
  return new RaftNodeError('invalid-argument', message);
}
