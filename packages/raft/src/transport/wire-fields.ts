/** The fields of messages on the wire: how each is laid out, and what it must be when it comes back. */

import type { Configuration, Entry, SnapshotDescription } from '../core/types.ts';
import { TransportError } from './errors.ts';

/** One kind of field. */
export interface WireField<T> {
  readonly write: (value: T) => unknown;
  /** @throws TransportError `garbled-frame` for anything else. */
  readonly read: (raw: unknown) => T;
}

/** Refuses what does not fit. */
export function garbled(what: string): never {
  throw new TransportError('garbled-frame', `a frame is garbled: ${what}`);
}

const asIs = <T>(name: string, fits: (raw: unknown) => raw is T): WireField<T> => ({
  write: (value) => value,
  read: (raw) => (fits(raw) ? raw : garbled(`no ${name} where one is due`)),
});

/** A whole number from 0. */
export const whole = asIs(
  'whole number',
  (raw): raw is number => typeof raw === 'number' && Number.isSafeInteger(raw) && raw >= 0,
);

/** Text that is not empty. */
export const text = asIs('text', (raw): raw is string => typeof raw === 'string' && raw !== '');

/** Yes or no. */
export const flag = asIs('flag', (raw): raw is boolean => typeof raw === 'boolean');

/** Bytes. */
export const bytes: WireField<Uint8Array> = asIs(
  'bytes',
  (raw): raw is Uint8Array => raw instanceof Uint8Array,
);

/** One of a few words. */
export function oneOf<T extends string>(words: readonly T[]): WireField<T> {
  return asIs('known word', (raw): raw is T => words.some((word) => word === raw));
}

/** A row of fields that belong together. */
export function list(raw: unknown, length?: number): readonly unknown[] {
  if (!Array.isArray(raw)) return garbled('no list where one is due');
  if (length !== undefined && raw.length !== length)
    garbled(`a list of ${raw.length} where ${length} are due`);
  return raw;
}

const texts: WireField<readonly string[]> = {
  write: (value) => value,
  read: (raw) => list(raw).map(text.read),
};

/** Who takes part. */
export const configuration: WireField<Configuration> = {
  write: ({ voters, outgoing, learners, learnersNext, leaveAutomatically, addresses, removed }) => [
    voters,
    outgoing,
    learners,
    learnersNext,
    leaveAutomatically,
    Object.entries(addresses),
    removed,
  ],
  read: (raw) => {
    const [voters, outgoing, learners, learnersNext, leaves, addresses, removed] = list(raw, 7);
    const pairs = list(addresses).map((pair) => {
      const [member, address] = list(pair, 2);
      return [text.read(member), text.read(address)] as const;
    });
    return {
      voters: texts.read(voters),
      outgoing: texts.read(outgoing),
      learners: texts.read(learners),
      learnersNext: texts.read(learnersNext),
      leaveAutomatically: flag.read(leaves),
      addresses: Object.fromEntries(pairs),
      removed: texts.read(removed),
    };
  },
};

/** Which prefix of the log a snapshot stands for. */
export const snapshot: WireField<SnapshotDescription> = {
  write: (value) => [value.index, value.term, configuration.write(value.configuration)],
  read: (raw) => {
    const [index, term, members] = list(raw, 3);
    return { index: whole.read(index), term: whole.read(term), configuration: configuration.read(members) };
  },
};

const entry: WireField<Entry> = {
  write: (value) => {
    if (value.kind === 'command') return [0, value.index, value.term, value.payload];
    if (value.kind === 'empty') return [1, value.index, value.term];
    return [2, value.index, value.term, configuration.write(value.configuration)];
  },
  read: (raw) => {
    const [kind, rawIndex, rawTerm, rest] = list(raw);
    const place = { index: whole.read(rawIndex), term: whole.read(rawTerm) };
    if (kind === 0) return { kind: 'command', ...place, payload: bytes.read(rest) };
    if (kind === 1) return { kind: 'empty', ...place };
    if (kind === 2) return { kind: 'configuration', ...place, configuration: configuration.read(rest) };
    return garbled('an entry of an unknown kind');
  },
};

/** Entries that follow each other without a gap. */
export const entries: WireField<readonly Entry[]> = {
  write: (value) => value.map(entry.write),
  read: (raw) => {
    const read = list(raw).map(entry.read);
    const first = read[0]?.index ?? 0;
    if (read.some(({ index }, at) => index !== first + at)) garbled('entries with a gap');
    return read;
  },
};

/** One attempt at a read. */
export const readAttempt: WireField<{ readonly incarnation: number; readonly number: number }> = {
  write: ({ incarnation, number }) => [incarnation, number],
  read: (raw) => {
    const [incarnation, number] = list(raw, 2);
    return { incarnation: whole.read(incarnation), number: whole.read(number) };
  },
};
