/**
 * Reads of maps whose keys the format names: which there may be, and what is said of those that are not read. A
 * mistyped key, or one that means something that would not happen, must not pass in silence.
 */

import { didYouMean } from './did-you-mean.ts';
import { readMap } from './read-collections.ts';
import { isEmpty, type Keyed, type Place, type Read, type Reading } from './reading.ts';

/** How Skep's own extensions of the format begin. */
const OWN_EXTENSIONS = 'x-skep-';

/** Which keys a map of the format may have. */
export interface FieldTable<Key extends string> {
  /** Keys that are read. */
  readonly read: readonly Key[];
  /** Keys that Swarm ignores, each with what to do instead, or ''. */
  readonly notInSwarm?: Readonly<Record<string, string>>;
  /** Keys that Swarm has and Skep does not yet, each with what that means, or ''. */
  readonly notSupported?: Readonly<Record<string, string>>;
  /** Keys that would change what the file means, each with the reason why they are refused. */
  readonly refused?: Readonly<Record<string, string>>;
}

/** The fields of a map by key; absent where the file has none, or has the key without a value. */
export type Fields<Key extends string> = Readonly<Partial<Record<Key, Place>>>;

/**
 * Opens a map whose keys the format names. Every other key is a fault, but for `x-` extensions of others: a mistyped
 * one of ours must not pass in silence.
 */
export function readFields<Key extends string>(
  reading: Reading,
  place: Place,
  table: FieldTable<Key>,
): Fields<Key> | undefined {
  const entries = readMap(reading, place);
  if (entries === undefined) return undefined;
  const fields: Partial<Record<Key, Place>> = {};
  for (const entry of entries) {
    const known = table.read.find((key) => key === entry.key);
    if (known !== undefined) {
      if (!isEmpty(entry)) fields[known] = entry;
    } else if (!entry.key.startsWith('x-') || entry.key.startsWith(OWN_EXTENSIONS)) {
      tellUnread(reading, entry, table);
    }
  }
  return fields;
}

function tellUnread(reading: Reading, entry: Keyed, table: FieldTable<string>): void {
  const { notInSwarm = {}, notSupported = {}, refused = {} } = table;
  const tail = (note: string | undefined) => (note ? `: ${note}` : '');
  if (Object.hasOwn(refused, entry.key)) {
    reading.issue(entry, `is refused${tail(refused[entry.key])}`);
  } else if (Object.hasOwn(notInSwarm, entry.key)) {
    reading.warn(entry, 'not-in-swarm', `ignored, as swarm mode does${tail(notInSwarm[entry.key])}`);
  } else if (Object.hasOwn(notSupported, entry.key)) {
    reading.warn(entry, 'not-supported', `not supported yet and ignored${tail(notSupported[entry.key])}`);
  } else {
    const known = [...table.read, ...Object.keys(notInSwarm), ...Object.keys(notSupported)];
    reading.issue(entry, `unknown key${didYouMean(entry.key, known)}`);
  }
}

/** Reads a field if it is there. */
export function readField<Value>(
  reading: Reading,
  place: Place | undefined,
  read: Read<Value>,
): Value | undefined {
  return place === undefined ? undefined : read(reading, place);
}

/** The object without its keys of no value, so that a spec holds what the file says and nothing else. */
export function compact<Value extends object>(value: Value): Compact<Value> {
  return Object.fromEntries(
    Object.entries(value).filter(([, field]) => field !== undefined),
  ) as Compact<Value>;
}

/** An object type whose keys that may be `undefined` are optional instead. */
export type Compact<Value> = {
  [Key in keyof Value as undefined extends Value[Key] ? never : Key]: Value[Key];
} & {
  [Key in keyof Value as undefined extends Value[Key] ? Key : never]?: Exclude<Value[Key], undefined>;
};
