/**
 * How a command lies in an entry of the log: bare, or with the identity of the proposal that brought it, by which a
 * retry is known for what it is. Laid out by hand, since each entry of the log passes here.
 *
 * Bare: `0`, payload. With identity: `1`, number, settled and base as big-endian doubles, the length of the session in
 * one byte, the session, payload.
 */

import { RaftNodeError } from './errors.ts';
import { decodeSessionName, encodeSessionName } from './session-names.ts';

/** Who proposed a command: enough for every member to know a retry, and for a late one to be refused. */
export interface ProposalIdentity {
  /** The proposer's life: no two lives share one. */
  readonly session: string;
  /** Its number in that life, from 1. */
  readonly number: number;
  /** All numbers below this have been answered and will not be retried. */
  readonly settled: number;
  /** The last entry that the proposer had applied before it first proposed this. */
  readonly base: number;
}

/** A command as it was taken out of an entry. */
export interface OpenedCommand {
  readonly identity: ProposalIdentity | undefined;
  readonly payload: Uint8Array;
}

const BARE = 0;
const IDENTIFIED = 1;
const FIXED_BYTES = 26;

/** The longest name of a session, in bytes. */
export const SESSION_BYTES_MAX = 255;

/** What an identity adds to a payload at most. */
export const ENVELOPE_BYTES_MAX = FIXED_BYTES + SESSION_BYTES_MAX;

/** Wraps a command that is proposed once and never retried. The parts follow each other as one payload. */
export function wrapBare(...parts: readonly Uint8Array[]): Uint8Array {
  const wrapped = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 1));
  wrapped[0] = BARE;
  let at = 1;
  for (const part of parts) {
    wrapped.set(part, at);
    at += part.length;
  }
  return wrapped;
}

/** Wraps a command with its identity. @throws RaftNodeError `invalid-argument` if the session is over 255 bytes. */
export function wrapIdentified(identity: ProposalIdentity, payload: Uint8Array): Uint8Array {
  const session = encodeSessionName(identity.session);
  if (session.length > SESSION_BYTES_MAX) {
    throw new RaftNodeError('invalid-argument', `session must be at most ${SESSION_BYTES_MAX} bytes`);
  }
  const wrapped = new Uint8Array(FIXED_BYTES + session.length + payload.length);
  const view = new DataView(wrapped.buffer);
  wrapped[0] = IDENTIFIED;
  view.setFloat64(1, identity.number);
  view.setFloat64(9, identity.settled);
  view.setFloat64(17, identity.base);
  wrapped[25] = session.length;
  wrapped.set(session, FIXED_BYTES);
  wrapped.set(payload, FIXED_BYTES + session.length);
  return wrapped;
}

/** Opens what one of the two above has made. @throws RaftNodeError `failed` for anything else. */
export function unwrap(wrapped: Uint8Array): OpenedCommand {
  if (wrapped[0] === BARE) return { identity: undefined, payload: wrapped.subarray(1) };
  const sessionBytes = wrapped[25];
  if (wrapped[0] !== IDENTIFIED || sessionBytes === undefined) {
    throw new RaftNodeError('failed', 'an entry of the log has a layout that this version does not know');
  }
  const payloadAt = FIXED_BYTES + sessionBytes;
  if (payloadAt > wrapped.length) {
    throw new RaftNodeError('failed', 'an entry of the log ends within the name of its session');
  }
  return {
    identity: {
      session: decodeSessionName(wrapped, FIXED_BYTES, payloadAt),
      number: doubleAt(wrapped, 1),
      settled: doubleAt(wrapped, 9),
      base: doubleAt(wrapped, 17),
    },
    payload: wrapped.subarray(payloadAt),
  };
}

/** A view of its own for each entry would cost more than the copy: a restart opens all of a log. */
const scratch = new Uint8Array(8);
const scratchView = new DataView(scratch.buffer);

function doubleAt(bytes: Uint8Array, start: number): number {
  for (let at = 0; at < 8; at++) scratch[at] = bytes[start + at] ?? 0;
  return scratchView.getFloat64(0);
}
