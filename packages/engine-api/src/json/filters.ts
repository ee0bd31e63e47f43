/**
 * The `filters` of a list, in both shapes that clients send: `{"name": {"web": true}}` and `{"name": ["web"]}`. Values
 * of one name are alternatives; all names must hold.
 */

import { Refusal } from '../server/refusal.ts';

/** What a list is filtered by. */
export class Filters {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  private constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /**
   * @param text - as it stands in the query; absent or empty: no filter.
   * @param known - the names that this list can be filtered by.
   * @throws Refusal 400 in the engine's words.
   */
  static parse(text: string | null, known: readonly string[]): Filters {
    const values = new Map<string, readonly string[]>();
    if (text === null || text === '') return new Filters(values);
    for (const [name, given] of Object.entries(parsed(text))) {
      if (!known.includes(name)) throw new Refusal(400, `invalid filter '${name}'`);
      values.set(name, valuesOf(given));
    }
    return new Filters(values);
  }

  /** The alternatives of a name; empty: it was not given. */
  get(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** Whether one of the alternatives holds, or none was given. */
  passes(name: string, holds: (value: string) => boolean): boolean {
    const values = this.get(name);
    return values.length === 0 || values.some(holds);
  }

  /** Whether all values of a label filter hold: `key`, or `key=value`. */
  passesLabels(name: string, labels: Readonly<Record<string, string>>): boolean {
    return this.get(name).every((wanted) => {
      const [key = '', value] = splitOnce(wanted);
      return Object.hasOwn(labels, key) && (value === undefined || labels[key] === value);
    });
  }

  /** True or false, as clients write them. @throws Refusal 400 */
  flag(name: string): boolean | undefined {
    const [value, ...others] = this.get(name);
    if (value === undefined) return undefined;
    const isTrue = value === 'true' || value === '1';
    if (others.length > 0 || !(isTrue || value === 'false' || value === '0')) {
      throw new Refusal(400, `invalid filter '${name}=[${[value, ...others].join(' ')}]'`);
    }
    return isTrue;
  }
}

function splitOnce(text: string): readonly [string, string | undefined] {
  const at = text.indexOf('=');
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + 1)];
}

function parsed(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below, in the engine's words.
  }
  throw new Refusal(400, 'invalid filter');
}

function valuesOf(given: unknown): readonly string[] {
  if (Array.isArray(given) && given.every((value) => typeof value === 'string')) return given;
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) {
    // What is mapped to false is not wanted.
    return Object.entries(given).flatMap(([value, isWanted]) => (isWanted === true ? [value] : []));
  }
  throw new Refusal(400, 'invalid filter');
}
