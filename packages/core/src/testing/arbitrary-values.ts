/**
 * Arbitrary texts, numbers and shapes for property tests, as odd as a user or a driver could make them. Needs
 * fast-check, so it is no part of the published entries.
 */

import fc from 'fast-check';

/** Texts that trip up whoever takes an object for a map, or a text for its bytes. */
export const ODD_TEXTS = [
  '',
  ' ',
  '0',
  '-1',
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'valueOf',
  'then',
  'ünï-cödé',
  '蜂の巣',
  '🐝',
  '\u0000',
  '\ud800',
  'e\u0301',
  'x'.repeat(300),
];

/** A text as UTF-8 can hold it. */
export function wellFormed(text: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

/** Any text. A lone surrogate has no UTF-8 form, so it stands for the replacement character from the start. */
export const anyText: fc.Arbitrary<string> = fc
  .oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }), fc.constantFrom(...ODD_TEXTS))
  .map(wellFormed);

/** Any finite number. There is one zero. */
export const anyNumber: fc.Arbitrary<number> = fc
  .oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 53, 2 ** 63, 1e300, 5e-324),
  )
  .map((number) => (number === 0 ? 0 : number));

/** Any set of labels. */
export const anyLabels: fc.Arbitrary<Record<string, string>> = fc.dictionary(anyText, anyText, {
  maxKeys: 4,
  noNullPrototype: true,
});

/** Whole numbers from 0. */
export const natural = fc.oneof(fc.nat(), fc.maxSafeInteger().map(Math.abs));
/** A few bytes. */
export const bytes = fc.uint8Array({ maxLength: 40 }).map((data) => new Uint8Array(data));

/** Any text as an id. */
export function anyId<Id extends string>(): fc.Arbitrary<Id> {
  return anyText.map((text) => text as Id);
}

/** A short list. */
export function listOf<T>(item: fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc.array(item, { maxLength: 4 });
}

/** A plain object: fast-check's own have no prototype now and then. */
export function record<T extends object>(all: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record(all as never, { noNullPrototype: true }) as fc.Arbitrary<T>;
}

/** A plain object of which some properties may be absent, and none undefined. */
export function shape<T extends object>(
  all: { [K in keyof T]-?: fc.Arbitrary<Exclude<T[K], undefined>> },
  required: readonly (keyof T)[],
): fc.Arbitrary<T> {
  return fc.record(all as never, {
    requiredKeys: required as never,
    noNullPrototype: true,
  }) as fc.Arbitrary<T>;
}
