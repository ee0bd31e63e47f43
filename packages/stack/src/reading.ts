/**
 * How the readers of a stack file look at it: places in the tree, typed reads of them, and the faults and warnings
 * found on the way. A read that fails notes its fault and gives `undefined`, so that one pass tells all faults. A
 * fault quotes what is written in the file, never the value of a variable.
 */

import { InvalidSpecError, type SpecIssue } from '@skep/core';
import { didYouMean } from './did-you-mean.ts';
import { interpolate, type Variables } from './interpolation.ts';
import { ISSUES_MAX, READS_MAX } from './limits.ts';
import { parseBytes, parseCpus, parseDurationMs } from './units.ts';
import { type TreeNode, told, type YamlTree } from './yaml-tree.ts';

/** A node and how one came to it. */
export interface Place {
  readonly node: TreeNode;
  /** `services.web.ports[0]`. */
  readonly path: string;
  /** Where the key stands that led here, or the value itself in a list. */
  readonly at: number;
}

/** One key of a map, with its value. */
export interface Keyed extends Place {
  readonly key: string;
}

/** What the reader did with something it could not take over. */
export type StackWarningReason =
  /** Docker's swarm mode does not know it either; `docker stack deploy` ignores it too. */
  | 'not-in-swarm'
  /** Swarm has it, Skep does not yet. */
  | 'not-supported'
  /** A variable without a default is not set, and counts as empty. */
  | 'unset-variable';

/** Something in the file that has no effect. */
export interface StackWarning {
  readonly reason: StackWarningReason;
  /** Path of the field: `services.web.build`. */
  readonly field: string;
  /** In words, without the field. */
  readonly message: string;
  readonly line: number;
  readonly column: number;
}

/** Reads a value at a place; notes why not, and gives `undefined`, when it can't. */
export type Read<Value> = (reading: Reading, place: Place) => Value | undefined;

/** One reading of one file. It lives as long as the call that parses the file. */
export class Reading {
  readonly variables: Variables;
  readonly #tree: YamlTree;
  readonly #issues: SpecIssue[] = [];
  readonly #warnings: StackWarning[] = [];
  readonly #unset = new Set<string>();
  #readsLeft = READS_MAX;

  constructor(tree: YamlTree, variables: Variables) {
    this.#tree = tree;
    this.variables = variables;
  }

