/** Variables in values: every form of the Compose specification, and texts that are none. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interpolate } from './interpolation.ts';

const VARIABLES = { A: 'a', EMPTY: '', B: 'b' };

describe('given variables, when a text is interpolated', () => {
  test.each<[string, string]>([
    ['plain', 'plain'],
    ['$A', 'a'],
    ['${A}', 'a'],
    ['x${A}y$B', 'xayb'],
    ['$$A', '$A'],
    ['$${A}', '${A}'],
    ['$$$A', '$a'],
    ['${EMPTY}', ''],
    ['${A:-d}', 'a'],
    ['${EMPTY:-d}', 'd'],
    ['${NOPE:-d}', 'd'],
    ['${EMPTY-d}', ''],
    ['${NOPE-d}', 'd'],
    ['${NOPE:-}', ''],
    ['${NOPE:-a:b-c?d}', 'a:b-c?d'],
    ['${NOPE:-$A}', 'a'],
    ['${NOPE:-${ALSO_NOT:-${B}}}', 'b'],
    ['${NOPE:-$$x}', '$x'],
    ['${A:+other}', 'other'],
    ['${EMPTY:+other}', ''],
    ['${EMPTY+other}', 'other'],
    ['${NOPE+other}', ''],
    ['${A:?must}', 'a'],
    ['${EMPTY?must}', ''],
    ['${A:-${NOPE:?never asked for}}', 'a'],
  ])('then %s becomes %j', (text, expected) => {
    expect(interpolate(text, VARIABLES)).toEqual({ text: expected, unset: [] });
  });

  test('then a variable that is not set is empty, and named', () => {
    expect(interpolate('$NOPE-${NOPE}-$ALSO_NOT', VARIABLES)).toEqual({
      text: '--',
      unset: ['NOPE', 'ALSO_NOT'],
    });
    expect(interpolate('${toString}', VARIABLES)).toEqual({ text: '', unset: ['toString'] });
  });

  test.each<[string, string]>([
    ['$', 'has a $ that names no variable; write $$ for a dollar sign'],
    ['$5', 'has a $ that names no variable; write $$ for a dollar sign'],
    ['${}', 'has a ${ without the name of a variable; write $$ for a dollar sign'],
    ['${A', 'has a ${ that is never closed; write $$ for a dollar sign'],
    ['${A:-x', 'has a ${ that is never closed; write $$ for a dollar sign'],
    ['${A!}', 'has an unknown operator in ${…}; write $$ for a dollar sign'],
    ['${NOPE:?}', 'needs the variable NOPE, which is not set'],
    ['${EMPTY:?say which}', 'needs the variable EMPTY, which is not set: say which'],
    ['${NOPE?ask $A}', 'needs the variable NOPE, which is not set: ask $A'],
  ])('then %s is refused', (text, rule) => {
    expect(interpolate(text, VARIABLES)).toEqual({ rule });
  });
});

describe('property: interpolation', () => {
  const letter = fc.constantFrom(...'AB_1${}:-?+ x'.split(''));

  test('never throws, and either gives a text or a rule', () => {
    fc.assert(
      fc.property(fc.string({ unit: letter, maxLength: 60 }), (text) => {
        const result = interpolate(text, VARIABLES);
        expect('rule' in result || typeof result.text === 'string').toBe(true);
      }),
      { numRuns: 2_000 },
    );
  });

  test('gives back any text whose dollar signs are doubled', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(interpolate(text.replaceAll('$', '$$$$'), {})).toEqual({ text, unset: [] });
      }),
    );
  });
});
