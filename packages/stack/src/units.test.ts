/** Durations, sizes and shell words: what they mean, and what is none. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { splitShellWords } from './shell-words.ts';
import { parseBytes, parseCpus, parseDurationMs } from './units.ts';

describe('given a text, when it is read as a duration', () => {
  test.each<[string, number | undefined]>([
    ['0', 0],
    ['10s', 10_000],
    ['1m30s', 90_000],
    ['1.5h', 5_400_000],
    ['500ms', 500],
    ['1us', 1],
    ['1500µs', 2],
    ['0.1s0.2s', 300],
    ['0s', 0],
    ['.5s', 500],
    ['10', undefined],
    ['', undefined],
    ['s', undefined],
    ['-1s', undefined],
    ['1 s', undefined],
    ['1d', undefined],
    [`${'9'.repeat(30)}h`, undefined],
  ])('then %j is %j ms', (text, expected) => {
    expect(parseDurationMs(text)).toBe(expected);
  });

  test('then whole milliseconds in any mix of units are exact', () => {
    const count = fc.nat(999);
    fc.assert(
      fc.property(count, count, count, count, (h, m, s, ms) => {
        expect(parseDurationMs(`${h}h${m}m${s}s${ms}ms`)).toBe(((h * 60 + m) * 60 + s) * 1_000 + ms);
      }),
    );
  });
});

describe('given a text, when it is read as a size', () => {
  test.each<[string, number | undefined]>([
    ['1024', 1_024],
    ['1b', 1],
    ['50M', 52_428_800],
    ['64mb', 67_108_864],
    ['1KiB', 1_024],
    ['1.5gb', 1_610_612_736],
    ['2 GB', 2_147_483_648],
    ['1t', 1_099_511_627_776],
    ['', undefined],
    ['-1m', undefined],
    ['m', undefined],
    ['1x', undefined],
    ['99999p', undefined],
  ])('then %j is %j bytes', (text, expected) => {
    expect(parseBytes(text)).toBe(expected);
  });
});

describe('given a text, when it is read as processors', () => {
  test.each<[string, number | undefined]>([
    ['0.5', 0.5],
    ['2', 2],
    ['.25', 0.25],
    ['', undefined],
    ['1e3', undefined],
    ['-1', undefined],
  ])('then %j is %j', (text, expected) => {
    expect(parseCpus(text)).toBe(expected);
  });
});

describe('given a command, when it is split', () => {
  test.each<[string, readonly string[] | { rule: string }]>([
    ['', []],
    ['  a   b\tc\n', ['a', 'b', 'c']],
    [`a 'b c' "d e"`, ['a', 'b c', 'd e']],
    [`''`, ['']],
    [`a"b"'c'd`, ['abcd']],
    ['a\\ b', ['a b']],
    [`"a\\"b" "c\\d" 'e\\f'`, ['a"b', 'c\\d', 'e\\f']],
    ['a \\\n b', ['a', 'b']],
    ['$HOME * | b', ['$HOME', '*', '|', 'b']],
    [`'a`, { rule: "has a ' that is never closed" }],
    ['"a', { rule: 'has a " that is never closed' }],
    ['a\\', { rule: 'must not end with a lone backslash' }],
  ])('then %j becomes %j', (text, expected) => {
    expect(splitShellWords(text)).toEqual(expected);
  });

  test('then words in single quotes come back as they were', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (words) => {
        const quoted = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
        expect(splitShellWords(quoted)).toEqual(words);
      }),
    );
  });
});