  get root(): Place {
    return { node: this.#tree.root, path: '', at: this.#tree.root.at };
  }

  get issueCount(): number {
    return this.#issues.length;
  }

  get warnings(): readonly StackWarning[] {
    return this.#warnings;
  }

  /**
   * Notes a fault; the rule gets its line and column.
   *
   * @throws InvalidSpecError when there are so many that the rest would not help.
   */
  issue(place: Pick<Place, 'path' | 'at'>, rule: string): undefined {
    this.#issues.push({ field: place.path, rule: `${rule}${told(this.#tree.position(place.at))}` });
    if (this.#issues.length >= ISSUES_MAX) this.finish();
    return undefined;
  }

  warn(place: Pick<Place, 'path' | 'at'>, reason: StackWarningReason, message: string): void {
    this.#warnings.push({ reason, field: place.path, message, ...this.#tree.position(place.at) });
  }

  /** Warns once a variable, however often it is asked for. */
  warnUnset(place: Place, name: string): void {
    if (this.#unset.has(name)) return;
    this.#unset.add(name);
    this.warn(place, 'unset-variable', `the variable ${name} is not set and counts as empty`);
  }

  /** Counts a read, so that aliases of aliases can't keep the reader busy for ever. */
  spend(amount = 1): void {
    this.#readsLeft -= amount;
    if (this.#readsLeft < 0) {
      throw new InvalidSpecError([
        { field: '', rule: `holds more than ${READS_MAX} values, aliases counted` },
      ]);
    }
  }

  /** @throws InvalidSpecError with every fault noted so far, if there is one. */
  finish(): void {
    if (this.#issues.length > 0) throw new InvalidSpecError(this.#issues);
  }
}

/** What stands in the file, for a message: short, and with its variables unread. */
export function shown(place: Place): string {
  if (place.node.kind !== 'scalar') return `this ${place.node.kind}`;
  const { source } = place.node;
  return source.length > 60 ? `'${source.slice(0, 57)}...'` : `'${source}'`;
}

/** True for a key without a value. */
export function isEmpty(place: Place): boolean {
  return place.node.kind === 'scalar' && place.node.value === null;
}

/** Any text, number or boolean, as text, variables put in. */
export const readText: Read<string> = (reading, place) => {
  reading.spend();
  if (place.node.kind !== 'scalar' || place.node.value === null)
    return reading.issue(place, 'must be a text');
  const result = interpolate(place.node.source, reading.variables);
  if ('rule' in result) return reading.issue(place, result.rule);
  for (const name of result.unset) reading.warnUnset(place, name);
  return result.text;
};

/** A text that is not empty. */
export const readWord: Read<string> = (reading, place) => {
  const text = readText(reading, place);
  return text === '' ? reading.issue(place, 'must not be empty') : text;
};

/** A whole number in decimal digits, written as number or text. */
export const readInteger: Read<number> = (reading, place) => {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  const value = /^[+-]?\d{1,15}$/.test(text.trim()) ? Number(text) : Number.NaN;
  return Number.isNaN(value) ? reading.issue(place, `must be a whole number, not ${shown(place)}`) : value;
};

/** A whole number, 0 or more. */
export const readCount: Read<number> = (reading, place) => {
  const value = readInteger(reading, place);
  return value !== undefined && value < 0 ? reading.issue(place, 'must not be negative') : value;
};

/** A file mode: `0440` and `0o440` are octal, as people mean them; other digits are decimal, as YAML has it. */
export const readFileMode: Read<number> = (reading, place) => {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  const octal = /^0o?([0-7]{1,6})$/.exec(text);
  if (octal) return Number.parseInt(octal[1] ?? '', 8);
  return /^\d{1,6}$/.test(text)
    ? Number(text)
    : reading.issue(place, `must be a file mode such as 0440, not ${shown(place)}`);
};

export const readBoolean: Read<boolean> = (reading, place) => {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  if (text === 'true' || text === 'false') return text === 'true';
  return reading.issue(place, `must be true or false, not ${shown(place)}`);
};

/** A duration such as `1m30s`, as milliseconds. */
export const readDurationMs: Read<number> = (reading, place) =>
  readUnit(reading, place, parseDurationMs, 'a duration with its unit, such as 1m30s or 500ms');

/** A size such as `64m`, as bytes. */
export const readBytes: Read<number> = (reading, place) =>
  readUnit(reading, place, parseBytes, 'a size in bytes or with its unit, such as 64M or 1.5gb');

/** A share of processors such as `0.5`. */
export const readCpus: Read<number> = (reading, place) =>
  readUnit(reading, place, parseCpus, 'a number of processors such as 0.5');

function readUnit(
  reading: Reading,
  place: Place,
  parse: (text: string) => number | undefined,
  what: string,
): number | undefined {
  const text = readText(reading, place);
  if (text === undefined) return undefined;
  return parse(text.trim()) ?? reading.issue(place, `must be ${what}, not ${shown(place)}`);
}

/** One of a few words. */
export function readOneOf<const Words extends readonly string[]>(words: Words): Read<Words[number]> {
  return (reading, place) => {
    const text = readText(reading, place);
    if (text === undefined) return undefined;
    const found = words.find((word) => word === text);
    return (
      found ??
      reading.issue(place, `must be ${words.join(', ')}, not ${shown(place)}${didYouMean(text, words)}`)
    );
  };
}

/** The places of a list's items. */
export const readList: Read<readonly Place[]> = (reading, place) => {
  reading.spend();
  if (place.node.kind !== 'list') return reading.issue(place, 'must be a list');
  return place.node.items.map((node, index) => ({ node, path: `${place.path}[${index}]`, at: node.at }));
};

/** The keys of a map whose keys are the author's own: services, labels. */
export const readMap: Read<readonly Keyed[]> = (reading, place) => {
  reading.spend();
  if (place.node.kind !== 'map') return reading.issue(place, 'must be a map');
  return [...place.node.entries].map(([key, { node, keyAt }]) => ({
    key,
    node,
    path: place.path === '' ? key : `${place.path}.${key}`,
    at: keyAt,
  }));
};

/** A list read item by item; items that can't be read are left out, their faults noted. */
export function readEach<Value>(reading: Reading, place: Place, read: Read<Value>): Value[] | undefined {
  return readList(reading, place)
    ?.map((item) => read(reading, item))
    .filter((value) => value !== undefined);
}

/** A list of texts, or a single one. */
export const readTexts: Read<readonly string[]> = (reading, place) => {
  if (place.node.kind === 'list') return readEach(reading, place, readText);
  const single = readText(reading, place);
  return single === undefined ? undefined : [single];
};

/** Labels and options: a map, or a list of `key=value`; a key without a value has the empty text. */
export const readTextRecord: Read<Readonly<Record<string, string>>> = (reading, place) => {
  const pairs = readPairs(reading, place);
  return pairs && Object.fromEntries([...pairs].map(([key, value]) => [key, value ?? '']));
};

/** Pairs in the order of the file, from a map or from a list of `key=value`; `undefined` for a key alone. */
export const readPairs: Read<ReadonlyMap<string, string | undefined>> = (reading, place) => {
  const pairs = new Map<string, string | undefined>();
  if (place.node.kind === 'list') {
    for (const item of readList(reading, place) ?? []) {
      const text = readText(reading, item);
      if (text === undefined) continue;
      const equals = text.indexOf('=');
      const key = equals < 0 ? text : text.slice(0, equals);
      if (key === '') reading.issue(item, 'must have the form key=value');
      else pairs.set(key, equals < 0 ? undefined : text.slice(equals + 1));
    }
    return pairs;
  }
  if (place.node.kind !== 'map') return reading.issue(place, 'must be a map, or a list of key=value');
  for (const entry of readMap(reading, place) ?? []) {
    pairs.set(entry.key, isEmpty(entry) ? undefined : readText(reading, entry));
  }
  return pairs;
};

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
