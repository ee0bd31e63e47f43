/** What `npm run conformance` goes by: the recorded exchanges, and the comparison of shapes. */

import { describe, expect, it } from 'vitest';
import { recordings } from './test-support/conformance/recording.ts';
import { shapeDifferences, shapeOf } from './test-support/conformance/shape.ts';

describe('given all exchanges that were recorded', () => {
  it('when they are looked through, then no key and no certificate is in them', () => {
    const text = JSON.stringify(recordings());
    expect(text).not.toMatch(/BEGIN (EC |RSA )?PRIVATE KEY/);
    expect(text).not.toMatch(/-----BEGIN CERTIFICATE-----\\+n[A-Za-z0-9]/);
  });
});

describe('given two JSON values', () => {
  const differences = (recorded: unknown, answered: unknown) =>
    shapeDifferences(shapeOf(recorded), shapeOf(answered)).map(({ text }) => text);

  it('when only values differ, then their shapes do not', () => {
    expect(differences({ a: [{ b: 1 }], c: 'x' }, { a: [{ b: 2 }, { b: 3 }], c: 'y' })).toEqual([]);
  });

  it('when keys or types differ, then each is told once, at its top', () => {
    expect(differences({ a: { b: { c: 1 } }, d: 1 }, { a: {}, d: 'x', e: { f: 1 } })).toEqual([
      'a.b is missing',
      'd is string instead of number',
      'e is added',
    ]);
  });

  it('when a list is empty, then nothing is known of its members', () => {
    expect(differences({ a: [] }, { a: [{ b: 1 }] })).toEqual([]);
    expect(differences({ a: [{ b: 1 }] }, { a: [] })).toEqual([]);
    expect(differences({ a: [] }, { a: null })).toEqual(['a is null instead of array']);
  });
});
