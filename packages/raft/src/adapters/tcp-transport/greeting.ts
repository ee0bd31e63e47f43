/**
 * The first frame each way. The one who dials says who it is, whom it wants and which cluster it belongs to; the one
 * who answers takes it or says why not. Nothing else passes before.
 */

import { Packr, Unpackr } from 'msgpackr';
import type { MemberId } from '../../core/types.ts';
import { TransportError, type TransportErrorCode } from '../../transport/errors.ts';
import { flag, list, oneOf, text, whole } from '../../transport/wire-fields.ts';
import { parseAddress } from './options.ts';

/** The version of the protocol: greeting and frames. */
export const PROTOCOL_VERSION = 1;

/** The longest greeting, in bytes: nobody is known yet, so nobody gets more. */
export const GREETING_BYTES_MAX = 4096;

/** What the one who dials says. */
export interface Greeting {
  readonly cluster: string;
  readonly from: MemberId;
  readonly to: MemberId;
  /** Where the one who dials is reached. */
  readonly address: string;
}

const MAGIC = 'skep-raft';
const refusal = oneOf(['stranger', 'wrong-cluster', 'unsupported-version', 'garbled-frame', 'busy']);
const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

export function encodeGreeting({ cluster, from, to, address }: Greeting): Uint8Array {
  return packr.pack([MAGIC, PROTOCOL_VERSION, cluster, from, to, address]);
}

/** @throws TransportError `garbled-frame` or `unsupported-version`. */
export function decodeGreeting(encoded: Uint8Array): Greeting {
  const [magic, version, ...rest] = list(unpack(encoded));
  if (magic !== MAGIC) throw new TransportError('garbled-frame', 'this is no greeting of a member');
  if (whole.read(version) !== PROTOCOL_VERSION) {
    const message = `the other side speaks version ${version}, this one ${PROTOCOL_VERSION}`;
    throw new TransportError('unsupported-version', message);
  }
  const [cluster, from, to, address] = list(rest, 4);
  return {
    cluster: text.read(cluster),
    from: text.read(from),
    to: text.read(to),
    address: dialled(text.read(address)),
  };
}

/** An address that can be dialled. */
function dialled(address: string): string {
  try {
    parseAddress(address);
    return address;
  } catch (error) {
    throw new TransportError('garbled-frame', 'a greeting names an address that is none', error);
  }
}

/** The answer: taken, or why not. */
export function encodeAnswer(reason?: TransportErrorCode): Uint8Array {
  return packr.pack(reason === undefined ? [true] : [false, reason]);
}

/** Returns if the greeting was taken. @throws TransportError with the code of the refusal. */
export function decodeAnswer(encoded: Uint8Array): void {
  const [isTaken, reason] = list(unpack(encoded));
  if (flag.read(isTaken)) return;
  throw new TransportError(refusal.read(reason), 'the other side has refused the connection');
}

function unpack(encoded: Uint8Array): unknown {
  try {
    return unpackr.unpack(new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength));
  } catch (error) {
    throw new TransportError('garbled-frame', 'a greeting is garbled', error);
  }
}
