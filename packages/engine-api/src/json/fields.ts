/**
 * Reading JSON as Go does: names of fields are compared without case, the last one of a name wins, `null` is the same as
 * absent, and fields that nobody knows are ignored. What has the wrong type is refused by its path.
 */

import { Refusal } from '../server/refusal.ts';

/** An object that was sent, read field by field. */
export class Fields {
  /** Where it stands in what was sent: `TaskTemplate.ContainerSpec`. Empty for the whole. */
  readonly path: string;
  readonly #byName = new Map<string, unknown>();

  /** @throws Refusal 400 if it is no object. */
  constructor(value: unknown, path = '') {
    this.path = path;
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw mistyped(path, 'an object');
    for (const [name, field] of Object.entries(value)) this.#byName.set(name.toLowerCase(), field);
  }

  /** Whether something was given, be it empty. */
  has(name: string): boolean {
    return this.#value(name) !== undefined;
  }

  /** @throws Refusal 400 if it is no text. */
  text(name: string): string | undefined {
    return this.#typed(name, 'a string', (value) => (typeof value === 'string' ? value : undefined));
  }

  /** A whole number. @throws Refusal 400 if it is none. */
  integer(name: string): number | undefined {
    return this.#typed(name, 'a whole number', (value) =>
      typeof value === 'number' && Number.isInteger(value) ? value : undefined,
    );
  }

  /** A whole number that is not negative. @throws Refusal 400 if it is none. */
  natural(name: string): number | undefined {
    return this.#typed(name, 'a whole number, 0 or more', (value) =>
      typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined,
    );
  }

  /** @throws Refusal 400 if it is no number. */
  number(name: string): number | undefined {
    return this.#typed(name, 'a number', (value) => (typeof value === 'number' ? value : undefined));
  }

  /** @throws Refusal 400 if it is neither true nor false. */
  flag(name: string): boolean | undefined {
    return this.#typed(name, 'true or false', (value) => (typeof value === 'boolean' ? value : undefined));
  }

  /** @throws Refusal 400 if it is no object. */
  fields(name: string): Fields | undefined {
    const value = this.#value(name);
    return value === undefined ? undefined : new Fields(value, this.at(name));
  }

  /** A list of objects; absent: none. @throws Refusal 400 */
  list(name: string): readonly Fields[] {
    return this.#array(name).map((value, index) => new Fields(value, `${this.at(name)}[${index}]`));
  }

  /** A list of texts; absent: none. @throws Refusal 400 */
  texts(name: string): readonly string[] {
    return this.#array(name).map((value, index) => {
      if (typeof value !== 'string') throw mistyped(`${this.at(name)}[${index}]`, 'a string');
      return value;
    });
  }

  /** Texts by name, whose names keep their case; absent: none. @throws Refusal 400 */
  textMap(name: string): Readonly<Record<string, string>> {
    const value = this.#value(name) ?? {};
    if (typeof value !== 'object' || Array.isArray(value)) throw mistyped(this.at(name), 'an object');
    for (const [key, text] of Object.entries(value as object)) {
      if (typeof text !== 'string') throw mistyped(`${this.at(name)}[${key}]`, 'a string');
    }
    return value as Record<string, string>;
  }

  /** One of some words; empty is the same as absent. @throws Refusal 400 in the engine's words */
  word<Word extends string>(name: string, words: readonly Word[], what = name): Word | undefined {
    const text = this.text(name);
    if (text === undefined || text === '') return undefined;
    const word = words.find((each) => each === text);
    if (word === undefined) throw new Refusal(400, `invalid ${what}: ${JSON.stringify(text)}`);
    return word;
  }

  /** The path of one of its fields. */
  at(name: string): string {
    return this.path === '' ? name : `${this.path}.${name}`;
  }

  #array(name: string): readonly unknown[] {
    const value = this.#value(name) ?? [];
    if (!Array.isArray(value)) throw mistyped(this.at(name), 'an array');
    return value;
  }

  #typed<T>(name: string, type: string, take: (value: unknown) => T | undefined): T | undefined {
    const value = this.#value(name);
    if (value === undefined) return undefined;
    const taken = take(value);
    if (taken === undefined) throw mistyped(this.at(name), type);
    return taken;
  }

  #value(name: string): unknown {
    return this.#byName.get(name.toLowerCase()) ?? undefined;
  }
}

function mistyped(path: string, type: string): Refusal {
  return new Refusal(400, `invalid JSON: ${path === '' ? 'the body' : path} must be ${type}`);
}
