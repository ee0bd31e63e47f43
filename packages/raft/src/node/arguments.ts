/** Whether a call can be taken at all. What would be garbage in the log, or wait for ever, is refused at the door. */

import type { LogIndex } from '../core/types.ts';
import { SESSION_BYTES_MAX } from './command-envelope.ts';
import { RaftNodeError } from './errors.ts';
import type { ProposalId } from './proposals.ts';
import { encodeSessionName } from './session-names.ts';

/** The error that names the argument and its rule; undefined if all are in order. */
export function brokenProposal(
  command: Uint8Array,
  { id, timeoutMs }: { readonly id?: ProposalId; readonly timeoutMs?: number },
): RaftNodeError | undefined {
  if (!isBytes(command)) return invalid('command must be a Uint8Array');
  const broken = brokenTimeout(timeoutMs);
  if (broken !== undefined) return invalid(broken);
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

/** The same for the parts of a command. */
export function brokenParts(parts: readonly Uint8Array[]): RaftNodeError | undefined {
  if (parts.every(isBytes)) return undefined;
  return invalid('each part of a command must be a Uint8Array');
}

/** The same for a read. */
export function brokenRead(mode: string, timeoutMs: number): RaftNodeError | undefined {
  if (mode !== 'linearizable' && mode !== 'lease') {
    return invalid(`mode must be linearizable or lease, not ${mode}`);
  }
  const broken = brokenTimeout(timeoutMs);
  return broken === undefined ? undefined : invalid(broken);
}

/** The same for a place to wait for. */
export function brokenIndex(index: LogIndex): RaftNodeError | undefined {
  if (Number.isSafeInteger(index) && index >= 0) return undefined;
  return invalid(`index must be a whole number from 0, not ${index}`);
}

/** The rule that a time-out breaks; undefined if none, or if there is no time-out. */
export function brokenTimeout(timeoutMs: number | undefined): string | undefined {
  if (timeoutMs === undefined || timeoutMs >= 0) return undefined;
  return `timeoutMs must be at least 0, not ${timeoutMs}`;
}

function invalid(message: string): RaftNodeError {
  return new RaftNodeError('invalid-argument', message);
}

/** Also one of another realm, such as a test runner gives its tests: `instanceof` would not know it. */
function isBytes(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object Uint8Array]';
}
