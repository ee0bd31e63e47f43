import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { runScenario, titleOf } from './run-scenario.ts';

const folder = new URL('../../scenarios/', import.meta.url);
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.txt'))
  .sort();

describe('the scenarios', () => {
  for (const name of files) {
    const text = readFileSync(new URL(name, folder), 'utf8');
    test(`${name}: ${titleOf(text)}`, () => {
      runScenario(text);
    });
  }

  test('given a claim that does not hold, when it is run, then the line and both values are named', () => {
    const text = 'voters n1\nn1 campaigns\nn1 settles\nthen n1 leads term 7';
    expect(() => runScenario(text)).toThrow(/line 4.*\n.*leader in term 1, not leader in term 7/);
  });

  test('given a phrase that nobody knows, when it is run, then it fails', () => {
    expect(() => runScenario('voters n1\nn1 dances')).toThrow('this phrase is not known');
  });
});
