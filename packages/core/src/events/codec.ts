/**
 * Transactions as bytes: msgpack with record structures inside each record, so that every log entry can be read
 * alone. What is read back is the same as what was written, to the last name of a label: members that read a record
 * and the leader that wrote it must come to the same state. The only file that knows msgpackr.
 */

import { addExtension, Packr } from 'msgpackr';
import type { CommandId } from '../model/ids.ts';
import type { Actor, ClusterEvent, CommandAnswer, Transaction } from './event.ts';
import { newestVersion, UnreadableEventError, upcast, type WrittenEvent } from './versions.ts';

export { UnreadableEventError } from './versions.ts';

/** Version of the envelope around the events. */
const ENVELOPE = 1;

type Versioned<Event> = readonly [version: number, event: Event];
type Envelope = readonly [
  envelope: number,
  index: number,
  at: number,
  actor: Actor,
  cause: number | null,
  commandId: CommandId | null,
  answer: CommandAnswer | null,
  events: readonly Versioned<WrittenEvent | ClusterEvent>[],
];

/** Rows come by the thousand, and share a structure that is written once. Anything else is quicker read as a map. */
const isRow = (value: object): boolean => 'slot' in value || 'nodeId' in value;

const settings = {
  bundleStrings: false,
  encodeUndefinedAsNil: false,
  mapsAsObjects: true,
  // Without a copy, a config of a few bytes would keep the whole record alive.
  copyBuffers: true,
};
// msgpackr takes a function here, though its types do not say so.
const transactionPackr = new Packr({ ...settings, useRecords: isRow as unknown as boolean });
const packr = new Packr({ ...settings, useRecords: true });

/** A transaction as one log record. */
export function encodeTransaction(transaction: Transaction): Uint8Array {
  const events = transaction.events.map(
    (event): Versioned<ClusterEvent> => [newestVersion(event.type), event],
  );
  const envelope: Envelope = [
    ENVELOPE,
    transaction.index,
    transaction.at,
    transaction.actor,
    transaction.cause ?? null,
    transaction.commandId ?? null,
    transaction.answer ?? null,
    events,
  ];
  return encodeWith(transactionPackr, envelope);
}

/**
 * A transaction from a log record.
 *
 * @throws UnreadableEventError if it is no transaction, or one that a newer Skep wrote.
 */
export function decodeTransaction(payload: Uint8Array): Transaction {
  const envelope = decodeValue(payload);
  if (!isEnvelope(envelope)) {
    throw new UnreadableEventError('this log record is no transaction that this Skep can read');
  }
  const [, index, at, actor, cause, commandId, answer, written] = envelope;
  const events = written.map(([version, event]) => upcast(version, event));
  const transaction: { -readonly [K in keyof Transaction]: Transaction[K] } = { index, at, actor, events };
  if (cause !== null) transaction.cause = cause;
  if (commandId !== null) transaction.commandId = commandId;
  if (answer !== null) transaction.answer = answer;
  return transaction;
}

/** Any plain value as bytes; for snapshots. */
export function encodeValue(value: unknown): Uint8Array {
  return encodeWith(packr, value);
}

function encodeWith(encoder: Packr, value: unknown): Uint8Array {
  const bytes = encoder.pack(value);
  return mentionsProto(bytes) ? encoder.pack(withProtoKept(value)) : bytes;
}

/**
 * The value of {@link encodeValue}.
 *
 * @throws UnreadableEventError if these are no such bytes.
 */
export function decodeValue(bytes: Uint8Array): unknown {
  try {
    // Out of a Buffer, msgpackr would make Buffers, which only Node has.
    const plain = bytes.constructor === Uint8Array;
    return packr.unpack(plain ? bytes : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch (cause) {
    throw new UnreadableEventError('this record is garbled', { cause });
  }
}

function isEnvelope(value: unknown): value is Envelope {
  if (!Array.isArray(value) || value.length !== 8 || value[0] !== ENVELOPE) return false;
  const [, index, at, actor, cause, commandId, answer, events]: readonly unknown[] = value;
  return (
    Number.isSafeInteger(index) &&
    Number.isFinite(at) &&
    isObject(actor) &&
    (cause === null || Number.isSafeInteger(cause)) &&
    (commandId === null || typeof commandId === 'string') &&
    (answer === null || isObject(answer)) &&
    Array.isArray(events) &&
    events.every(isWrittenEvent)
  );
}

function isWrittenEvent(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.length === 2 &&
    typeof value[0] === 'number' &&
    isObject(value[1]) &&
    typeof (value[1] as { readonly type?: unknown }).type === 'string'
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object that has a property of its own named `__proto__`, which msgpackr would read back under another name. */
class ProtoKept {
  readonly entries: readonly (readonly [string, unknown])[];

  constructor(entries: readonly (readonly [string, unknown])[]) {
    this.entries = entries;
  }
}

/** Of the numbers 1 to 100 that msgpackr leaves to its users, one that nobody else in the process is likely to take. */
const PROTO_KEPT_EXTENSION = 83;

addExtension({
  Class: ProtoKept,
  type: PROTO_KEPT_EXTENSION,
  write: (kept: ProtoKept) => kept.entries,
  // Object.fromEntries defines properties, so this name is one like any other to it.
  read: (entries: readonly (readonly [string, unknown])[]) => Object.fromEntries(entries),
});

const PROTO = new TextEncoder().encode('__proto__');

/** Whether the text stands anywhere in the bytes. A native search for its first letter, which is rare in records. */
function mentionsProto(bytes: Uint8Array): boolean {
  const [first = 0] = PROTO;
  for (let at = bytes.indexOf(first); at !== -1; at = bytes.indexOf(first, at + 1)) {
    if (PROTO.every((byte, offset) => bytes[at + offset] === byte)) return true;
  }
  return false;
}

function withProtoKept(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return value;
  if (Array.isArray(value)) return value.map(withProtoKept);
  const entries = Object.entries(value).map(([key, item]) => [key, withProtoKept(item)] as const);
  return Object.hasOwn(value, '__proto__') ? new ProtoKept(entries) : Object.fromEntries(entries);
}
