/** The main entry runs in a browser: nothing that it is made of asks for Node. */

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const FOLDER = new URL('./', import.meta.url);
const sources = readdirSync(FOLDER).filter((name) => /^(?!node\.ts$).*(?<!\.test)\.ts$/.test(name));

test('given the sources, then there are some', () => {
  expect(sources).toContain('index.ts');
});

test.each(sources)('given %s, then it imports nothing of Node, nor the entry that does', (name) => {
  const text = readFileSync(new URL(name, FOLDER), 'utf8');
  expect(text).not.toMatch(/from '(?:node:|\.\/node\.ts)/);
  expect(text).not.toMatch(/\b(?:Buffer|process|setImmediate|__dirname)\./);
});
