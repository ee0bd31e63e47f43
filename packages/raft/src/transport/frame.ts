/**
 * What travels in one frame: a message between nodes, or a step of the shipping of a snapshot. A frame is a msgpack
 * list that begins with the number of its kind; whatever does not fit, field by field, is refused.
 */

import { Packr, Unpackr } from 'msgpackr';
import type { InstallSnapshot } from '../core/message.ts';
import { TransportError } from './errors.ts';
import type { PeerMessage } from './peer-message.ts';
import {
  bytes,
  entries,
  flag,
  garbled,
  list,
  oneOf,
  readAttempt,
  snapshot,
  text,
  type WireField,
  whole,
} from './wire-fields.ts';

/** A step of shipping a snapshot. `transfer` names the shipping; offsets count bytes of the snapshot. */
export type SnapshotFrame =
  /** The sender wants to ship, or to know how far it got. */
  | { readonly type: 'snapshot-begin'; readonly transfer: number; readonly message: InstallSnapshot }
  /** The receiver wants bytes from there on. */
  | { readonly type: 'snapshot-wanted'; readonly transfer: number; readonly offset: number }
  | {
      readonly type: 'snapshot-chunk';
      readonly transfer: number;
      readonly offset: number;
      readonly chunk: Uint8Array;
    }
  /** The receiver has stored everything up to there. */
  | { readonly type: 'snapshot-stored'; readonly transfer: number; readonly offset: number }
  /** That was all. */
  | { readonly type: 'snapshot-end'; readonly transfer: number; readonly offset: number }
  /** The receiver has taken it, or not. */
  | { readonly type: 'snapshot-done'; readonly transfer: number; readonly isTaken: boolean };

/** Any frame after the greeting. */
export type Frame = PeerMessage | SnapshotFrame;

/** The default limit of one frame, in bytes: the largest proposal, and room around it. */
export const FRAME_BYTES_MAX = 8 * 1024 * 1024;

type Layout<T> = { readonly [Key in Exclude<keyof T, 'type'>]: WireField<T[Key]> };
type Layouts = { readonly [Type in Frame['type']]: Layout<Extract<Frame, { type: Type }>> };

const refusal = oneOf(['not-leader', 'transferring', 'busy', 'too-large', 'faulted']);
const envelope = { from: text, to: text, term: whole };
const lastEntry = { lastIndex: whole, lastTerm: whole };

const installSnapshot: WireField<InstallSnapshot> = {
  write: ({ from, to, term, snapshot: described }) => [from, to, term, snapshot.write(described)],
  read: (raw) => {
    const [from, to, term, described] = list(raw, 4);
    return {
      type: 'install-snapshot',
      from: text.read(from),
      to: text.read(to),
      term: whole.read(term),
      snapshot: snapshot.read(described),
    };
  },
};

/** The order of the types and of their fields is the protocol: append to it, never reorder. */
const LAYOUTS: Layouts = {
  'pre-vote-request': { ...envelope, ...lastEntry },
  'pre-vote-response': { ...envelope, granted: flag },
  'vote-request': { ...envelope, ...lastEntry, transfer: flag },
  'vote-response': { ...envelope, granted: flag },
  'append-request': { ...envelope, prevIndex: whole, prevTerm: whole, entries, commit: whole },
  'append-accepted': { ...envelope, index: whole },
  'append-rejected': { ...envelope, index: whole, hintIndex: whole, hintTerm: whole },
  heartbeat: { ...envelope, commit: whole, round: whole, sent: whole },
  'heartbeat-response': { ...envelope, round: whole, sent: whole },
  'install-snapshot': { ...envelope, snapshot },
  'timeout-now': { ...envelope },
  'transfer-refused': { ...envelope },
  'read-request': { ...envelope, attempt: readAttempt, lease: flag },
  'read-response': { ...envelope, attempt: readAttempt, index: whole },
  'read-refused': { ...envelope, attempt: readAttempt },
  proposal: { from: text, to: text, attempt: whole, command: bytes },
  'proposal-refused': { from: text, to: text, attempt: whole, reason: refusal },
  'snapshot-begin': { transfer: whole, message: installSnapshot },
  'snapshot-wanted': { transfer: whole, offset: whole },
  'snapshot-chunk': { transfer: whole, offset: whole, chunk: bytes },
  'snapshot-stored': { transfer: whole, offset: whole },
  'snapshot-end': { transfer: whole, offset: whole },
  'snapshot-done': { transfer: whole, isTaken: flag },
};

interface Kind {
  readonly type: string;
  readonly fields: readonly (readonly [name: string, field: WireField<unknown>])[];
}

// The layouts are typed field by field above; from here on they are only walked.
const KINDS: readonly Kind[] = Object.entries(LAYOUTS).map(([type, layout]) => ({
  type,
  fields: Object.entries(layout as Readonly<Record<string, WireField<unknown>>>),
}));
const NUMBERS = new Map(KINDS.map(({ type }, number) => [type, number]));

const packr = new Packr({ useRecords: false });
const unpackr = new Unpackr({ useRecords: false });

/** A frame as bytes. @throws TransportError `frame-too-large`. */
export function encodeFrame(frame: Frame, bytesMax = FRAME_BYTES_MAX): Uint8Array {
  const number = NUMBERS.get(frame.type) ?? 0;
  const values: Readonly<Record<string, unknown>> = { ...frame };
  const row: unknown[] = [number];
  for (const [name, field] of KINDS[number]?.fields ?? []) row.push(field.write(values[name]));
  const packed = packr.pack(row);
  if (packed.length > bytesMax) {
    const message = `a ${frame.type} of ${packed.length} bytes is over the limit of ${bytesMax}`;
    throw new TransportError('frame-too-large', message);
  }
  return new Uint8Array(packed.buffer, packed.byteOffset, packed.byteLength);
}

/** What {@link encodeFrame} has made. @throws TransportError `frame-too-large` or `garbled-frame`. */
export function decodeFrame(encoded: Uint8Array, bytesMax = FRAME_BYTES_MAX): Frame {
  if (encoded.length > bytesMax) {
    const message = `a frame of ${encoded.length} bytes is over the limit of ${bytesMax}`;
    throw new TransportError('frame-too-large', message);
  }
  const row = list(unpack(encoded));
  const kind = typeof row[0] === 'number' ? KINDS[row[0]] : undefined;
  if (kind === undefined || row.length !== kind.fields.length + 1) garbled('it is of no known kind');
  const frame: Record<string, unknown> = { type: kind.type };
  kind.fields.forEach(([name, field], at) => {
    frame[name] = field.read(row[at + 1]);
  });
  // Every field of that type was read by its own layout.
  return frame as unknown as Frame;
}

/** Is it a step of shipping a snapshot? */
export function isSnapshotFrame(frame: Frame): frame is SnapshotFrame {
  return frame.type.startsWith('snapshot-');
}

function unpack(encoded: Uint8Array): unknown {
  try {
    // Out of a Buffer, msgpackr would make Buffers.
    return unpackr.unpack(new Uint8Array(encoded.buffer, encoded.byteOffset, encoded.byteLength));
  } catch (error) {
    throw new TransportError('garbled-frame', 'a frame is garbled: it is no msgpack', error);
  }
}
