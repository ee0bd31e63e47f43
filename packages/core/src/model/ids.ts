/** The one registry of ids. Each kind of object has its own, and the compiler tells them apart. */

import type { Random } from '../runtime/random.ts';

declare const brand: unique symbol;
type Id<Kind extends string> = string & { readonly [brand]: Kind };

export type ClusterId = Id<'cluster'>;
export type NodeId = Id<'node'>;
export type ServiceId = Id<'service'>;
export type TaskId = Id<'task'>;
export type NetworkId = Id<'network'>;
export type SecretId = Id<'secret'>;
export type ConfigId = Id<'config'>;
export type SessionId = Id<'session'>;
/** Names a command, so that a retry of one whose outcome is unknown is carried out once. */
export type CommandId = Id<'command'>;

/** Length of every generated id. */
export const ID_LENGTH = 25;

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';
/** Bytes at or above this are thrown away, so that each of the 36 letters is equally likely. */
const FAIR_BYTES = 252;

/** A new random id: 25 characters of base 36, about 129 bits. */
export function newId<Kind extends Id<string>>(random: Random): Kind {
  let id = '';
  while (id.length < ID_LENGTH) {
    for (const byte of random.bytes(ID_LENGTH - id.length + 2)) {
      if (byte < FAIR_BYTES && id.length < ID_LENGTH) id += ALPHABET.charAt(byte % 36);
    }
  }
  return id as Kind;
}

/** Takes a string from outside for an id, unchecked: a lookup tells whether it exists. */
export function asId<Kind extends Id<string>>(text: string): Kind {
  return text as Kind;
}
